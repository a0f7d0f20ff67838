"""The servers that are measured: the table, and nothing that starts or measures them.

A server is one entry. What it needs is in environments.toml, its program in programs/; the doors say what it speaks
where, and which works make sense there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .dialects import MCP, MCP_2025, PLAIN, TUTORIAL, Dialect

LOAD = frozenset({"echo", "ten events", "long stream", "first event"})
BASIC = frozenset({"echo", "ten events"})
STREAMS = LOAD - {"echo"}
ALL = LOAD | {"beside a flood", "stalled reader", "idle"}
MANY = ALL | {"idle, 4,000"}
"""Four thousand streams take seconds to open: only where a target or the stack asks for it."""


@dataclass(frozen=True)
class Door:
    """One way into a server."""

    name: str
    """h1: HTTP/1.1 in the clear; h2: HTTP/2 over TLS; with the dialect in front where a server has two."""
    dialect: Dialect
    works: frozenset[str]

    @property
    def tls(self) -> bool:
        return self.name.endswith("h2")


@dataclass(frozen=True)
class Server:
    """One entry. In `command`: {run} the interpreter, {port} and {tls_port}, {config} its hypercorn.toml, {program}."""

    name: str
    what: str
    environment: str
    command: str
    doors: tuple[Door, ...]
    program: str = ""
    """A file of programs/ that must lie in the environment (Node.js looks for packages from there)."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Environment variables."""
    hypercorn: Mapping[str, str] = field(default_factory=dict)
    """What its hypercorn.toml says besides addresses and certificate, as TOML values."""
    warm_seconds: float = 0.4
    """Load before anything is measured."""

    def logging(self) -> Server | None:
        """The same with the access log that it comes with; None for a server that has none, as those of Node.js."""
        if self.hypercorn:
            return replace(self, hypercorn={**self.hypercorn, "accesslog": '"-"', "loglevel": '"INFO"'})
        return replace(self, command=self.command.replace(_SILENT, "")) if _SILENT in self.command else None


_SILENT = " --no-access-log --log-level warning"
_UVICORN = "{run} -m uvicorn --host 127.0.0.1 --port {port} --loop uvloop --http httptools" + _SILENT + " "
_HYPERCORN = "{run} -m hypercorn -c {config} "
_OURS = "{run} -m mcp_app serve --bind 127.0.0.1:{tls_port} --insecure-bind 127.0.0.1:{port} {programs}/ours_tools.py"
_UVLOOP = {"worker_class": '"uvloop"', "accesslog": '""', "loglevel": '"WARNING"'}
_LIKE_OURS = {
    "worker_class": '"uvloop"',
    "workers": "0",
    "backlog": "2048",
    "keep_alive_timeout": "3600",
    "keep_alive_max_requests": "1000000000",
    "h2_max_concurrent_streams": "2000",
    "loglevel": '"WARNING"',
}
"""Hypercorn's own default ends a connection after 1,000 requests, which would end the load, too."""

_NODE_WARM = 2.0
"""For each door and kind of call: without it, its compiler still works (826 against 341 µs a call)."""

SERVERS: tuple[Server, ...] = (
    Server(
        "mcp_app",
        "this server as it comes: with uvloop, as its peers",
        "mcp_app",
        _OURS,
        (
            Door("h1", MCP, MANY),
            Door("h2", MCP, MANY),
            Door("plain h1", PLAIN, STREAMS),
            Door("plain h2", PLAIN, STREAMS),
        ),
        hypercorn=_UVLOOP,
    ),
    Server(
        "mcp-json",
        "official Python SDK on uvicorn, json_response",
        "mcp",
        _UVICORN + "official_sdk:as_json",
        (Door("h1", MCP, frozenset({"echo"})),),
    ),
    Server(
        "mcp-sse",
        "official Python SDK on uvicorn, event streams",
        "mcp",
        _UVICORN + "official_sdk:as_stream",
        (Door("h1", MCP, MANY),),
    ),
    Server(
        "mcp-hypercorn-json",
        "official Python SDK on Hypercorn, json_response",
        "mcp-hypercorn",
        _HYPERCORN + "official_sdk:as_json",
        (Door("h2", MCP, frozenset({"echo"})),),
        hypercorn=_LIKE_OURS,
    ),
    Server(
        "mcp-hypercorn-sse",
        "official Python SDK on Hypercorn, event streams",
        "mcp-hypercorn",
        _HYPERCORN + "official_sdk:as_stream",
        (Door("h2", MCP, ALL),),
        hypercorn=_LIKE_OURS,
    ),
    Server(
        "tutorial",
        "the tutorial's FastAPI code on uvicorn; no MCP",
        "tutorial",
        _UVICORN + "tutorial_app:app",
        (Door("h1", TUTORIAL, ALL - {"echo"}),),
    ),
    Server(
        "bare",
        "the ceiling: bare ASGI on Hypercorn, checks nothing",
        "bare",
        _HYPERCORN + "bare_asgi:app",
        (Door("h1", MCP, MANY), Door("h2", MCP, MANY)),
        hypercorn=_LIKE_OURS,
    ),
    Server(
        "mcp_app-quart",
        "the same without the lane: every request goes Quart's way",
        "mcp_app",
        _OURS.replace("-m mcp_app", "{programs}/ours_by_door.py / quart"),
        (Door("h1", MCP, BASIC), Door("h2", MCP, BASIC)),
        hypercorn=_UVLOOP,
    ),
    Server(
        "mcp_app-asyncio",
        "the same on asyncio's own loop",
        "mcp_app",
        _OURS,
        (Door("h1", MCP, BASIC | {"idle"}), Door("h2", MCP, BASIC | {"idle"})),
        hypercorn={**_UVLOOP, "worker_class": '"asyncio"'},
    ),
    Server("fastmcp", "fastmcp on uvicorn", "fastmcp", _UVICORN + "fastmcp_app:app", (Door("h1", MCP, ALL),)),
    Server(
        "ts-v1",
        "official TypeScript SDK, version 1, stateless",
        "ts-v1",
        "{run} {program} {port}",
        (Door("h1", MCP_2025, ALL),),
        program="ts_v1.mjs",
        warm_seconds=_NODE_WARM,
    ),
    Server(
        "ts-v2",
        "official TypeScript SDK, version 2",
        "ts-v2",
        "{run} {program} {port}",
        (Door("h1", MCP, ALL),),
        program="ts_v2.mjs",
        warm_seconds=_NODE_WARM,
    ),
    Server(
        "sse-starlette",
        "the tutorial's events by sse-starlette on uvicorn; no MCP",
        "sse-starlette",
        _UVICORN + "sse_starlette_app:app",
        (Door("h1", TUTORIAL, ALL - {"echo"}),),
    ),
)
"""In the order they are measured in: what a target compares with ours comes soon after it, on a machine that drifts."""


def named(names: list[str]) -> list[Server]:
    """Those of the table, in its order; all for no names. Raises ValueError for a name that is not in it."""
    if unknown := set(names) - {each.name for each in SERVERS}:
        raise ValueError(f"no server {', '.join(sorted(unknown))}; there are {', '.join(e.name for e in SERVERS)}")
    return [each for each in SERVERS if not names or each.name in names]
