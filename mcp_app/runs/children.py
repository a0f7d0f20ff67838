"""Tools that tools call: each works as a step of its run, with a caller, a place in a queue and an end of its own.

How deep and how many is decided in authoring/parts.py, as is what an event of a step becomes in the run. Runs, their
log and their readers are not known here.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Mapping
from typing import Any

from ..authoring.caller import Caller
from ..authoring.offered import Offered
from ..authoring.parts import Part, Tree
from ..authoring.permitted import permitted
from ..authoring.placement import SentArguments
from ..authoring.sent_params import sent_params
from ..authoring.tool import Tool
from ..protocol.access import ANONYMOUS
from ..protocol.errors import InvalidParams, McpAppError, QueueFull, RateLimited, ToolFailed, UnknownTool
from ..protocol.event import NotJson, decode
from ..protocol.linked import MAX_RESULT_BYTES, too_large
from .audited import AuditedCall
from .called_tool import CalledTool, SentTool
from .calling import Calling, not_json
from .end_line import ORIGIN, log_end
from .execution import Outcome, Work
from .failure import StepQueueFull, StepRateLimited, StepTimeCap, step_error
from .fair_places import PAYER
from .holder import WORKING
from .host import Host
from .queues import Ticket, in_turn
from .sends import Emit
from .step import Step
from .wrapping import wrapped


class Children(Calling):
    """What one function calls. `run` is the id of its run, `label` names it in the log; `callers` are the tools from
    the run's own down to this function's, `path` the steps, and `tickets` the places of those that others wait for."""

    __slots__ = ("_callers", "_emit", "_host", "_path", "_run", "_tickets", "_tree")

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
        super().__init__(label, callers[-1])
        self._host = host
        self._emit = emit
        self._run = run
        self._callers = callers
        self._tickets = tickets
        self._path = path
        self._tree = tree

    async def call_sent(
        self, caller: Caller, name: str, schema: str | None, params: Mapping[str, Any], part: Part, *, lent: bool
    ) -> bytes:
        """The same for a function in another process, which has named the step: `SentTool.returned` of its result.

        `schema` is the digest of the tool that it has by the name. Raises ToolFailed if the server's is another one.
        `lent`: it calls that very tool, whatever scopes its caller has.
        """
        tool = self._host.tools.get(name, ANONYMOUS if lent else caller.access)
        if schema is not None and tool.digest != schema:
            raise ToolFailed(
                f"The tool {name} was not called: the server offers one of that name that takes or returns something "
                f"else than the one that {self._callers[-1]} has in its process."
            )
        sent: bytes = await self._called(caller, tool, params, part, SentTool)
        return sent

    def tools(self, caller: Caller) -> Mapping[str, Tool]:
        return Offered(self._host.tools, caller.access)

    async def _called_json(self, caller: Caller, other: Tool | str, params: Mapping[str, Any], part: Part) -> Any:
        if isinstance(other, Tool) and permitted(other, caller.access) is None:
            raise UnknownTool(f"There is no tool named {other.name!r}.")
        sent: bytes = await self._called(caller, other, params, part, SentTool)
        if len(sent) > MAX_RESULT_BYTES:
            name = other if isinstance(other, str) else other.name
            raise too_large(f"What the tool {name} returned to another", len(sent), MAX_RESULT_BYTES)
        return decode(sent)["value"]

    async def _called(
        self,
        caller: Caller,
        other: Tool | str,
        params: Mapping[str, Any],
        part: Part,
        made: type[CalledTool] = CalledTool,
    ) -> Any:
        task = self._task(caller)
        # A name is looked up for the caller, who may have chosen it; a tool is the author's own code.
        tool = self._host.tools.get(other, caller.access) if isinstance(other, str) else other
        arguments = _arguments(tool, params)
        self._tree = self._tree or Tree()
        self._tree.enter(tool.name, self._callers)
        self._tasks.add(task)
        part.begin()
        try:
            value = await self._worked(Step(tool, part, self._path, caller, self._emit), arguments, made(tool))
            if (rest := part.finished()) is not None:
                await self._emit((rest,))
            return value
        finally:
            part.close()
            self._tasks.discard(task)

    async def _worked(self, step: Step, arguments: dict[str, Any], called: CalledTool) -> Any:
        """The result. Raises ToolError and CancelledError as they are, and what `step_error` makes of others."""
        tool, own, timer = step.tool, step.caller, step.timer()
        if (trail := self._host.trail) is not None:
            step.audited = AuditedCall(trail, own, tool, self._run, "/".join(step.path))
            step.audited.began(arguments)
        before = WORKING.set((tool, self._run))
        failure: McpAppError | None = None
        code = "complete"
        try:
            async with timer:
                value = await self._value(step, arguments, called)
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
            failure = None  # its traceback leads to this frame: a circle

    async def _value(self, step: Step, arguments: dict[str, Any], called: CalledTool) -> Any:
        """Work on the tool, in its turn."""
        tool, own, emit, host = step.tool, step.caller, step.events.emit, self._host
        self._charge(tool)
        ticket = self._ticket(tool, arguments)
        tickets = self._tickets if ticket is None else (*self._tickets, ticket)
        callers = (*self._callers, tool.name)
        children = Children(host, emit, self._run, self._label, callers, tickets, step.path, self._tree)
        own.calls = children
        until = None if ticket is None else ticket.until
        end: Outcome | BaseException | None = None

        async def working(arguments: dict[str, Any], work: Work = host.work) -> None:
            nonlocal end
            if host.arounds:
                work = wrapped(host.arounds, work)
            try:
                begun = work(called, arguments, own, emit, host.threads, self._named(step), until)
                if ticket is not None:
                    begun = in_turn(ticket, begun, emit)
                end = await children.until(begun)
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # of a task, SystemExit would end the loop
                end = error

        try:
            if tool.plan is None or type(arguments) is SentArguments:  # another process makes what it needs
                await working(arguments)
            else:
                context = contextvars.copy_context()
                await host.dependencies.begin(tool.plan, arguments, working, lambda: isinstance(end, Outcome), context)
        finally:
            if ticket is not None:
                ticket.leave()
        if isinstance(end, BaseException):
            try:
                raise end
            finally:
                end = None  # its traceback leads to this frame: a circle
        assert end is not None  # noqa: S101 - it was cancelled otherwise
        return called.returned(end.items)

    def _charge(self, tool: Tool) -> None:
        if (charges := self._host.charges) is None:
            return
        try:
            charges.step(PAYER.get(), tool.name)
        except RateLimited as limited:
            raise StepRateLimited(limited.message, headers=limited.headers) from None

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
        if step.audited is not None:
            step.audited.ended(code, seconds, error_id)
        log_end(
            *(step.tool.name, code, seconds, step.events.count, self._run, ORIGIN.get(), error_id, trace_id),
            step="/".join(step.path),
        )


def _arguments(tool: Tool, params: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments. Raises InvalidParams, which says of which tool."""
    try:
        return tool.validated(sent_params(params)).arguments
    except NotJson as error:
        raise not_json(tool.name, error) from None
    except InvalidParams as error:
        raise InvalidParams(f"The tool {tool.name} was not called: {error.message}", details=error.details) from None
