"""One call of a tool by another: its caller, its deadline, its events as those of the function that made the call.

What is called, and what comes of it, is in children.py.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from ..asking.questions import Questions
from ..authoring.caller import Caller
from ..authoring.parts import Part
from ..authoring.tool import Tool
from ..protocol.event import Event
from .audited import AuditedCall
from .sends import Emit


class StepCaller(Caller):
    """The caller of a tool that another one called: the run's own, by way of that one."""

    __slots__ = ("_own_reason", "_step", "parent", "path")

    def __init__(self, parent: Caller, path: tuple[str, ...], step: str, deadline: float) -> None:
        self.parent = parent
        self.path = path
        self._step = step
        super().__init__(
            access=parent.access,
            headers=parent.headers,
            deadline=deadline,
            clock=parent.clock,
            asker=parent.asker,
            trace=parent.trace,
            dialect=parent.dialect,
        )

    @property
    def reason(self) -> str | None:
        """Why it was ended, or what it works for."""
        return self._own_reason or self.parent.reason

    @reason.setter
    def reason(self, reason: str | None) -> None:
        self._own_reason = reason

    def _new_questions(self) -> Questions:
        return self.parent.questions.of_step(self._step)


class StepEvents:
    """Sends the events of a step as those of the function that made the call, and counts them.

    It knows no caller: what the caller calls sends by it, and would hold itself in a circle.
    """

    __slots__ = ("_emit", "_part", "count")

    def __init__(self, part: Part, emit: Emit) -> None:
        self._part = part
        self._emit = emit
        self.count = 0

    async def emit(self, events: Sequence[Event]) -> None:
        self.count += len(events)
        await self._emit([self._part.event(event) for event in events])


class Step:
    """One call that is being worked on. `path` are the names of the steps from the run down to it; `audited`
    tells an audit log."""

    __slots__ = ("audited", "began", "caller", "events", "path", "tool")

    def __init__(self, tool: Tool, part: Part, above: tuple[str, ...], caller: Caller, emit: Emit) -> None:
        self.tool = tool
        self.audited: AuditedCall | None = None
        self.path = (*above, *part.path)
        self.events = StepEvents(part, emit)
        self.began = caller.clock()
        limit = math.inf if tool.time_limit is None else self.began + tool.time_limit
        self.caller = StepCaller(caller, self.path, part.path[-1], min(caller.deadline, limit))

    def timer(self) -> asyncio.Timeout:
        """Ends the step at its own time limit, if that comes before the run's end."""
        own = self.caller.deadline < self.caller.parent.deadline
        return asyncio.timeout(self.caller.deadline - self.began if own else None)

    def is_cancelled(self, error: BaseException) -> bool:
        """Whether this is the end of a step that somebody has cancelled, or whose run is over. A CancelledError that
        the tool raises by itself is a failure."""
        if not isinstance(error, asyncio.CancelledError):
            return isinstance(error, GeneratorExit)
        task = asyncio.current_task()
        return self.caller.reason is not None or (task is not None and task.cancelling() > 0)
