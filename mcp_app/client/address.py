"""The URL given on the command line, and the routes that follow from it. Pure: nothing is asked here.

A path that ends in `/` (or is empty) is the server's root: its manifest says where the event route is. Any other path
is the event route itself. Whatever a manifest says, requests go only to the host that the user named: the manifest's
path is taken and its host is not, so a server cannot have the user's headers sent elsewhere.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlsplit

from mcp_app.client.outcome import CallFailed, Status

# The key of the manifest's `_meta` is a name of the server's own with this ending (design.md, discovery).
_STREAMING = "/streaming"


@dataclass(frozen=True, slots=True)
class Address:
    """One http or https URL in parts. `path` begins with `/`."""

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
        """The host is this machine: only then is the development CA believed, and no proxy asked."""
        if self.host == "localhost" or self.host.endswith(".localhost"):  # RFC 6761, 6.3
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.path}" + (f"?{self.query}" if self.query else "")

    @property
    def root(self) -> str:
        return f"{self.scheme}://{self.netloc}/"

    def manifest(self) -> Address:
        return replace(self, path=f"{self.path}mcp.json", query="")

    def tools(self) -> Address:
        return self._sibling("tools")

    def run(self, run_id: str) -> Address:
        return self._sibling(f"runs/{quote(run_id, safe='')}")

    def _sibling(self, name: str) -> Address:
        return replace(self, path=self.path.rpartition("/")[0] + "/" + name, query="")


def parse_address(text: str) -> Address:
    """Raises CallFailed for what is not an http or https URL with a host, and for a user name or password in it."""
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
    """Where `manifest`, which was read from `root`, says that the event route is. Raises CallFailed if it does not."""
    meta = manifest.get("_meta")
    for key, value in meta.items() if isinstance(meta, Mapping) else []:
        events = value.get("events") if key.endswith(_STREAMING) and isinstance(value, Mapping) else None
        if isinstance(events, str):
            path = _path(events)
            if path is not None:
                return replace(root, path=path, query="")
    raise CallFailed(
        Status.UNREACHABLE,
        f'{root.manifest().url} names no event route (_meta["<name>/streaming"].events)',
        "Give the URL of the event route itself, such as …/api/v1/mcp/sse.",
    )


def _path(events: str) -> str | None:
    try:
        path = urlsplit(events).path
    except ValueError:
        return None
    return path if path.startswith("/") and not path.endswith("/") else None
