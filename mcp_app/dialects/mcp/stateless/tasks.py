"""Calls that outlive their request: the MCP extension io.modelcontextprotocol/tasks.

A task is a run under the policy row MCP_TASK, its taskId the run's id. Here a call becomes one, at its start or near
the cap, and a client that polls is told how it stands. What one task is stands in task.py, the wire's names in
protocol/mcp/tasks.py; headers and `_meta` are checked before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from ....asking import RetryAsker
from ....authoring.tool import Tool
from ....config.settings import Settings
from ....protocol.errors import Cancelled, Left, UnknownRun
from ....protocol.event import encode
from ....protocol.http.trace import Trace
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.asked import Asked
from ....protocol.mcp.jsonrpc import Code, RpcError
from ....protocol.mcp.tasks import Handle, not_declared
from ....protocol.mcp.tasks import declared as can_follow
from ....protocol.policy import MCP_TASK
from ....runs import Reader, Run, Runs
from ....web.messages import PRINCIPAL, Answer, Request, json_answer
from ....web.metrics import Metrics
from ..answering import acceptable
from .task import Task

AT_ONCE_SECONDS = 0.5
"""How long a call of a tool that may be a task is waited for before it is one: what is done by then, or asks its caller
by then, needs no polling; nobody notices half a second before a wait of many."""

SETTLE_SECONDS = 1.0
"""How long a stop waits for tasks to be told of: their last events are there within turns of the loop."""


class Tasks:
    """Starts tasks, and answers for them.

    `now` counts seconds since the epoch; `on_change` is told the id of a task that stands otherwise than before.
    """

    def __init__(
        self,
        settings: Settings,
        runs: Runs,
        metrics: Metrics,
        on_change: Callable[[str], None],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keep_seconds = settings.keep_seconds
        self._runs = runs
        self._metrics = metrics
        self._on_change = on_change
        self._now = now
        self._following: set[asyncio.Task[None]] = set()

    @staticmethod
    def takes(tool: Tool, capabilities: Mapping[str, Any]) -> bool:
        """Whether a call of the tool is for `call`. Raises RpcError for a tool that must be a task and cannot."""
        if tool.task is None or tool.task == "never":
            return False
        if can_follow(capabilities):
            return True
        if tool.task == "must":
            raise not_declared()
        return False

    async def call(self, http: Request, tool: Tool, arguments: dict[str, Any], task: Task, trace: Trace) -> Answer:
        """The call's result, or the task that it has become."""
        acceptable(http.headers.get("accept"))
        if tool.task == "must":
            task.defer()
        run = await self._runs.start(
            tool, arguments, MCP_TASK, principal=PRINCIPAL, headers=http.headers, asker=task, trace=trace
        )
        task.created = run.created
        following = self._follow(run, task, run.follow())
        if not task.deferred and await self._at_once(run, task, following):
            self._runs.forget(run)
            return task.answer_at_once()
        task.defer()
        self._metrics.tasks.add()
        return json_answer(200, self._created(run, task))

    # --- near the cap ------------------------------------------------------------------------------------------------

    @staticmethod
    def promotes(tool: Tool, capabilities: Mapping[str, Any]) -> bool:
        """Whether a call of the tool becomes a task when it nears the cap: the tool says nothing of tasks, and the
        client can follow one."""
        return tool.task is None and can_follow(capabilities)

    def prepared(self, asked: Asked, rounds: RetryAsker) -> Task:
        """What asks the caller of a call that may become a task."""
        return Task(asked, rounds, self._now)

    def promote(self, run: Run, task: Task, reader: Reader) -> bytes | None:
        """Make a task of a run that its caller reads: the response with which the reader ends. None for a run that
        has ended: its own response is there.

        All of it happens in one turn of the loop: a caller that has left before is known to have left, and one that
        leaves from now on may have read what its task is.
        """
        if run.ended:
            return None
        task.created = self._now()
        task.defer()
        self._follow(run, task, run.promote(reader))
        self._metrics.tasks.add()
        self._metrics.promoted.add()
        return self._created(run, task)

    def _follow(self, run: Run, task: Task, reader: Reader) -> asyncio.Task[None]:
        run.beside = task.transcript
        task.on_change = partial(self._on_change, run.id)
        following = asyncio.create_task(task.follow(reader), name=f"task {run.id}")
        self._following.add(following)
        following.add_done_callback(self._following.discard)
        return following

    def _created(self, run: Run, task: Task) -> bytes:
        """CreateTaskResult: from now on the task is found."""
        asked = task.transcript.asked
        created = asked.typed({"resultType": "task", **self._handle(run, task, "working").wire()})
        return jsonrpc.result(asked.id, encode(created))

    async def _at_once(self, run: Run, task: Task, following: asyncio.Task[None]) -> bool:
        """Whether there is a response before the call has to become a task."""
        try:
            await asyncio.wait({following}, timeout=AT_ONCE_SECONDS)
            if not following.done() and (task.asking or run.ended):
                await asyncio.wait({following}, timeout=AT_ONCE_SECONDS)
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

    def known(self, ids: Iterable[Any]) -> list[str]:
        """Those that are tasks of this caller's, each once."""
        found = []
        for each in dict.fromkeys(each for each in ids if isinstance(each, str)):
            try:
                self._find({"taskId": each})
            except RpcError:
                continue
            found.append(each)
        return found

    def state(self, id_: str) -> dict[str, Any] | None:
        """What `get` says; None for a task that is not known any more."""
        try:
            return self.get({"taskId": id_})
        except RpcError:
            return None

    async def settled(self) -> None:
        """Wait until every task whose run has ended has its response."""
        if self._following:
            await asyncio.wait(self._following, timeout=SETTLE_SECONDS)

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
        ttl = run.created + run.cap + self._keep_seconds - task.created
        return Handle(run.id, status, task.created, max(task.updated, task.created), ttl)


def _unknown() -> RpcError:
    return RpcError(Code.INVALID_PARAMS, "This task is not known: it was never created, or its time is over.")
