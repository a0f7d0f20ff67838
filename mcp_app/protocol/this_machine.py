"""Whether a host is this machine: by its name, or by an address that nobody else can reach.

Pure: no name is looked up. What follows from it is decided elsewhere.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address


def is_this_machine(host: str) -> bool:
    """Whether it is localhost or a loopback address; IPv6 without brackets. Any other name may lead anywhere."""
    if host.lower() == "localhost":
        return True
    try:
        return unmapped(ip_address(host)).is_loopback
    except ValueError:
        return False


def unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4 address as that also where a socket of both families has mapped it (RFC 4291, 2.5.5.2)."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
