"""Validates the header fields of an HTTP/2 request (RFC 9113, 8.2 and 8.3; RFC 9110, 5.1, 5.5 and 8.6), and target and
host of any request (RFC 9112, 3.2).

Pure: bytes in, a verdict out. The response to a malformed request is chosen elsewhere. The standard's rules are
complete here: no NUL, line feed or second path may reach an application.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

Fields = Sequence[tuple[bytes, bytes]]
"""A decoded header block, including pseudo-header fields, in the order sent."""

_NAME_BYTES = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
_VALUE_BYTES = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])
_SEPARATOR = b"\0"
"""Allowed neither in a name nor in a value."""
_EDGE_WHITESPACE = (b"\0 ", b" \0", b"\0\t", b"\t\0")
"""Byte pairs that occur in separator-joined values if one of them begins or ends with whitespace."""

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(rb"/[\x21\x22\x24-\x7e]*|\*")
"""A path and its query, without a fragment, which is the client's own (RFC 9112, 3.2)."""

_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+\-.]*")
_AUTHORITY = re.compile(
    rb"(?:(?=[^:])[A-Za-z0-9\-._~!$&'()*+,;=]*(?:%[0-9A-Fa-f]{2}[A-Za-z0-9\-._~!$&'()*+,;=]*)*"
    rb"|\[(?:v[0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+|(?P<v6>[0-9A-Fa-f:.]+))\])(?::[0-9]*)?"
)
"""A host that is not empty, and a port (RFC 3986, 3.2.2 and 3.2.3), without user information (RFC 9113, 8.3.1)."""

_BRACKET = ord("[")

_LENGTH = re.compile(rb"[0-9]{1,18}")
"""At most an exabyte less one: bounds the cost of converting a number sent by a client."""

_DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}

_PSEUDO_FIELDS = {
    b":method": _TOKEN,
    b":scheme": _SCHEME,
    b":authority": _AUTHORITY,
    b":path": _TARGET,
    b":protocol": _TOKEN,
}
"""The pseudo-header fields of a request, including `:protocol` (RFC 8441), and what their values match."""

_CONNECTION_SPECIFIC = {b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"}


def is_valid_request(fields: Fields) -> bool:
    """Whether these fields begin a well-formed request of a kind that an HTTP server can respond to.

    A CONNECT without `:protocol` is well-formed but rejected: it has no path, and asks for a tunnel, which is not
    offered.
    """
    pseudo = _leading_pseudo_fields(fields)
    if pseudo is None or not are_valid_trailers(fields[len(pseudo) :]):
        return False
    return _is_valid_request_line(pseudo) and _has_one_host(pseudo, fields)


def are_valid_trailers(fields: Fields) -> bool:
    """Whether these fields may end a request (RFC 9113, 8.1): no pseudo-header fields."""
    if not fields:
        return True
    names = [name for name, _ in fields]
    if not (are_valid_names(names) and _are_valid_values([value for _, value in fields])):
        return False
    if not _CONNECTION_SPECIFIC.isdisjoint(names):
        return False
    if b"te" in names and any(name == b"te" and value.lower() != b"trailers" for name, value in fields):
        return False
    return b"content-length" not in names or _has_at_most_one_length(fields)


def announced_body(fields: Fields) -> tuple[int | None, bool]:
    """The Content-Length of a well-formed request, in bytes, None if it has none; and whether its client waits for 100
    (RFC 9110, 10.1.1)."""
    values = dict(fields)
    length = values.get(b"content-length")
    return None if length is None else int(length), values.get(b"expect", b"").lower() == b"100-continue"


def _leading_pseudo_fields(fields: Fields) -> dict[bytes, bytes] | None:
    """The pseudo-header fields at the start; None if one is unknown, repeated, or has an invalid value."""
    found: dict[bytes, bytes] = {}
    for name, value in fields:
        if not name.startswith(b":"):
            break
        pattern = _PSEUDO_FIELDS.get(name)
        if pattern is None or name in found or not pattern.fullmatch(value):
            return None
        found[name] = value
    return found


def are_valid_names(names: list[bytes]) -> bool:
    """Lower-case tokens; this also excludes a late pseudo-header field. All in one pass: a request has a dozen and
    more."""
    joined = _join(names)
    return _contains_only(joined, names, _NAME_BYTES) and _SEPARATOR * 2 not in joined


def _are_valid_values(values: list[bytes]) -> bool:
    """No control characters, no leading or trailing whitespace. Also in one pass."""
    joined = _join(values)
    return _contains_only(joined, values, _VALUE_BYTES) and not any(space in joined for space in _EDGE_WHITESPACE)


def _join(parts: list[bytes]) -> bytes:
    return _SEPARATOR + _SEPARATOR.join(parts) + _SEPARATOR


def _contains_only(joined: bytes, parts: list[bytes], allowed: bytes) -> bool:
    """Whether there are no bytes but `allowed` and the separators inserted here: no NUL sent by the client."""
    return len(joined.translate(None, allowed)) == len(parts) + 1


def is_valid_authority(value: bytes) -> bool:
    """Whether this is a host, with a port or without (RFC 9110, 7.2)."""
    match = _AUTHORITY.fullmatch(value)
    if match is None:
        return False
    address = match["v6"]
    return address is None or _is_ipv6(address)


def is_valid_path(target: bytes, method: bytes) -> bool:
    """Whether this is a path, or the `*` of OPTIONS (RFC 9112, 3.2.4)."""
    return _TARGET.fullmatch(target) is not None and (target != b"*" or method == b"OPTIONS")


def _is_valid_request_line(pseudo: dict[bytes, bytes]) -> bool:
    """A method, a scheme, and a path, which may be `*` only for OPTIONS; `:protocol` with CONNECT, and only there.

    (RFC 9113, 8.3.1 and 8.5; RFC 8441, 4.) Methods are case-sensitive, but Hypercorn takes `connect` for CONNECT.
    """
    if not pseudo.keys() >= {b":method", b":scheme", b":path"}:
        return False
    method = pseudo[b":method"]
    if (method.upper() == b"CONNECT") is not (b":protocol" in pseudo):
        return False
    return pseudo[b":path"] != b"*" or method == b"OPTIONS"


def _has_one_host(pseudo: dict[bytes, bytes], fields: Fields) -> bool:
    """From `:authority`, from one Host field, or from both if they name the same host (RFC 9113, 8.3.1)."""
    hosts = [value for name, value in fields if name == b"host"]
    authority = pseudo.get(b":authority")
    if authority is not None:
        if not hosts and authority[0] != _BRACKET:
            return True  # its pattern says all
        hosts.insert(0, authority)
    if not hosts or len(hosts) > 1 + (authority is not None) or not all(map(is_valid_authority, hosts)):
        return False
    return len({_normalized(host, pseudo[b":scheme"]) for host in hosts}) == 1


def _normalized(authority: bytes, scheme: bytes) -> bytes:
    """In lower case, and without the scheme's default port (RFC 9110, 4.2.3)."""
    authority = authority.lower()
    return authority.removesuffix(b":").removesuffix(_DEFAULT_PORTS.get(scheme.lower(), b":"))


def _is_ipv6(address: bytes) -> bool:
    try:
        ipaddress.IPv6Address(address.decode("ascii"))
    except ValueError:
        return False
    return True


def _has_at_most_one_length(fields: Fields) -> bool:
    """No `content-length`, or one number, however often it is repeated (RFC 9110, 8.6)."""
    values = [value for name, value in fields if name == b"content-length"]
    return all(_LENGTH.fullmatch(value) for value in values) and len({int(value) for value in values}) <= 1
