"""The contents of the discovery documents: the server card, and the additions for each kind of client.

The standard's card has no additions: members that a closed future schema would refuse are only in the other documents.
Every URL is built from a base argument (the public URL, or the server's own loopback URL), never from a request.
Nothing is announced that the live server does not report. No bytes and no header fields here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from ..authoring.metadata import Metadata
from .explain import ManifestError
from .manifest import Manifest
from .paths import CARD_PATH

CARD_TYPE = "application/mcp-server-card+json"
CATALOG_TYPE = "application/ai-catalog+json"

CATALOG_VERSION = "1.0"
"""`specVersion` of the AI Catalog: "Major.Minor"."""

_IMPLEMENTATION = ("name", "version", "title", "description", "icons", "websiteUrl")

SSE_REVISION = "2024-11-05"
"""The only revision whose transport is not Streamable HTTP: it has a remote of another type."""


class Facts(Protocol):
    """A resource or a prompt, as in `mcp_app.authoring`: its entry in MCP's list, and what may be added to it."""

    @property
    def metadata(self) -> Metadata: ...
    @property
    def scopes(self) -> frozenset[str]: ...
    def wire(self) -> dict[str, Any]: ...


class ToolFacts(Protocol):
    """The listed attributes of a tool, as in `mcp_app.authoring.tool.Tool`. Schemas are JSON Schema 2020-12."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def input_schema(self) -> Mapping[str, Any]: ...
    @property
    def output_schema(self) -> Mapping[str, Any] | None: ...
    @property
    def read_only(self) -> bool: ...
    @property
    def destructive(self) -> bool: ...
    @property
    def idempotent(self) -> bool: ...
    @property
    def open_world(self) -> bool: ...
    @property
    def metadata(self) -> Metadata: ...
    @property
    def scopes(self) -> frozenset[str]: ...


class LiveServer(NamedTuple):
    """The state of the live server that is not in mcp.json, as one caller is shown it. Seconds are the defaults of a
    call."""

    tools: Sequence[ToolFacts]
    heartbeat_seconds: float
    cap_seconds: float
    revisions: Sequence[str] = ()
    """The supported MCP revisions, newest first; may be empty."""
    resources: Sequence[Facts] = ()
    templates: Sequence[Facts] = ()
    prompts: Sequence[Facts] = ()
    instructions: str | None = None
    """For the models that use the server."""
    asks: bool = False
    """Whether callers are asked who they are."""
    lets_in: bool = False
    """Whether who shows no credentials may call what needs no scope, all the same."""


def server_card(manifest: Manifest, live: LiveServer, base: str) -> dict[str, Any]:
    """Server card v1, with no members outside of its schema."""
    card = manifest.card.as_json()
    meta = card.pop("_meta", {})
    remotes = _remotes(manifest, live, base)
    if remotes:
        card["remotes"] = remotes
    card["_meta"] = {**meta, manifest.meta_key: _streaming(manifest, live, base)}
    return card


def plain_manifest(manifest: Manifest, live: LiveServer, base: str) -> dict[str, Any]:
    """The card, and the `mcpServers` entry that users copy into a client's configuration."""
    card = server_card(manifest, live, base) | _instructions(live)
    if _streamable(live):
        endpoint = absolute(base, manifest.mcp_path)
        short = manifest.card.name.partition("/")[2]
        card["mcpServers"] = {short: {"type": "http", "url": endpoint}}
        card["endpoint"] = endpoint
    return card


def listing(manifest: Manifest, live: LiveServer, base: str) -> dict[str, Any]:
    """The card, and what scanners list without calling the server: what it offers, and whether callers are asked who
    they are."""

    def entries(items: Sequence[Facts]) -> list[dict[str, Any]]:
        return [item.wire() | item.metadata.wire(manifest.namespace, item.scopes) for item in items]

    return {
        **server_card(manifest, live, base),
        **_instructions(live),
        "serverInfo": server_info(manifest),
        "authentication": {"required": live.asks and not live.lets_in, "schemes": ["bearer"] if live.asks else []},
        "tools": [tool_entry(tool) | tool.metadata.wire(manifest.namespace, tool.scopes) for tool in live.tools],
        "resources": entries(live.resources),
        "resourceTemplates": entries(live.templates),
        "prompts": entries(live.prompts),
    }


