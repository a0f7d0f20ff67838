"""Calls that outlive their request: the MCP extension io.modelcontextprotocol/tasks.

A task is a run under the policy row MCP_TASK, its taskId the run's id. Here a call becomes one or is answered at once,
and a client that polls is told how it stands. The wire's names are protocol/mcp_tasks.py's, what a tool asks in between
asks/deferred.py's; headers and `_meta` are checked before.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from ...asks import Deferred, Rounds
from ...protocol import jsonrpc
from ...protocol.errors import Cancelled, Left, UnknownRun
from ...protocol.event import Event, encode
from ...protocol.jsonrpc import Code, RpcError
from ...protocol.mcp import Exchange
from ...protocol.mcp_tasks import Handle, not_declared
from ...protocol.mcp_tasks import declared as can_follow
from ...protocol.revision import MCP_TASK
from ...runs import Reader, Run, Runs
from ...settings import Settings
from ...tools import Tool
from ..calls import PRINCIPAL
from ..exchange import Answer, Request, json_answer
from .answering import acceptable
from .failures import as_rpc_error

AT_ONCE_SECONDS = 0.5
"""How long a call of a tool that may be a task is waited for before it is one: what is done by then, or asks its caller
by then, needs no polling; nobody notices half a second before a wait of many."""

_LOOK_SECONDS = 3600.0
"""How long one read of the log waits; then it is read again."""

_TURN_SECONDS = 0.05
"""Between two looks at whether a run that is ending has ended."""


class Task(Deferred):
    """One call that may be a task, as the asker of its run: so it is known as long as the run is."""

    def __init__(self, exchange: Exchange, rounds: Rounds, now: Callable[[], float]) -> None:
        super().__init__(rounds, self._touch)
        self.exchange = exchange
        self.updated = now()
        self._last: Event | None = None  # the log's own: a response that is kept beside it would count nowhere
        self._lost: bytes | None = None
        self._now = now

    def _touch(self) -> None:
        self.updated = self._now()

    async def follow(self, reader: Reader) -> None:
        """Read the run to its end, for what of it belongs into the result."""
        try:
            self._last = await self._end_of(reader)
        except Exception as error:  # purged, or ours: there is a response all the same
            self._lost = as_rpc_error(error, self.exchange.id).encode()
        finally:
            reader.close()
        self._touch()

    async def _end_of(self, reader: Reader) -> Event:
        loop = asyncio.get_running_loop()
        while (batch := await reader.next(loop.time() + _LOOK_SECONDS)) is not None:
            for entry in batch:
                if entry.event.last:
                    return entry.event
                self.exchange.notification(entry.event)  # "not supported on tasks": only for what the result repeats
        raise UnknownRun("This run has no end.")

    @property
    def response(self) -> bytes | None:
        """The response to the call, once there is one."""
        return self._lost if self._last is None else self.exchange.response(self._last)

    def answer_at_once(self) -> Answer:
        """The response as the call's answer, when there is one."""
        status = 200 if self._last is None else self.exchange.status(self._last)
        return json_answer(status, self.response or b"")

    def outcome(self, run: Run) -> tuple[str, dict[str, Any]]:
        """Its status, and the member that goes with it."""
        if run.code == Cancelled.code:
            return "cancelled", {}
        response = self.response
        if response is None:
            asked = self.outstanding
            return ("input_required", {"inputRequests": asked}) if asked else ("working", {})
        said = json.loads(response)
        if "error" in said:
            return "failed", {"error": said["error"]}
        return "completed", {"result": said["result"]}


class Tasks:
    """Starts tasks, and answers for them. `now` counts seconds since the epoch."""

    def __init__(self, settings: Settings, runs: Runs, *, now: Callable[[], float] = time.time) -> None:
        self._keep_seconds = settings.keep_seconds
        self._runs = runs
        self._now = now
        self._following: set[asyncio.Task[None]] = set()

    @staticmethod
    def takes(tool: Tool, capabilities: Mapping[str, Any]) -> bool:
        """Whether a call of the tool is for here. Raises RpcError for a tool that must be a task and cannot."""
        if tool.task == "never":
            return False
        if can_follow(capabilities):
            return True
        if tool.task == "must":
            raise not_declared()
        return False

    async def call(
        self, http: Request, tool: Tool, arguments: dict[str, Any], exchange: Exchange, rounds: Rounds
    ) -> Answer:
        """The call's result, or the task that it has become."""
        acceptable(http.headers.get("accept"))
        task = Task(exchange, rounds, self._now)
        if tool.task == "must":
            task.defer()
        run = await self._runs.start(tool, arguments, MCP_TASK, principal=PRINCIPAL, headers=http.headers, asker=task)
        following = asyncio.create_task(task.follow(run.follow()), name=f"task {run.id}")
        self._following.add(following)
        following.add_done_callback(self._following.discard)
        if not task.deferred and await self._at_once(run, task, following):
            self._runs.forget(run)
            return task.answer_at_once()
        task.defer()
        created = exchange.typed({"resultType": "task", **self._handle(run, task, "working").wire()})
        return json_answer(200, jsonrpc.result(exchange.id, encode(created)))

    async def _at_once(self, run: Run, task: Task, following: asyncio.Task[None]) -> bool:
        """Whether there is a response before the call has to become a task."""
        try:
            await asyncio.wait({following}, timeout=AT_ONCE_SECONDS)
            while not following.done() and (task.asking or run.ended):
                await asyncio.wait({following}, timeout=_TURN_SECONDS)
        except asyncio.CancelledError:  # its caller left, who knows of no task
            run.stop(Left("The caller left before the run was done."))
            self._runs.forget(run)
            raise
        return following.done()

    # --- of a task ---------------------------------------------------------------------------------------------------

    def get(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """tasks/get: how it stands. Raises RpcError for a task that is not known."""
        run, task = self._find(params)
        status, more = task.outcome(run)
        return {**self._handle(run, task, status).wire(), **more}

    def update(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """tasks/update: answers to what is outstanding. Raises RpcError."""
        _, task = self._find(params)
        responses = params.get("inputResponses")
        if not isinstance(responses, Mapping):
            raise RpcError(Code.INVALID_PARAMS, '"inputResponses": an object of answers by key is needed.')
        task.answer(responses)
        return {}

    def cancel(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """tasks/cancel: an ended one stays as it is. Raises RpcError."""
        run, _ = self._find(params)
        run.stop(Cancelled("The task was cancelled by its client."))
        return {}

    def _find(self, params: Mapping[str, Any]) -> tuple[Run, Task]:
        id_ = params.get("taskId")
        if not isinstance(id_, str):
            raise RpcError(Code.INVALID_PARAMS, '"taskId": a string is needed.')
        try:
            run = self._runs.find(id_, PRINCIPAL)
        except UnknownRun:
            raise _unknown() from None
        if not isinstance(run.asker, Task) or not run.asker.deferred:
            raise _unknown()
        return run, run.asker

    def _handle(self, run: Run, task: Task, status: str) -> Handle:
        return Handle(run.id, status, run.created, max(task.updated, run.created), run.cap + self._keep_seconds)


def _unknown() -> RpcError:
    return RpcError(Code.INVALID_PARAMS, "This task is not known: it was never created, or its time is over.")
