"""What a client sees of a run: typed events, the same in both dialects and every revision. Nothing is parsed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mcp_app.client.wire.question import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """One event. `type` is its name in the plain dialect, `id` its id on the wire (empty where it has none), and `raw`
    the JSON object that was sent."""

    type: ClassVar[str] = ""
    id: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedEvent(RunEvent):
    """The run has begun. Only the plain dialect says so. Both seconds are None where they were not said."""

    type: ClassVar[str] = "started"
    run: str | None
    cap_seconds: float | None = None
    heartbeat_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressEvent(RunEvent):
    """`ctx.progress`, or a part of the result: what was yielded, or given to `ctx.partial`.

    `data` is the part; for `ctx.progress` it is `{"message": …}` or `{}`. `progress` and `total` are None where they
    were not said; MCP always has a number, which grows with each event.
    """

    type: ClassVar[str] = "progress"
    data: Any
    progress: float | None = None
    total: float | None = None
    path: tuple[str, ...] = ()
    """Of the tool that said so, where a tool calls others: the names of the steps from the run down. MCP has them for
    parts, and in front of the message for the rest."""

    @property
    def message(self) -> str | None:
        """What `ctx.progress` was given to say."""
        found = self.data.get("message") if isinstance(self.data, Mapping) else None
        return found if isinstance(found, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvent(RunEvent):
    """`ctx.log`: `level` is that of RFC 5424 as MCP spells it, `data` is None where there is none."""

    type: ClassVar[str] = "log"
    level: str
    message: str
    data: Any = None
    path: tuple[str, ...] = ()
    """As of a ProgressEvent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionEvent(RunEvent):
    """The tool asks its caller: MCP only."""

    type: ClassVar[str] = "ask"
    question: Question


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent(RunEvent):
    """The call has become a task, of which this is the id: MCP 2026-07-28 only."""

    type: ClassVar[str] = "task"
    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteEvent(RunEvent):
    """The result.

    `data` is the tool's value where the dialect has it: in the plain one, and as structured content. Elsewhere it is
    the text of the result, or its content blocks where there is other content than one text. `content` are MCP's
    content blocks, where there are any: of a `Result` its text, and the content beside its data. `metadata` is
    `metadata` of the event, or MCP's `_meta`.
    """

    type: ClassVar[str] = "complete"
    data: Any
    content: Sequence[Mapping[str, Any]] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The texts among the content, one below the other."""
        return "\n".join(str(each.get("text", "")) for each in self.content if each.get("type") == "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorEvent(RunEvent):
    """The run ended without a result, or was refused. `error` is of `mcp_app.errors` where the wire says what it is."""

    type: ClassVar[str] = "error"
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEvent(RunEvent):
    """An event of a type that this client does not know: a newer server may send one."""

    type: ClassVar[str] = "unknown"
