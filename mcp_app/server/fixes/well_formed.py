"""Whether the fields of an HTTP/2 request are well-formed (RFC 9113, 8.2 and 8.3; RFC 9110, 5.1, 5.5 and 8.6).

Pure: bytes in, a verdict out. What becomes of a request that is not is no concern of this file. The rules are the
standard's, complete: an application must never see a NUL, a line feed or a second path that way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

Fields = Sequence[tuple[bytes, bytes]]
"""A header block as it was sent: pseudo-header fields and all, in its order."""

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_VALUE = re.compile(rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(rb"/[\x21-\x7e]*|\*")
_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+\-.]*")
_AUTHORITY = re.compile(rb"[A-Za-z0-9\-._~%!$&'()*+,;=:\[\]]+")
"""A host and a port, without user information (RFC 9113, 8.3.1)."""

_LENGTH = re.compile(rb"[0-9]{1,18}")
"""An exabyte less one at most: no number of a stranger's may be too long to be converted."""

_PSEUDO = {
    b":method": _TOKEN,
    b":scheme": _SCHEME,
    b":authority": _AUTHORITY,
    b":path": _TARGET,
    b":protocol": _TOKEN,
}
"""Those of a request, `:protocol` of RFC 8441 among them."""

_CONNECTION_SPECIFIC = {b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"}


def is_request(fields: Fields) -> bool:
    """Whether these fields begin a well-formed request, of a kind that an HTTP server can answer.

    A CONNECT without `:protocol` is well-formed and has no path: it wants a tunnel, and there is none here.
    """
    pseudo = _pseudo_fields(fields)
    if pseudo is None or not _are_ordinary(fields[len(pseudo) :]):
        return False
    return _is_request_line(pseudo) and _names_one_host(pseudo, fields) and _is_one_length(fields)


def are_trailers(fields: Fields) -> bool:
    """Whether these fields may end a request (RFC 9113, 8.1): without any pseudo-header field."""
    return _are_ordinary(fields) and _is_one_length(fields)


def content_length(fields: Fields) -> int | None:
    """How many bytes a well-formed request says it has, or None when it does not say."""
    return next((int(value) for name, value in fields if name == b"content-length"), None)


def _pseudo_fields(fields: Fields) -> dict[bytes, bytes] | None:
    """The pseudo-header fields at the beginning; None when one is unknown, there twice, or no such value."""
    found: dict[bytes, bytes] = {}
    for name, value in fields:
        if not name.startswith(b":"):
            break
        known = _PSEUDO.get(name)
        if known is None or name in found or not known.fullmatch(value):
            return None
        found[name] = value
    return found


def _are_ordinary(fields: Iterable[tuple[bytes, bytes]]) -> bool:
    """Names of lower-case tokens, which no late pseudo-header field has; values without controls or space around."""
    return all(
        _NAME.fullmatch(name)
        and _VALUE.fullmatch(value)
        and name not in _CONNECTION_SPECIFIC
        and (name != b"te" or value.lower() == b"trailers")
        for name, value in fields
    )


def _is_request_line(pseudo: dict[bytes, bytes]) -> bool:
    """A method, a scheme, and a path, which is `*` for OPTIONS alone; `:protocol` with CONNECT, and only there.

    (RFC 9113, 8.3.1 and 8.5; RFC 8441, 4.) Methods are case-sensitive, but Hypercorn takes `connect` for CONNECT.
    """
    if not pseudo.keys() >= {b":method", b":scheme", b":path"}:
        return False
    method = pseudo[b":method"]
    if (method.upper() == b"CONNECT") is not (b":protocol" in pseudo):
        return False
    return pseudo[b":path"] != b"*" or method == b"OPTIONS"


def _names_one_host(pseudo: dict[bytes, bytes], fields: Fields) -> bool:
    """By `:authority`, by one Host, or by both if they say the same (RFC 9113, 8.3.1)."""
    named = [value for name, value in fields if name == b"host"]
    if len(named) > 1 or not all(_AUTHORITY.fullmatch(host) for host in named):
        return False
    if b":authority" in pseudo:
        named.append(pseudo[b":authority"])
    return len(set(named)) == 1


def _is_one_length(fields: Fields) -> bool:
    """No `content-length`, or a number, however often it is said (RFC 9110, 8.6)."""
    said = [value for name, value in fields if name == b"content-length"]
    return all(_LENGTH.fullmatch(value) for value in said) and len({int(value) for value in said}) <= 1
