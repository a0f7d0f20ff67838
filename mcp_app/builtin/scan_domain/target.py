"""A URL that a scan may request, and the resolution of a redirect's Location. Pure: no socket, no DNS.

Whether a scan may connect to the *address* of the host is not decided here but by `mcp_app.outgoing`.
"""

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from urllib.parse import quote, urljoin, urlsplit

from mcp_app.builtin.scan_domain.domain_name import DomainNameError, normalise
from mcp_app.builtin.scan_domain.quoting import quoted

DEFAULT_PORTS = {"http": 80, "https": 443}

MAX_URL = 2048
"""Characters; a longer Location is not followed. RFC 9110, 4.1 recommends support for 8000, more than sites need."""

_UNTOUCHED = "%/:?=&;,+~!$'()*@[]"
"""Characters allowed unencoded in a path and query (RFC 3986, 3.3 and 3.4), and the `%` of existing encodings."""


class TargetRefused(ValueError):
    """The URL is not one that a scan requests; the message says why."""


@dataclass(frozen=True)
class Target:
    """One URL, in parts that are ready to be sent."""

    scheme: str
    host: str
    """A-labels, or an IP literal without brackets."""
    port: int
    path: str
    """Path and query, percent-encoded ASCII."""

    @property
    def authority(self) -> str:
        """For `Host` and for URLs: brackets around IPv6, the port only if it is not the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if DEFAULT_PORTS[self.scheme] == self.port else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def follow(base: Target, location: str, ports: frozenset[int]) -> Target:
    """Resolve the Location of an answer of `base` (RFC 9110, 10.2.2). Raises TargetRefused."""
    if len(location) > MAX_URL:
        raise TargetRefused(f"a Location of more than {MAX_URL} characters")
    try:
        parts = urlsplit(urljoin(base.url, location))
        port = parts.port
        host = parts.hostname or ""
    except ValueError as exc:
        raise TargetRefused("a Location that is not a URL") from exc
    if parts.scheme not in DEFAULT_PORTS:
        raise TargetRefused(f"the scheme {quoted(parts.scheme, 20)!r}")
    if parts.username is not None or parts.password is not None:
        raise TargetRefused("a URL with a user name")
    port = DEFAULT_PORTS[parts.scheme] if port is None else port
    if port not in ports:
        raise TargetRefused(f"port {port}")
    path = quote(parts.path or "/", safe=_UNTOUCHED)
    query = f"?{quote(parts.query, safe=_UNTOUCHED)}" if parts.query else ""
    return Target(parts.scheme, _host(host), port, path + query)


def _host(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        try:
            return normalise(host)
        except DomainNameError as exc:
            raise TargetRefused(f"a host that {exc}") from exc
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise TargetRefused("an address with a zone")
    return str(address)
