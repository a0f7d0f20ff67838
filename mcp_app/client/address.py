"""The URL argument, and the routes derived from it. Pure: no request is sent here.

A path that ends in `/` (or is empty) is the server's root, whose manifest names the event route. Any other path is the
event route itself. Requests go only to the host that the user named: of a manifest's URL only the path is used, so a
server cannot redirect the user's header fields to another host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlsplit

from mcp_app.client.outcome import CallFailed, Status
from mcp_app.protocol.this_machine import is_this_machine

# The manifest's `_meta` key is derived from the server's own name and has this suffix (manifest/metakey.py).
_STREAMING = "/streaming"

_MCP = "/mcp"
"""The route of MCP, which is directly below the server's root (manifest/paths.py)."""


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed http or https URL. `path` begins with `/`."""

    scheme: str
    host: str
    netloc: str
    path: str
    query: str = ""

    @property
    def is_root(self) -> bool:
        return self.path.endswith("/")

    @property
    def is_loopback(self) -> bool:
        """The host is this machine. Only then is the development CA trusted and no proxy used."""
        return is_this_machine(self.host) or self.host.endswith(".localhost")  # RFC 6761, 6.3

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def url(self) -> str:
        return self.at(self.target)

    def at(self, target: str) -> str:
        """The URL of another path and query at the same host."""
        return f"{self.scheme}://{self.netloc}{target}"

    @property
    def root(self) -> str:
        return self.at("/")

    def of_host(self) -> Address:
        """The root of the host."""
        return replace(self, path="/", query="")

    def manifest(self) -> Address:
        return replace(self, path=f"{self.path}mcp.json", query="")

    def tools(self) -> Address:
        return self._sibling("tools")

    def run(self, run_id: str) -> Address:
        return self._sibling(f"runs/{quote(run_id, safe='')}")

    def runs(self) -> Address:
        return self._sibling("runs")

    def events(self, run_id: str) -> Address:
        return self._sibling(f"runs/{quote(run_id, safe='')}/events")

    def _sibling(self, name: str) -> Address:
        return replace(self, path=self.path.rpartition("/")[0] + "/" + name, query="")


def parse_address(text: str) -> Address:
    """Raises CallFailed unless `text` is an http or https URL with a host and without user name or password."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise CallFailed(Status.REFUSED, f"{text!r} is not a URL: {error}", _EXAMPLE) from None
    if parts.scheme not in ("http", "https") or not host:
        raise CallFailed(Status.REFUSED, f"{text!r} is not an http or https URL", _EXAMPLE)
    if "@" in parts.netloc:
        raise CallFailed(
            Status.REFUSED, "the URL contains a user name or password", "Send credentials by --header instead."
        )
    netloc = f"[{host}]" if ":" in host else host
    if port is not None:
        netloc += f":{port}"
    return Address(parts.scheme, host, netloc, parts.path or "/", parts.query)


_EXAMPLE = "Give the server's root, such as https://localhost:8443/, or its event route."


def event_route(root: Address, manifest: Mapping[str, Any]) -> Address:
    """The event route named by `manifest`, which was read from `root`. Raises CallFailed if it names none."""
    prefix = _prefix(manifest.get("endpoint"))
    meta = manifest.get("_meta")
    for key, value in meta.items() if isinstance(meta, Mapping) else []:
        events = value.get("events") if key.endswith(_STREAMING) and isinstance(value, Mapping) else None
        if isinstance(events, str):
            path = _path(events)
            if path is not None:
                below = path.removeprefix(f"{prefix}/") if path.startswith(f"{prefix}/") else None
                return replace(root, path=path if below is None else root.path + below, query="")
    raise CallFailed(
        Status.UNREACHABLE,
        f'{root.manifest().url} names no event route (_meta["<name>/streaming"].events)',
        "Give the URL of the event route itself, such as …/api/v1/mcp/sse.",
    )


def _prefix(endpoint: object) -> str | None:
    """The path below which the manifest's writer has all routes: it may be a proxy's, and not that of this root."""
    path = _path(endpoint) if isinstance(endpoint, str) else None
    return path.removesuffix(_MCP) if path is not None and path.endswith(_MCP) else None


def _path(events: str) -> str | None:
    try:
        path = urlsplit(events).path
    except ValueError:
        return None
    return path if path.startswith("/") and not path.endswith("/") else None