def _instructions(live: LiveServer) -> dict[str, str]:
    return {} if live.instructions is None else {"instructions": live.instructions}


def server_info(manifest: Manifest) -> dict[str, Any]:
    """MCP's `Implementation`, with all that its newest revision knows."""
    card = manifest.card.as_json()
    return {name: card[name] for name in _IMPLEMENTATION if name in card}


def catalog(manifest: Manifest, base: str) -> dict[str, Any]:
    """AI Catalog 1.0 with one entry. Name and description are in the card only, so they cannot diverge."""
    namespace, _, name = manifest.card.name.partition("/")
    publisher = ".".join(reversed(namespace.split(".")))
    # No `mcp` in between: the catalog's drafts interpret a third segment as namespace, as name or as kind. Two segments
    # have the same meaning in all drafts, and in the server card's discovery.md.
    entry = {"identifier": f"urn:air:{publisher}:{name}", "type": CARD_TYPE, "url": absolute(base, CARD_PATH)}
    return {"specVersion": CATALOG_VERSION, "entries": [entry]}


def absolute(base: str, path: str) -> str:
    """The URL of `path` below `base`. Raises ManifestError if `base` may not appear in a public document."""
    try:
        parts = urlsplit(base)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is not a number, an IPv6 address without its bracket
        usable = False
    if not usable or not base.isprintable() or any(mark in base for mark in " ?#@{}"):
        # The value is not repeated: it may contain a password before an @.
        raise ManifestError("public URL", "", "expected http(s)://host[:port][/path] without user, query and fragment")
    return base.rstrip("/") + path


def _streaming(manifest: Manifest, live: LiveServer, base: str) -> dict[str, Any]:
    return {
        "events": absolute(base, manifest.events_path),
        "tools": absolute(base, manifest.tools_path),
        "runs": absolute(base, manifest.runs_path),
        "tickets": absolute(base, manifest.tickets_path),
        "responseTypes": ["text/event-stream", "application/json"],
        "heartbeatSeconds": _number(live.heartbeat_seconds),
        "maxStreamSeconds": _number(live.cap_seconds),
    }


def _streamable(live: LiveServer) -> list[str]:
    return [revision for revision in live.revisions if revision != SSE_REVISION]


def _remotes(manifest: Manifest, live: LiveServer, base: str) -> list[dict[str, Any]]:
    remotes: list[dict[str, Any]] = []
    streamable = _streamable(live)
    if streamable:
        url = absolute(base, manifest.mcp_path)
        remotes.append({"type": "streamable-http", "url": url, "supportedProtocolVersions": streamable})
    if SSE_REVISION in live.revisions:
        url = absolute(base, manifest.events_path)
        remotes.append({"type": "sse", "url": url, "supportedProtocolVersions": [SSE_REVISION]})
    return remotes


def tool_entry(tool: ToolFacts) -> dict[str, Any]:
    """As in MCP's tools/list, in the newest revision, without its metadata. An empty title or description is omitted.

    All four hints are always there: clients have other defaults than the specification, and ChatGPT's directory refuses
    a server that leaves one out.
    """
    entry: dict[str, Any] = {"name": tool.name, "title": tool.title, "description": tool.description}
    entry = {name: text for name, text in entry.items() if text}
    entry["inputSchema"] = dict(tool.input_schema)
    if tool.output_schema is not None:
        entry["outputSchema"] = dict(tool.output_schema)
    entry["annotations"] = {
        "readOnlyHint": tool.read_only,
        "destructiveHint": tool.destructive,
        "idempotentHint": tool.idempotent,
        "openWorldHint": tool.open_world,
    }
    return entry


def _number(seconds: float) -> float | int:
    """15 instead of 15.0, which some JSON viewers show verbatim."""
    return int(seconds) if float(seconds).is_integer() else seconds
