"""Who may ask at all: Host, Origin and Sec-Fetch-Site, before anything else on every route.

A page that a browser shows runs with access to loopback: Host stops the one whose name was rebound to 127.0.0.1, Origin
the one of another site, Sec-Fetch-Site what a browser sends without an Origin (an image, a link). Credentials are not
looked at here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from ..config.settings import Settings
from ..protocol.errors import AnonymousNotAllowed, CrossSiteNotAllowed, HostNotAllowed, OriginNotAllowed
from .messages import Request

MAX_AUTHORITY_CHARS = 260
"""A name of 253 characters (RFC 1035, 2.3.4), a colon and a port. Longer is no host, and nothing to remember."""

_REMEMBERED = 256
"""Hosts and origins that are remembered with what they are: clients send the same one with every request."""

Origin = tuple[str, str, int]

_PORTS = {"http": 80, "https": 443}

_HOST_AND_PORT = re.compile(r"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?", re.ASCII)
"""A name, an IPv4 address or an IPv6 address in brackets. Neither user information nor what a URL parser would quietly
leave out: two readings of one value are how such checks are passed."""

_ALLOWED_METHODS = "GET, HEAD, POST, DELETE, OPTIONS"
_ALLOWED_HEADERS = (
    "Accept, Cache-Control, Content-Type, Last-Event-ID, Mcp-Method, Mcp-Name, MCP-Protocol-Version, Mcp-Session-Id"
)
_PARAM_HEADER = re.compile(r"mcp-param-[!#$%&'*+.^_`|~0-9a-z-]+", re.ASCII)  # which there are, the tools say
_EXPOSED_HEADERS = "Allow, Location, Mcp-Session-Id, Retry-After"
_PREFLIGHT_SECONDS = "600"  # Chromium's own limit is 7200; ten minutes let a changed setting take hold soon


class Guard:
    """The policy of one server, from its settings."""

    def __init__(self, settings: Settings) -> None:
        public = urlsplit(str(settings.public_url)) if settings.public_url is not None else None
        self._public_host = public.hostname if public else None
        self._public_origin = _origin(public.scheme, public.netloc) if public else None
        self._allow_anonymous = settings.allow_anonymous
        self._listed = frozenset(filter(None, map(_parsed, settings.allowed_origins)))

    def check_host(self, request: Request) -> None:
        """Raises AnonymousNotAllowed or HostNotAllowed.

        The address is that of our own end of the connection: whoever starts the server, by our command or by
        Hypercorn's, nobody beyond this machine is served who was not meant to be.
        """
        address = request.server[0]
        if not self._allow_anonymous and address != "localhost" and not _is_loopback(address):
            raise AnonymousNotAllowed("This server asks nobody who they are, and serves this machine only.")
        host = request.headers.get("host", "")
        if not self._knows(host):
            raise HostNotAllowed(f"This server does not answer for the host {host[:100]!r}.")

    def check_origin(self, request: Request) -> None:
        """Raises OriginNotAllowed."""
        origin = request.headers.get("origin")
        if origin is not None and not self._trusts(origin, request):
            raise OriginNotAllowed(f"Pages of the origin {origin[:100]!r} may not call this server.")

    def check_start(self, request: Request) -> None:
        """Asked before a run is started. Raises CrossSiteNotAllowed.

        `same-site` is refused as well: another port of localhost is the same site. A page whose origin is allowed
        says so in its Origin, which `check_origin` has seen.
        """
        site = request.headers.get("sec-fetch-site", "none")
        if site not in {"none", "same-origin"} and "origin" not in request.headers:
            raise CrossSiteNotAllowed("A page of another site may not start a run.")

    def cors(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """The fields that let a page of a listed origin read the answer (Fetch, 3.3.3): none for all others."""
        if not self._listed:
            return ()
        origin = headers.get("origin", "")
        if _parsed(origin) not in self._listed:
            return (("Vary", "Origin"),)
        return (
            ("Vary", "Origin"),
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", _EXPOSED_HEADERS),
        )

    def preflight(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """The further fields of an answer to OPTIONS."""
        if _parsed(headers.get("origin", "")) not in self._listed:
            return ()
        asked = headers.get("access-control-request-headers", "").lower().replace(" ", "").split(",")
        parameters = [name for name in asked if _PARAM_HEADER.fullmatch(name)]
        return (
            ("Access-Control-Allow-Methods", _ALLOWED_METHODS),
            ("Access-Control-Allow-Headers", ", ".join((_ALLOWED_HEADERS, *parameters))),
            ("Access-Control-Max-Age", _PREFLIGHT_SECONDS),
        )

    def _knows(self, host: str) -> bool:
        authority = _authority(host)
        if authority is None:
            return False
        name, _ = authority
        return name in {"localhost", self._public_host} or _is_loopback(name)

    def _trusts(self, origin: str, request: Request) -> bool:
        asked = _parsed(origin)
        if asked is None:
            return False
        own = _origin(request.scheme, request.headers.get("host", ""))
        return asked in self._listed or asked == own or asked == self._public_origin


@lru_cache(maxsize=_REMEMBERED)
def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _parsed(origin: str) -> Origin | None:
    scheme, separator, netloc = origin.partition("://")
    return _origin(scheme, netloc) if separator else None


def _origin(scheme: str, netloc: str) -> Origin | None:
    """(scheme, host, port), the port written out (RFC 6454, 4); 0 where the scheme has none, as an extension's."""
    authority = _authority(netloc)
    if authority is None:
        return None
    scheme = scheme.lower()
    host, port = authority
    return scheme, host, _PORTS.get(scheme, 0) if port is None else port


def _authority(text: str) -> tuple[str, int | None] | None:
    """Host in lower case, and port: of nothing but those two (RFC 9110, 7.2); None for anything else."""
    return _read_authority(text) if len(text) <= MAX_AUTHORITY_CHARS else None


@lru_cache(maxsize=_REMEMBERED)
def _read_authority(text: str) -> tuple[str, int | None] | None:
    if not _HOST_AND_PORT.fullmatch(text):
        return None
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    return (host, port) if host else None
