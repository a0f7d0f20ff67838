"""Whom a proxy speaks for: Forwarded (RFC 7239) and X-Forwarded-For, -Proto, -Host, where the proxy is trusted.

Pure. Each proxy appends the address that it was called from. So the list is read from its right end, and only for as
long as who appended is trusted: the right-most address that is not a trusted proxy's is the client's. What stands to
the left of it was sent by the client, and says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from ..payer import LOCAL_PEER, network_of
from ..this_machine import unmapped

UNIX = "unix"
"""Among the trusted: whoever is connected by a Unix socket."""

NAMELESS = "unknown"
"""The client of a proxy on this machine that names none (the word is that of RFC 7239, 6.2). What comes through a proxy
does not come from this machine, and a client that spoils what the proxy says is not to be taken for it."""

MAX_HOPS = 32
"""Elements that are looked at: more proxies are in no chain, and each costs a look-up of an address."""

_MAX_NODE = 128
"""Characters of an address with its port and its zone. A longer node is none."""

MAX_CHARACTERS = 4096
"""Of a field, from its right end."""

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PART = re.compile(rf'[ \t]*+(?:({_WORD})=(?:({_WORD})|"((?:[^"\\]|\\.)*+)"))?+[ \t]*+(;|\Z)', re.ASCII)
"""One parameter of an element, and what ends it. Possessive throughout: nothing is tried twice."""

_ESCAPED = re.compile(r"\\(.)")
_PORT = r"(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?"
_BRACKETED = re.compile(rf"\[([0-9A-Fa-f:.]+)\]{_PORT}", re.ASCII)
_IPV4 = re.compile(rf"([0-9.]+){_PORT}", re.ASCII)
_OBFUSCATED = re.compile(rf"(_[A-Za-z0-9._-]+){_PORT}", re.ASCII)

_SCHEMES = frozenset({"http", "https"})

Network = IPv4Network | IPv6Network


class RequestOrigin(NamedTuple):
    """Where a request came from, by what trusted proxies say. `scheme` and `host` are None where they say nothing.

    `torn` says that Forwarded and X-Forwarded-For name two clients: one of them was sent by the client itself, past a
    proxy that writes only the other. Then neither is believed: `client` is the proxy, or NAMELESS where that is on this
    machine, as it is where a proxy names nobody.
    """

    client: str
    scheme: str | None = None
    host: str | None = None
    torn: bool = False


class TrustedProxies:
    """The networks whose word is taken. Raises ValueError for what is none."""

    def __init__(self, networks: Iterable[str]) -> None:
        texts = tuple(networks)
        self._unix = UNIX in texts
        self._networks = tuple(network(each) for each in texts if each != UNIX)
        self._trusts = lru_cache(maxsize=4096)(self._look_up)

    def __bool__(self) -> bool:
        return self._unix or bool(self._networks)

    def trusts(self, address: str) -> bool:
        """Whether it is the address of a trusted proxy."""
        return self._trusts(address)

    def origin(
        self,
        peer: str,
        forwarded: str | None,
        x_for: str | None,
        x_proto: str | None = None,
        x_host: str | None = None,
    ) -> RequestOrigin:
        """Who has sent a request that came from `peer`, with these fields, repeated ones joined by commas."""
        if not self._trusts(peer):
            return RequestOrigin(peer)
        standard = None if forwarded is None else self._standard(peer, _bounded(forwarded))
        common = None if x_for is None else self._common(peer, _bounded(x_for), x_proto, x_host)
        if standard is None or common is None:
            if standard is None and common is None:
                return RequestOrigin(peer, _scheme(_at(x_proto, 1)), _at(x_host, 1))
            return standard or common or RequestOrigin(peer)
        return standard if standard.client == common.client else RequestOrigin(_nameless(peer), torn=True)

    def _standard(self, peer: str, forwarded: str) -> RequestOrigin:
        client, found = peer, RequestOrigin(peer)
        for element in _elements(forwarded):
            pairs = _pairs(element)
            node = None if pairs is None else _node(pairs.get("for", ""))
            if pairs is None or node is None:
                return found._replace(client=_nameless(client))
            client = node
            # Those of the outermost trusted proxy, which the client has called.
            found = RequestOrigin(client, _scheme(pairs.get("proto")), pairs.get("host") or None)
            if not self._trusts(client):
                break
        return found

    def _common(self, peer: str, x_for: str, x_proto: str | None, x_host: str | None) -> RequestOrigin:
        client, hops = peer, 0
        for element in reversed(x_for.split(",")[-MAX_HOPS:]):
            node = _node(element.strip(" \t"))
            if node is None:
                client = _nameless(client)
                break
            client, hops = node, hops + 1
            if not self._trusts(client):
                break
        return RequestOrigin(client, _scheme(_at(x_proto, hops)), _at(x_host, hops))

    def _look_up(self, address: str) -> bool:
        if address == LOCAL_PEER:
            return self._unix
        try:
            parsed = unmapped(ip_address(address.partition("%")[0]))
        except ValueError:
            return False
        return any(parsed.version == each.version and parsed in each for each in self._networks)


def _nameless(proxy: str) -> str:
    """Whom a proxy speaks for that names nobody: all its clients count as the proxy, which is not this machine."""
    return NAMELESS if network_of(proxy)[1] else proxy


def network(text: str) -> Network:
    """A network, or one address as the network of itself; one that is mapped is the IPv4 one. Raises ValueError, also
    for a network with bits beyond its prefix, which is a slip."""
    found = ip_network(text)
    if isinstance(found, IPv6Network) and found.prefixlen >= 96 and found.network_address.ipv4_mapped is not None:
        return ip_network((int(found.network_address.ipv4_mapped), found.prefixlen - 96))
    return found


def _elements(text: str) -> Iterator[str]:
    """The list's elements from the right. A quote that somebody has left open on the left encloses none of them."""
    end = at = len(text)
    hops = 0
    while hops < MAX_HOPS:
        at -= 1
        if at < 0 or text[at] == ",":
            yield text[at + 1 : end]
            hops += 1
            if at < 0:
                return
            end = at
        elif text[at] == '"':
            at = _opening(text, at)
            if at < 0:
                return  # never opened: all that is left is not well-formed


