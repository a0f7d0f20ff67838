"""Checks the local address, Host, Origin and Sec-Fetch-Site, before anybody is asked who calls.

A page in a browser has access to loopback addresses. The Host check stops a page whose name was rebound to 127.0.0.1
(DNS rebinding), the Origin check a page of another site, and the Sec-Fetch-Site check the requests that a browser sends
without an Origin (an image, a link). Credentials are not checked here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from ..config.settings import Settings
from ..protocol.errors import AnonymousNotAllowed, CrossSiteNotAllowed, HostNotAllowed, OriginNotAllowed
from ..protocol.this_machine import is_this_machine, unmapped
from .messages import Request

MAX_AUTHORITY_CHARS = 260
"""A name of 253 characters (RFC 1035, 2.3.4), a colon and a port. Anything longer is not a host, and is not cached."""

_CACHE_SIZE = 256
"""Size of the caches of parsed hosts and origins: clients send the same ones with every request."""

Origin = tuple[str, str, int]

_PORTS = {"http": 80, "https": 443}

_HOST_AND_PORT = re.compile(r"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?", re.ASCII)
"""A name, an IPv4 address or an IPv6 address in brackets. No user information, and no characters that a URL parser
silently removes: such checks are bypassed with values that two parsers read differently."""

_ALLOWED_METHODS = "GET, HEAD, POST, DELETE, OPTIONS"
_ALLOWED_HEADERS = (
    "Accept, Cache-Control, Content-Type, Idempotency-Key, Last-Event-ID, Mcp-Method, Mcp-Name, MCP-Protocol-Version, "
    "Mcp-Session-Id"
)
_FIELD_NAME = re.compile(r"(?!\*\Z)[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", re.ASCII)
"""A token (RFC 9110, 5.6.2), and not the wildcard, which would allow what nobody has asked for."""

MAX_ASKED_FIELDS = 64
"""Field names that a preflight may ask for: more than a request has, and what is sent back stays small."""

_EXPOSED_HEADERS = (
    "Accept-Ranges, Allow, Content-Disposition, Content-Range, ETag, Location, Mcp-Session-Id, RateLimit, "
    "RateLimit-Policy, Retry-After, WWW-Authenticate"
)
_PREFLIGHT_SECONDS = "600"  # Chromium's maximum is 7200; with ten minutes a changed setting takes effect soon


class Guard:
    """The access policy of one server, from its settings."""

    def __init__(self, settings: Settings, *, credentials: bool = False) -> None:
        """`credentials`: callers are asked who they are, and a page of a listed origin may send cookies."""
        self._credentials: tuple[tuple[str, str], ...] = (
            (("Access-Control-Allow-Credentials", "true"),) if credentials else ()
        )
        public = urlsplit(str(settings.public_url)) if settings.public_url is not None else None
        self._public_origin = _origin(public.scheme, public.netloc) if public else None
        self._hosts = frozenset(filter(None, map(_authority, settings.allowed_hosts)))
        if public and (authority := _authority(public.netloc)):
            self._hosts |= {(authority[0], None)}
        self._allow_anonymous = settings.allow_anonymous
        self._allowed_origins = frozenset(filter(None, map(_parse_origin, settings.allowed_origins)))
        self.allows_origins = bool(self._allowed_origins)
        """Whether pages of other origins may call: without any no answer has a field about that."""

    def check_address(self, request: Request) -> None:
        """Raises AnonymousNotAllowed.

        The address is the local one of the connection: however the server was started, by our command or Hypercorn's,
        other machines are served only if the setting allows it.
        """
        address = request.server[0]
        if not self._allow_anonymous and not _is_this_machine(address):
            raise AnonymousNotAllowed("This server asks nobody who they are, and serves this machine only.")

    def check_host(self, request: Request, *, addresses: bool = False) -> None:
        """Raises HostNotAllowed. With `addresses` every IP address is known: no name was rebound then."""
        host = request.headers.get("host", "")
        if not self._is_known_host(host) and not (addresses and _is_address(host)):
            raise HostNotAllowed(f"This server does not answer for the host {host[:100]!r}.")

    def check_origin(self, request: Request) -> None:
        """Raises OriginNotAllowed."""
        if not self.trusts_origin(request):
            origin = request.headers["origin"]
            raise OriginNotAllowed(f"Pages of the origin {origin[:100]!r} may not call this server.")

    def trusts_origin(self, request: Request) -> bool:
        """Whether no page says that it has sent this, or one that may call."""
        origin = request.headers.get("origin")
        return origin is None or self._is_trusted_origin(origin, request)

    def check_start(self, request: Request) -> None:
        """Called before a run is started. Raises CrossSiteNotAllowed.

        `same-site` is rejected as well: another port of localhost is the same site. A page of an allowed origin sends
        an Origin, which `check_origin` has already checked.
        """
        site = request.headers.get("sec-fetch-site", "none")
        if site not in {"none", "same-origin"} and "origin" not in request.headers:
            raise CrossSiteNotAllowed("A page of another site may not start a run.")

    def cors(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """The header fields that let pages of an allowed origin read the answer (Fetch, 3.3.3); none for others.

        What a page sends as Authorization it has been given; a cookie goes with whatever it asks for, and lends it all
        that its user may do. So cookies only where ours is one of them, and never where it is a proxy's alone.
        """
        if not self._allowed_origins:
            return ()
        origin = headers.get("origin", "")
        if _parse_origin(origin) not in self._allowed_origins:
            return (("Vary", "Origin"),)
        return (
            ("Vary", "Origin"),
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", _EXPOSED_HEADERS),
            *self._credentials,
        )

    def preflight(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """The additional header fields of an answer to OPTIONS.

        A page may send what it asks for: credentials for a proxy, the trace, what mirrors parameters (`Mcp-Param-*`),
        and whatever else a tool reads. None of it decides anything here.
        """
        if _parse_origin(headers.get("origin", "")) not in self._allowed_origins:
            return ()
        asked = headers.get("access-control-request-headers", "").split(",", MAX_ASKED_FIELDS)[:MAX_ASKED_FIELDS]
        names = [name for each in asked if _FIELD_NAME.fullmatch(name := each.strip(" \t"))]
        return (
            ("Access-Control-Allow-Methods", _ALLOWED_METHODS),
            ("Access-Control-Allow-Headers", ", ".join((_ALLOWED_HEADERS, *names))),
            ("Access-Control-Max-Age", _PREFLIGHT_SECONDS),
        )

    def _is_known_host(self, host: str) -> bool:
        authority = _authority(host)
        if authority is None:
            return False
        return _is_this_machine(authority[0]) or self._is_listed(authority)

    def _is_listed(self, authority: tuple[str, int | None]) -> bool:
        return authority in self._hosts or (authority[0], None) in self._hosts

    def _is_trusted_origin(self, origin: str, request: Request) -> bool:
        parsed = _parse_origin(origin)
        if parsed is None:
            return False
        if parsed in self._allowed_origins or parsed == self._public_origin:
            return True
        host = request.headers.get("host", "")
        if parsed == _origin(request.scheme, host):
            return True
        # Behind a proxy that ends TLS the pages of each listed host are https, and the connection is not.
        authority = _authority(host)
        return authority is not None and self._is_listed(authority) and parsed == _origin("https", host)


_is_this_machine = lru_cache(maxsize=_CACHE_SIZE)(is_this_machine)


def _is_address(host: str) -> bool:
    authority = _authority(host)
    try:
        return authority is not None and bool(ipaddress.ip_address(authority[0]))
    except ValueError:
        return False


def _canonical(name: str) -> str:
    """One spelling of a host: without the dot of the root (RFC 1034, 3.1), an address as its family writes it, an IPv4
    address as that also where it is mapped."""
    try:
        return str(unmapped(ipaddress.ip_address(name)))
    except ValueError:
        return name.removesuffix(".")


def _parse_origin(origin: str) -> Origin | None:
    scheme, separator, netloc = origin.partition("://")
    return _origin(scheme, netloc) if separator else None


def _origin(scheme: str, netloc: str) -> Origin | None:
    """(scheme, host, port) with the default port filled in (RFC 6454, 4); 0 for schemes without one (extensions)."""
    authority = _authority(netloc)
    if authority is None:
        return None
    scheme = scheme.lower()
    host, port = authority
    return scheme, host, _PORTS.get(scheme, 0) if port is None else port


def _authority(text: str) -> tuple[str, int | None] | None:
    """Parse `host[:port]` (RFC 9110, 7.2), the host in its one spelling; None for anything else."""
    return _parse_authority(text) if len(text) <= MAX_AUTHORITY_CHARS else None


@lru_cache(maxsize=_CACHE_SIZE)
def _parse_authority(text: str) -> tuple[str, int | None] | None:
    if not _HOST_AND_PORT.fullmatch(text):
        return None
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    return (_canonical(host), port) if host else None
