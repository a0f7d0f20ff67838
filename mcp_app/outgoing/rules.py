"""Where what goes out may go, as one value. Pure: nothing is resolved or connected to here."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from .addresses import Address, Network, refusal

WEB_PORTS = frozenset({80, 443})
"""What a web server listens on. A caller that could choose any port would have a port scanner."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Where connections may go, and whom to ask for addresses. Left as it is: web servers of the public internet.

    `allow_private` opens private, loopback, link-local, unique local and carrier-grade NAT addresses, `allow_networks`
    exactly the listed networks; neither opens the metadata services of clouds. `ports` are the only ports. `nameserver`
    is the DNS resolver, address and port; None for the system's (/etc/resolv.conf). `dns_seconds` bounds one question,
    with all its repetitions.
    """

    allow_private: bool = False
    allow_networks: tuple[Network, ...] = ()
    ports: Container[int] = WEB_PORTS
    nameserver: tuple[str, int] | None = None
    dns_seconds: float = 4.0

    def refusal(self, address: Address) -> str | None:
        """Why nobody may connect to the address, as in "a loopback address"; None if they may."""
        return refusal(address, allow_private=self.allow_private, allow_networks=self.allow_networks)
