"""Functions around the call of a tool (`@around`): each proceeds to the next, the last to the tool itself.

What they raise passes through, as what the tool raises does. Which functions a server has is not decided here.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Sequence
from types import CoroutineType
from typing import Any, cast

from ..authoring.around import Arguments, Around, Call
from ..authoring.caller import Caller
from ..authoring.kind import Encoded
from ..authoring.tool import Tool
from ..protocol.errors import ToolFailed
from ..protocol.event import Event
from .called_tool import CalledTool, WrappedTool
from .callee import Callee
from .execution import Outcome, Work, check_eager
from .failure import error_code
from .sends import Emit

END_SECONDS = 5.0
"""How long what a function proceeded to and did not await is waited for, once it is cancelled."""


def wrapped(arounds: tuple[Around, ...], work: Work) -> Work:
    """`work`, with these around it where it works on a tool; the first is outermost."""

    def working(
        callee: Callee, arguments: dict[str, Any], caller: Caller, emit: Emit, *rest: Any
    ) -> Coroutine[Any, Any, Outcome]:
        tool = callee.tool if isinstance(callee, CalledTool) else callee
        if not isinstance(tool, Tool):
            return work(callee, arguments, caller, emit, *rest)
        inner = WrappedTool(tool, callee.encode_item, collects=isinstance(callee, CalledTool))
        passage = _Passage(arounds, Call(tool, Arguments(tool, arguments), caller), inner, emit, caller)
        return passage.outcome(callee, lambda: work(inner, arguments, caller, passage.emit, *rest))

    return working


class _Passage:
    """One call on its way through what is around it."""

    def __init__(self, arounds: tuple[Around, ...], call: Call, inner: WrappedTool, emit: Emit, caller: Caller) -> None:
        self._arounds = arounds
        self._call = call
        self._inner = inner
        self._emit = emit
        self._caller = caller
        self._items: int | None = None

    async def emit(self, events: Sequence[Event]) -> None:
        self._call.events += len(events)
        await self._emit(events)

    async def outcome(self, callee: Callee, work: Callable[[], Coroutine[Any, Any, Outcome]]) -> Outcome:
        """What the outermost returns, as the result of the tool."""
        value = await self._through(0, work)
        if (sent := self._unchanged(value)) is not None:
            if isinstance(callee, CalledTool):
                callee.take(sent)
            return Outcome(sent, items=self._items)
        if value is None and self._items is not None:
            return Outcome(callee.encode_result(None), items=self._items)
        return Outcome(self._checked(self._arounds[0], callee.encode_result, value))

    async def _through(self, index: int, work: Callable[[], Coroutine[Any, Any, Outcome]]) -> Any:
        around = self._arounds[index]
        last = index + 1 == len(self._arounds)
        proceed = _Proceeding(around, lambda: self._work(work) if last else self._further(index + 1, work))
        try:
            value = await around.function(self._call, proceed)
        except BaseException:
            await proceed.give_up()
            raise
        await proceed.check(self._call.tool)
        check_eager(self._inner, value)
        return value

    async def _further(self, index: int, work: Callable[[], Coroutine[Any, Any, Outcome]]) -> Any:
        value = await self._through(index, work)
        if (value is None and self._items is not None) or self._unchanged(value) is not None:
            return value
        return self._checked(self._arounds[index], self._inner.declared, value)

    async def _work(self, work: Callable[[], Coroutine[Any, Any, Outcome]]) -> Any:
        call, caller = self._call, self._caller
        began = caller.clock()
        try:
            outcome = await work()
        except BaseException as error:
            call.code = _code(error, caller)
            raise
        else:
            call.code = "complete"
            self._items = outcome.items
            return self._inner.value
        finally:
            call.seconds = caller.clock() - began

    def _unchanged(self, value: Any) -> Encoded | None:
        """What a process has encoded, if that is the value: it cannot be encoded as well as where it was made."""
        return self._inner.sent if value is self._inner.value else None

    def _checked(self, around: Around, check: Callable[[Any], Any], value: Any) -> Any:
        try:
            return check(value)
        except ToolFailed as error:
            raise ToolFailed(f"{error.message} It is what {around.name} returned, which is around the tool.") from error


def _code(error: BaseException, caller: Caller) -> str:
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return caller.reason or ("time_cap" if caller.clock() >= caller.deadline else "cancelled")
    return error_code(error)


class _Proceeding:
    """`proceed` of one function: it runs what is further in, once, in whatever task it is awaited."""

    __slots__ = ("_around", "_begun", "_run", "_task")

    def __init__(self, around: Around, run: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._around = around
        self._run = run
        self._begun: CoroutineType[Any, Any, Any] | None = None
        self._task: asyncio.Task[Any] | None = None

    def __call__(self) -> Coroutine[Any, Any, Any]:
        if self._begun is not None:
            raise RuntimeError(f"{self._around.where} called proceed twice: a tool runs once for a call")
        self._begun = cast("CoroutineType[Any, Any, Any]", self._proceed())
        return self._begun

    async def _proceed(self) -> Any:
        self._task = asyncio.current_task()
        try:
            return await self._run()
        finally:
            self._task = None

    async def check(self, tool: Tool) -> None:
        """At the end of the function. Raises ToolFailed if it did not await what it proceeded to."""
        if self._begun is None or self._begun.cr_frame is None:
            return
        await asyncio.sleep(0)  # a task that was made of it may begin now
        await self.give_up()
        raise ToolFailed(
            f"The function {self._around.name} around the tool {tool.name} called proceed and did not await it: write "
            "`result = await proceed()`."
        )

    async def give_up(self) -> None:
        """The function has ended: what it proceeded to does not outlive it."""
        if self._begun is None or self._begun.cr_frame is None:
            return
        if inspect.getcoroutinestate(self._begun) == inspect.CORO_CREATED:
            self._begun.close()
        elif self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=END_SECONDS)
