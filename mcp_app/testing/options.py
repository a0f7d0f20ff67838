"""How a client under test calls: the options of `client(…)` and `with_options(…)`. Data, checked once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypedDict, get_args

from mcp_app import Access
from mcp_app.client.wire.plain import By
from mcp_app.client.wire.question import Question
from mcp_app.protocol.event import LEVELS, Level
from mcp_app.protocol.mcp.revisions import SESSION_REVISIONS, STATELESS

Era = Literal["plain", "2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]

HTTP_SSE: Era = "2024-11-05"
"""The revision whose own transport is HTTP+SSE, which is spoken for it: everything comes on one stream."""

ERAS: tuple[Era, ...] = get_args(Era)
"""The plain dialect, and every revision of MCP that is served, newest first: for `pytest.mark.parametrize`."""

Answering = Callable[[Question], Any] | Callable[[Question], Awaitable[Any]]

Reads = Literal["eagerly", "on_demand"]

ALL_CAPABILITIES: Mapping[str, Any] = {
    "elicitation": {"form": {}, "url": {}},
    "sampling": {"tools": {}},
    "roots": {},
}


_OF_PLAIN: Mapping[str, Any] = {"by": "post", "cap_seconds": None, "heartbeat_seconds": None}
"""The options that only the plain dialect has, with their defaults."""


class Options(TypedDict, total=False):
    """The keyword arguments of `client` and `with_options`; their meaning is that of `CallOptions`."""

    era: Era
    answer: Answering | None
    capabilities: Mapping[str, Any] | None
    by: By
    json: bool
    reads: Reads
    tasks: bool
    progress: bool
    cap_seconds: float | None
    heartbeat_seconds: float | None
    log_level: Level | None
    headers: Mapping[str, str]
    access: Access | None
    patience: float


@dataclass(frozen=True, slots=True)
class CallOptions:
    """How calls are made. Raises ValueError for a combination that no client can send."""

    era: Era = "plain"
    """The dialect, and the revision."""
    answer: Answering | None = None
    """Answers what a tool asks: a function of a `Question`, or a coroutine function. Without it the client declares
    that it cannot be asked."""
    capabilities: Mapping[str, Any] | None = None
    """What the client declares that it can be asked, in MCP's shape; by default all, or nothing without `answer`."""
    by: By = "post"
    """Plain dialect: "post"; "get", as an EventSource does, which can come back to a read-only tool's run; "detached",
    a run that goes on without its caller."""
    json: bool = False
    """Ask for one JSON answer, and no stream."""
    reads: Reads = "eagerly"
    """"on_demand": read only when an event is asked for, so that the tool runs into its window."""
    tasks: bool = False
    """MCP 2026-07-28: the client can follow tasks."""
    progress: bool = True
    """MCP: ask for progress. Without it a result may come as JSON, however late."""
    cap_seconds: float | None = None
    """Plain dialect: the cap that the call asks for."""
    heartbeat_seconds: float | None = None
    """Plain dialect: the quiet seconds before a heartbeat that the call asks for."""
    log_level: Level | None = "debug"
    """MCP: the least level of log messages that are asked for; None for no messages."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further header fields of each request, which a tool sees as `ctx.headers`."""
    access: Access | None = None
    """Who calls, and with which scopes. With it callers are asked who they are, as where a server has a verifier;
    None is then somebody who shows no credentials."""
    patience: float = 30.0
    """Seconds of real time after which a wait for what does not come fails, and says so."""

    def __post_init__(self) -> None:
        if self.era not in ERAS:
            raise ValueError(f"era={self.era!r} is none of {', '.join(ERAS)}")
        if self.log_level is not None and self.log_level not in LEVELS:
            raise ValueError(f"log_level={self.log_level!r} is none of {', '.join(LEVELS)}")
        if self.by not in ("post", "get", "detached"):
            raise ValueError(f"by={self.by!r} is none of post, get, detached")
        if self.reads not in ("eagerly", "on_demand"):
            raise ValueError(f"reads={self.reads!r} is neither eagerly nor on_demand")
        for name, unless in _OF_PLAIN.items():
            if self.era != "plain" and getattr(self, name) != unless:
                raise ValueError(f"{name}= is of the plain dialect; the client speaks MCP {self.era}")
        if self.by != "post" and self.json:
            raise ValueError(f"json=True cannot be had of a call by {self.by}, which is followed as a stream")
        if self.era == HTTP_SSE and (self.json or self.reads == "on_demand"):
            raise ValueError(f"MCP {HTTP_SSE} has one stream for all calls: neither json=True nor reads='on_demand'")
        if self.tasks and self.era != STATELESS:
            raise ValueError(f"tasks=True is of MCP {STATELESS}; the client speaks {self.era}")

    @property
    def declared(self) -> Mapping[str, Any]:
        """The capabilities of the client."""
        if self.capabilities is not None:
            return self.capabilities
        return {} if self.answer is None else ALL_CAPABILITIES

    @property
    def has_session(self) -> bool:
        return self.era in SESSION_REVISIONS

    def changed(self, changes: Options) -> CallOptions:
        """Raises TypeError for an option that there is not, and ValueError."""
        return replace(self, **changes)
