"""The addresses that the server gives out: what stands before a route's path for whoever called.

The one place that decides it, for header fields, bodies, events and documents. No header field of a request is asked:
whoever sends one could choose the address that others read (a cached document, a log).
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from ..config.settings import Settings
from .messages import Request


class Links:
    """Addresses below MCP_APP_PUBLIC_URL or, without one, below the address of the connection.

    The prefix is the path of MCP_APP_PUBLIC_URL, which a proxy takes off. Without a path there it is the `root_path` of
    the ASGI scope: where the application is mounted in another, or what a proxy leaves on.
    """

    def __init__(self, settings: Settings) -> None:
        public = urlsplit(str(settings.public_url)) if settings.public_url is not None else None
        self._origin = f"{public.scheme}://{public.netloc}" if public else None
        self._prefix = public.path.rstrip("/") if public else ""

    def path(self, request: Request, path: str) -> str:
        """The reference to the route `path` (RFC 3986, 4.2: an absolute path)."""
        return self._before(request) + path

    def base(self, request: Request) -> str:
        """The URL below which all routes are, without a slash at its end."""
        return (self._origin or _local(request)) + self._before(request)

    def _before(self, request: Request) -> str:
        return self._prefix or (_encoded(request.root_path) if request.root_path else "")


def _encoded(root_path: str) -> str:
    """A caller may have chosen a part of it, where the mount's path has a parameter: it can neither end a header field
    nor, by a second slash, name another host (RFC 3986, 4.2)."""
    inner = root_path.strip("/")
    return f"/{quote(inner, safe='/~')}" if inner else ""


def _local(request: Request) -> str:
    host, port = request.server
    netloc = f"[{host}]" if ":" in host else host
    return f"{request.scheme}://{netloc}:{port}" if port else f"{request.scheme}://{netloc}"
