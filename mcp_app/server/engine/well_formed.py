"""Whether the fields of an HTTP/2 request are well-formed (RFC 9113, 8.2 and 8.3; RFC 9110, 5.1, 5.5 and 8.6).

Pure: bytes in, a verdict out. What becomes of a request that is not is no concern of this file. The rules are the
standard's, complete: an application must never see a NUL, a line feed or a second path that way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

Fields = Sequence[tuple[bytes, bytes]]
"""A header block as it was sent: pseudo-header fields and all, in its order."""

_OF_NAMES = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
_OF_VALUES = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])
_SEPARATOR = b"\0"
"""Neither of a name nor of a value."""
_SPACE_AROUND = (b"\0 ", b" \0", b"\0\t", b"\t\0")
"""How a value that begins or ends with one looks between separators."""

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
    if pseudo is None or not are_trailers(fields[len(pseudo) :]):
        return False
    return _is_request_line(pseudo) and _names_one_host(pseudo, fields)


def are_trailers(fields: Fields) -> bool:
    """Whether these fields may end a request (RFC 9113, 8.1): without any pseudo-header field."""
    if not fields:
        return True
    names = [name for name, _ in fields]
    if not (are_names(names) and _are_values([value for _, value in fields])):
        return False
    if not _CONNECTION_SPECIFIC.isdisjoint(names):
        return False
    if b"te" in names and any(name == b"te" and value.lower() != b"trailers" for name, value in fields):
        return False
    return b"content-length" not in names or _is_one_length(fields)


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


def are_names(names: list[bytes]) -> bool:
    """Tokens in lower case, which no late pseudo-header field is. All in one pass: a request has a dozen and more."""
    joined = _between_separators(names)
    return _is_all(joined, names, _OF_NAMES) and _SEPARATOR * 2 not in joined


def _are_values(values: list[bytes]) -> bool:
    """Without controls, and without space around them. Also in one pass."""
    joined = _between_separators(values)
    return _is_all(joined, values, _OF_VALUES) and not any(space in joined for space in _SPACE_AROUND)


def _between_separators(parts: list[bytes]) -> bytes:
    return _SEPARATOR + _SEPARATOR.join(parts) + _SEPARATOR


def _is_all(joined: bytes, parts: list[bytes], allowed: bytes) -> bool:
    """Whether there is nothing but what is allowed, and the separators we put there: no NUL of a client's."""
    return len(joined.translate(None, allowed)) == len(parts) + 1


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
