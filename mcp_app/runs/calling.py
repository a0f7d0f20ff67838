"""What one function calls: its steps have names, work in the tasks that await them, and end before the function does.

What a call is, here or from another process, is said by who derives from this.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from ..authoring.caller import Caller
from ..authoring.parts import Part, StepNames
from ..authoring.tool import Tool
from ..protocol.errors import InvalidParams
from ..protocol.event import NotJson

T = TypeVar("T")

END_SECONDS = 5.0
"""How long a function that has ended is waited for what it called and did not await, once that is cancelled: as long as
a run's own function has for its cleanup."""

logger = logging.getLogger("mcp_app.runs")


class Calling(ABC):
    """`label` names the run in the log, `name` is the function's tool."""

    __slots__ = ("_closed", "_label", "_name", "_names", "_tasks")

    def __init__(self, label: str, name: str) -> None:
        self._label = label
        self._name = name
        self._names: StepNames | None = None  # created by the first call: few tools call others
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def call(
        self, caller: Caller, other: Tool[..., Any] | str, params: Mapping[str, Any], part: Part | None
    ) -> Coroutine[Any, Any, Any]:
        return self._called(caller, other, params, self._step(other, part))

    def call_json(
        self, caller: Caller, other: Tool[..., Any] | str, params: Mapping[str, Any], part: Part | None
    ) -> Coroutine[Any, Any, Any]:
        return self._called_json(caller, other, params, self._step(other, part))

    def _step(self, other: Tool[..., Any] | str, part: Part | None) -> Part:
        """Its name is given here, not when it is awaited: in the order of the author's lines."""
        if not isinstance(other, Tool | str):
            raise TypeError(f"ctx.call takes a tool, or a tool's name, not {other!r}: decorate the function with @tool")
        if self._names is None:
            self._names = StepNames()
        within = Part(None) if part is None else part
        name = other if isinstance(other, str) else other.name
        return within.call(self._names.next(within.name or name))

    async def until(self, working: Coroutine[Any, Any, T]) -> T:
        try:
            return await working
        finally:
            self._closed = True
            if self._tasks:
                await self._close()

    async def _close(self) -> None:
        tasks = self._tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            _, working = await asyncio.wait(tasks, timeout=END_SECONDS)
            for _ in working:
                logger.error("run %s: what %s called does not stop when it is cancelled", self._label, self._name)

    @abstractmethod
    async def _called(self, caller: Caller, other: Tool | str, params: Mapping[str, Any], part: Part) -> Any:
        """The call of one tool, a step of that `part`."""

    @abstractmethod
    async def _called_json(self, caller: Caller, other: Tool | str, params: Mapping[str, Any], part: Part) -> Any:
        """The same, with the result as JSON."""

    @abstractmethod
    def tools(self, caller: Caller) -> Mapping[str, Tool]:
        """Those that the server offers, and this caller is shown."""

    def _task(self, caller: Caller) -> asyncio.Task[Any]:
        """In which a call is awaited. Raises CancelledError once the function, or what it works for, has ended."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine is awaited in a task
        if self._closed or caller.reason is not None:
            raise asyncio.CancelledError("the run was ended")
        return task


def not_json(name: str, error: NotJson) -> InvalidParams:
    """What the params of a call are that are not JSON."""
    return InvalidParams(f"The tool {name} was not called: its params are {error}.")
