"""Settings of the tool `scan_domain`, from the environment: `MCP_APP_SCAN_…`. Only values; nothing is opened here."""

import re
from ipaddress import ip_address, ip_network
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, FilePath

from mcp_app import FromEnvironment, outgoing

Port = Annotated[int, Field(ge=1, le=65535)]


_WITH_PORT = re.compile(r"(?:\[([^\]]*)\]|([^:\[\]]*))(?::([0-9]{1,5}))?")
"""An IPv6 address in brackets or an IPv4 address, and perhaps a port; a bare IPv6 address does not match."""


def _networks(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())


def _nameserver(value: object) -> object:
    """`127.0.0.1`, `127.0.0.1:5353`, `[::1]:5353` or `::1` -> (address, port)."""
    if not isinstance(value, str):
        return value
    with_port = _WITH_PORT.fullmatch(value)
    host, port = (with_port[1] or with_port[2], with_port[3] or "53") if with_port else (value, "53")
    return str(ip_address(host)), int(port)


class ScanSettings(FromEnvironment):
    """What a scan may reach and how long it may take. Times are in seconds, sizes in bytes."""

    environment_prefix: ClassVar[str] = "MCP_APP_SCAN_"

    allow_private: bool = False
    """Opens private, loopback, link-local and carrier-grade NAT addresses: for tests and intranets only."""

    allow_networks: Annotated[tuple[outgoing.Network, ...], BeforeValidator(_networks)] = ()
    """Opens only these networks (comma separated): safer for an intranet than opening all private addresses."""

    nameserver: Annotated[tuple[str, Port], BeforeValidator(_nameserver)] | None = None
    """The DNS resolver to ask, `address[:port]`; without it the system's own (/etc/resolv.conf)."""

    ca_file: FilePath | None = None
    """Additional trusted roots in PEM, for an intranet's own authority; the system's stay trusted."""

    http_port: Port = 80
    """The port for plain HTTP. Redirects may go to this port, `https_port`, 80 and 443 and to no other,
    so that a redirect cannot be used to probe a host's other services."""

    https_port: Port = 443
    """The port for TLS."""

    dns_seconds: Annotated[float, Field(gt=0, le=30)] = 4.0
    """Timeout of one DNS query, including all retries and nameservers."""

    fetch_seconds: Annotated[float, Field(gt=0, le=30)] = 6.0
    """Timeout of one HTTP request, from connecting to the last byte of the body."""

    step_seconds: Annotated[float, Field(gt=0, le=60)] = 12.0
    """Timeout of one step. All steps run concurrently, so this is about the duration of the longest scan: far below the
    120 seconds after which a stream ends."""

    max_body: Annotated[int, Field(ge=1024, le=8 * 1024 * 1024)] = 256 * 1024
    """Bytes read of one body, before and after decompression; without it an endless file would fill memory."""

    @property
    def rules(self) -> outgoing.Rules:
        """Where a scan's connections may go, and whom it asks for addresses."""
        return outgoing.Rules(self.allow_private, self.allow_networks, self.ports, self.nameserver, self.dns_seconds)

    @property
    def ports(self) -> frozenset[int]:
        """The only ports a scan connects to."""
        return frozenset({80, 443, self.http_port, self.https_port})