def _opening(text: str, closing: int) -> int:
    """Where the string that is closed there was opened: the quote before it that is not escaped."""
    at = closing
    while (at := text.rfind('"', 0, at)) > 0:
        slashes = at - len(text[:at].rstrip("\\")) if text[at - 1] == "\\" else 0
        if slashes % 2 == 0:
            break
    return at


def _pairs(element: str) -> dict[str, str] | None:
    """The parameters of one element (RFC 7239, 4), names in lower case; None if it is not well-formed."""
    pairs: dict[str, str] = {}
    at = 0
    while True:
        part = _PART.match(element, at)
        if part is None:
            return None
        name, token, quoted, end = part.groups()
        if name is not None:
            if name.lower() in pairs:
                return None  # "Each parameter MUST NOT occur more than once per field-value"
            pairs[name.lower()] = token if quoted is None else _ESCAPED.sub(r"\1", quoted)
        if not end:
            return pairs
        at = part.end()


@lru_cache(maxsize=4096)
def _node(text: str) -> str | None:
    """The address of a node (RFC 7239, 6), in its one spelling and without the port, or the name that a proxy has made
    up for it; None for "unknown" and for what is none. X-Forwarded-For has IPv6 without brackets as well."""
    if not text or len(text) > _MAX_NODE:
        return None
    for form in (_BRACKETED, _IPV4):
        if (found := form.fullmatch(text)) is not None:
            return _canonical(found[1])
    if (found := _OBFUSCATED.fullmatch(text)) is not None:
        return found[1]
    return _canonical(text)


def _canonical(text: str) -> str | None:
    try:
        return str(unmapped(ip_address(text)))
    except ValueError:
        return None


def _bounded(text: str) -> str:
    """The right end of a long list, from the beginning of an element."""
    return text if len(text) <= MAX_CHARACTERS else text[-MAX_CHARACTERS:].partition(",")[2]


def _at(values: str | None, hops: int) -> str | None:
    """The value that the outermost of so many trusted proxies has appended, or the only one."""
    if not values:
        return None
    parts = [each.strip(" \t") for each in _bounded(values).split(",")]
    return parts[-min(max(hops, 1), len(parts))] or None


def _scheme(text: str | None) -> str | None:
    lower = "" if text is None else text.lower()
    return lower if lower in _SCHEMES else None
