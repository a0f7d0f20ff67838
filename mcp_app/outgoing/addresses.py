"""Which IP addresses a tool may connect to. Pure: addresses in, a reason or None out; no socket, no DNS.

Tools connect to names that callers choose, so every address that is not a public unicast address is refused:
otherwise a name that resolves to 127.0.0.1 or to a cloud's metadata service would allow SSRF.
The tables follow the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its updates). They are
written out because `ipaddress.is_global` differs between Python versions (gh-113171).
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Special(NamedTuple):
    """One block that is not the public internet."""

    network: Network
    what: str
    intranet: bool
    """True where an intranet's own hosts live: the setting `allow_private` opens exactly these."""


SPECIAL_V4 = (
    Special(IPv4Network("0.0.0.0/8"), "an address of this host (RFC 1122)", False),
    Special(IPv4Network("10.0.0.0/8"), "a private address (RFC 1918)", True),
    Special(IPv4Network("100.64.0.0/10"), "a carrier-grade NAT address (RFC 6598)", True),
    Special(IPv4Network("127.0.0.0/8"), "a loopback address", True),
    Special(IPv4Network("169.254.0.0/16"), "a link-local address (RFC 3927)", True),
    Special(IPv4Network("172.16.0.0/12"), "a private address (RFC 1918)", True),
    Special(IPv4Network("192.0.0.0/24"), "an IETF protocol assignment (RFC 6890)", False),
    Special(IPv4Network("192.0.2.0/24"), "a documentation address (RFC 5737)", False),
    Special(IPv4Network("192.88.99.0/24"), "a 6to4 relay address (RFC 7526)", False),
    Special(IPv4Network("192.168.0.0/16"), "a private address (RFC 1918)", True),
    Special(IPv4Network("198.18.0.0/15"), "a benchmarking address (RFC 2544)", False),
    Special(IPv4Network("198.51.100.0/24"), "a documentation address (RFC 5737)", False),
    Special(IPv4Network("203.0.113.0/24"), "a documentation address (RFC 5737)", False),
    Special(IPv4Network("224.0.0.0/4"), "a multicast address", False),
    Special(IPv4Network("240.0.0.0/4"), "a reserved address (RFC 1112)", False),
)

SPECIAL_V6 = (
    Special(IPv6Network("::1/128"), "a loopback address", True),
    Special(IPv6Network("fc00::/7"), "a unique local address (RFC 4193)", True),
    Special(IPv6Network("fe80::/10"), "a link-local address (RFC 4291)", True),
    Special(IPv6Network("ff00::/8"), "a multicast address", False),
    # Holds Teredo (2001::/32), ORCHID and benchmarking: none of them is a web server's address.
    Special(IPv6Network("2001::/23"), "an IETF protocol assignment (RFC 2928)", False),
    Special(IPv6Network("2001:db8::/32"), "a documentation address (RFC 3849)", False),
    Special(IPv6Network("3fff::/20"), "a documentation address (RFC 9637)", False),
)

GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")
"""The only IPv6 space from which public addresses are handed out (RFC 4291, 2.4); the rest is refused by default."""

METADATA: tuple[Network, ...] = (
    IPv4Network("169.254.169.254/32"),  # AWS, Azure, Google, DigitalOcean, OpenStack
    IPv4Network("169.254.169.253/32"),  # AWS: DNS of the VPC
    IPv4Network("169.254.170.0/24"),  # AWS: credentials of ECS tasks and EKS pods
    IPv4Network("100.100.100.200/32"),  # Alibaba
    IPv4Network("192.0.0.192/32"),  # Oracle
    IPv4Network("168.63.129.16/32"),  # Azure: wire server, an address of the public space
    IPv6Network("fd00:ec2::/64"),  # AWS: ::254 metadata, ::253 DNS, ::23 EKS
    IPv6Network("fd20:ce::254/128"),  # Google
)
"""Addresses at which clouds serve credentials. Refused even when private addresses are allowed."""


def embedded_v4(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address embedded in an IPv6 address, to which its packets would finally go; None without one.

    IPv4-mapped (RFC 4291, 2.5.5.2), the NAT64 well-known prefix (RFC 6052, 2.1), 6to4 (RFC 3056, 2) and the
    interface identifiers of ISATAP (RFC 5214, 6.1). Teredo is refused as a whole, see `SPECIAL_V6`.
    """
    number = int(address)
    if address in IPv6Network("::ffff:0:0/96") or address in IPv6Network("64:ff9b::/96"):
        return IPv4Address(number & 0xFFFF_FFFF)
    if address in IPv6Network("2002::/16"):
        return IPv4Address((number >> 80) & 0xFFFF_FFFF)
    # The bit 0x0200 marks the embedded address as globally unique; ISATAP addresses may have it set or not.
    if (number >> 32) & 0xFDFF_FFFF == 0x0000_5EFE:
        return IPv4Address(number & 0xFFFF_FFFF)
    return None


def refusal(address: Address, *, allow_private: bool = False, allow_networks: Sequence[Network] = ()) -> str | None:
    """Why nobody may connect to `address`, or None when it may.

    `allow_private` opens private, loopback, link-local, unique local and carrier-grade NAT addresses;
    `allow_networks` opens exactly the listed networks. Neither opens metadata services.
    """
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "an address with a zone"  # it names an interface of this host, never a server on the internet
    if any(address in network for network in METADATA):
        return "a cloud metadata address"
    inner = embedded_v4(address) if isinstance(address, IPv6Address) else None
    if inner is not None:
        reason = refusal(inner, allow_private=allow_private, allow_networks=allow_networks)
        if reason is not None:
            return f"{reason}, carried inside an IPv6 address"
    if any(address in network for network in allow_networks):
        return None
    return _special(address, allow_private, carries_v4=inner is not None)


def _special(address: Address, allow_private: bool, *, carries_v4: bool) -> str | None:
    for row in SPECIAL_V4 if isinstance(address, IPv4Address) else SPECIAL_V6:
        if address in row.network:
            return None if row.intranet and allow_private else row.what
    if isinstance(address, IPv6Address) and not carries_v4 and address not in GLOBAL_UNICAST_V6:
        return "not a global unicast address (RFC 4291)"
    return None
