"""Tools that tools call: each works in the task that awaits it, as a step of its run, and ends before its caller does.

How deep and how many is decided in authoring/parts.py, as is what an event of a step becomes in the run. Runs, their
log and their readers are not known here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from ..authoring.caller import Caller
from ..authoring.parts import Part, StepNames, Tree
from ..authoring.placement import SentArguments
from ..authoring.tool import Tool
from ..protocol.errors import InvalidParams, McpAppError, QueueFull
from ..protocol.event import NotJson, decode, encode
from .called_tool import CalledTool
from .end_line import ORIGIN, log_end
from .execution import Outcome, Work
from .failure import StepQueueFull, StepTimeCap, step_error
from .holder import WORKING
from .host import Host
from .queues import Ticket, in_turn
from .sends import Emit
from .step import Step
from .wrapping import wrapped

T = TypeVar("T")

logger = logging.getLogger("mcp_app.runs")

END_SECONDS = 5.0
"""How long a function that has ended is waited for what it called and did not await, once that is cancelled: as long as
a run's own function has for its cleanup."""


class Children:
    """What one function calls. `run` is the id of its run, `label` names it in the log; `callers` are the tools from
    the run's own down to this function's, `path` the steps, and `tickets` the places of those that others wait for."""

    __slots__ = (
        *("_callers", "_closed", "_emit", "_host", "_label", "_names"),
        *("_path", "_run", "_tasks", "_tickets", "_tree"),
    )

    def __init__(
        self,
        host: Host,
        emit: Emit,
        run: str,
        label: str,
        callers: tuple[str, ...],
        tickets: tuple[Ticket, ...] = (),
        path: tuple[str, ...] = (),
        tree: Tree | None = None,
    ) -> None:
        self._host = host
        self._emit = emit
        self._run = run
        self._label = label
        self._callers = callers
        self._tickets = tickets
        self._path = path
        self._tree = tree
        self._names: StepNames | None = None  # created by the first call: few tools call others
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def call(
        self, caller: Caller, other: Tool[..., Any] | str, params: Mapping[str, Any], part: Part | None
    ) -> Coroutine[Any, Any, Any]:
        """The name of its step is given here, not when it is awaited: in the order of the author's lines."""
        if not isinstance(other, Tool | str):
            raise TypeError(f"ctx.call takes a tool, or a tool's name, not {other!r}: decorate the function with @tool")
        if self._names is None:
            self._names = StepNames()
        within = Part(None) if part is None else part
        name = other if isinstance(other, str) else other.name
        return self._called(caller, other, params, within.call(self._names.next(within.name or name)))

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
                logger.error(
                    "run %s: what %s called does not stop when it is cancelled", self._label, self._callers[-1]
                )

    async def _called(self, caller: Caller, other: Tool | str, params: Mapping[str, Any], part: Part) -> Any:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine is awaited in a task
        if self._closed or caller.reason is not None:
            raise asyncio.CancelledError("the run was ended")
        tool = self._host.tools.get(other) if isinstance(other, str) else other
        arguments = _arguments(tool, params)
        self._tree = self._tree or Tree()
        self._tree.enter(tool.name, self._callers)
        self._tasks.add(task)
        part.begin()
        try:
            value = await self._worked(Step(tool, part, self._path, caller, self._emit), arguments)
            if (rest := part.finished()) is not None:
                await self._emit((rest,))
            return value
        finally:
            part.close()
            self._tasks.discard(task)

    async def _worked(self, step: Step, arguments: dict[str, Any]) -> Any:
        """The result. Raises ToolError and CancelledError as they are, and what `step_error` makes of others."""
        tool, own, timer = step.tool, step.caller, step.timer()
        before = WORKING.set((tool, self._run))
        failure: McpAppError | None = None
        code = "complete"
        try:
            async with timer:
                value = await self._value(step, arguments)
        except BaseException as error:
            if timer.expired():
                failure = StepTimeCap(f"The tool {tool.name} reached its time limit of {tool.time_limit:g} seconds.")
            elif step.is_cancelled(error):
                code = own.reason or "cancelled"
                raise
            else:
                failure = step_error(error, tool, self._named(step), self._host.bounds.error_bytes)
            code = failure.code
            if failure is error:
                raise
            raise failure from error
        else:
            return value
        finally:
            WORKING.reset(before)
            if code != "complete":
                own.reason = code
            own.release(keep_asker=False)
            self._report(step, code, failure)

    async def _value(self, step: Step, arguments: dict[str, Any]) -> Any:
        """Work on the tool, in its turn."""
        tool, own, host = step.tool, step.caller, self._host
        ticket = self._ticket(tool, arguments)
        tickets = self._tickets if ticket is None else (*self._tickets, ticket)
        callers = (*self._callers, tool.name)
        children = Children(host, step.emit, self._run, self._label, callers, tickets, step.path, self._tree)
        own.calls = children
        called = CalledTool(tool)
        until = None if ticket is None else ticket.until
        end: Outcome | BaseException | None = None

        async def working(arguments: dict[str, Any], work: Work = host.work) -> None:
            nonlocal end
            if host.arounds:
                work = wrapped(host.arounds, work)
            try:
                begun = work(called, arguments, own, step.emit, host.threads, self._named(step), until)
                if ticket is not None:
                    begun = in_turn(ticket, begun, step.emit)
                end = await children.until(begun)
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # of a task, SystemExit would end the loop
                end = error

        try:
            if tool.plan is None or type(arguments) is SentArguments:  # another process makes what it needs
                await working(arguments)
            else:
                await host.dependencies.begin(tool.plan, arguments, working, lambda: isinstance(end, Outcome))
        finally:
            if ticket is not None:
                ticket.leave()
        if isinstance(end, BaseException):
            raise end
        assert end is not None  # noqa: S101 - it was cancelled otherwise
        return called.value if end.items is None else called.items

    def _ticket(self, tool: Tool, arguments: dict[str, Any]) -> Ticket | None:
        if tool.at_once is None:
            return None
        try:
            return self._host.queues.join(tool.name, tool.at_once, arguments, self._tickets)
        except QueueFull as full:
            raise StepQueueFull(full.message, headers=full.headers) from None

    def _named(self, step: Step) -> str:
        return f"{self._label} {'/'.join(step.path)}"

    def _report(self, step: Step, code: str, failure: McpAppError | None) -> None:
        self._host.steps[step.tool.name, code] += 1
        error_id, trace_id = getattr(failure, "error_id", None), step.caller.trace.trace_id
        seconds = step.caller.clock() - step.began
        log_end(
            *(step.tool.name, code, seconds, step.events, self._run, ORIGIN.get(), error_id, trace_id),
            step="/".join(step.path),
        )


def _arguments(tool: Tool, params: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments. Raises InvalidParams, which says of which tool."""
    try:
        return tool.validated(decode(encode(params))).arguments
    except NotJson as error:
        raise InvalidParams(f"The tool {tool.name} was not called: its params are {error}.") from None
    except InvalidParams as error:
        raise InvalidParams(f"The tool {tool.name} was not called: {error.message}", details=error.details) from None
