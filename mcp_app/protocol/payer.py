"""`Payer`: whom a request is charged to, where what callers use is limited, or shared out among them.

Pure: what is counted, and what is allowed, is decided elsewhere.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import NamedTuple

from .this_machine import unmapped

IPV6_PREFIX = 64
"""Bits of an IPv6 address that are its network's: whoever has one address has 2**64 of them (RFC 6177, 2)."""

MAX_PEER_CHARACTERS = 64
"""Of what a proxy calls a client that it does not name (RFC 7239, 6.3); longer ones share what they begin with."""

LOCAL_PEER = "<local>"
"""The client of a Unix socket, which has no address."""


class Payer(NamedTuple):
    """`key` is the caller's: its principal, or the network of one who shows no credentials, so that strangers do not
    pay for each other. `network` is that of its address. `local` says that the client is on this machine."""

    key: str
    network: str
    local: bool


NOBODY = Payer("", "", local=True)
"""Where callers are not told apart, and nothing is limited."""


@lru_cache(maxsize=4096)
def network_of(address: str) -> tuple[str, bool]:
    """What addresses are counted by, and whether it is this machine: an IPv4 address, also where it is mapped; the
    first 64 bits of an IPv6 address; else the text."""
    if address == LOCAL_PEER:
        return address, True
    try:
        parsed = unmapped(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return address[:MAX_PEER_CHARACTERS], False
    if parsed.version == 4 or parsed.is_loopback:
        return str(parsed), parsed.is_loopback
    return str(ipaddress.ip_network((int(parsed), IPV6_PREFIX), strict=False)), False


@lru_cache(maxsize=4096)
def payer_of(principal: str | None, address: str) -> Payer:
    """Who pays for a request from that address; without a principal the address does."""
    network, local = network_of(address)
    return Payer(f"address {network}" if principal is None else principal, network, local)
