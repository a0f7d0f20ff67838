"""Calls that outlive their request: the MCP extension io.modelcontextprotocol/tasks.

A task is a run with the policy MCP_TASK; its taskId is the run's id. This module turns a call into a task, at its start
or near the cap; the methods with which a client polls are in task_methods.py. One task is in task.py, the wire format
in protocol/mcp/tasks.py; header fields and `_meta` have been validated before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ....asking import RetryAsker
from ....authoring.tool import Tool
from ....config.settings import Settings
from ....nodes import Node
from ....nodes.letters import Letter
from ....nodes.remote_run import RemoteRun
from ....protocol.errors import Left
from ....protocol.event import encode
from ....protocol.http.idempotency_key import RepeatableCall
from ....protocol.http.trace import Trace
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.params import SERVER_INFO_KEY
from ....protocol.mcp.request_info import RequestInfo
from ....protocol.mcp.tasks import extension_required, supports_tasks
from ....protocol.policy import MCP_TASK
from ....runs import FoundRun, Reader, Run, Runs
from ....runs.memory import request_bytes
from ....web.messages import Answer, Request, json_answer
from ....web.metrics import Metrics
from ..answering import acceptable
from ..offer import Offer
from .task import Task
from .task_methods import TaskMethods
from .task_record import TaskRecord
from .task_recording import TaskRecording
from .task_revival import TaskRevival

AT_ONCE_SECONDS = 0.5
"""How long to wait for the response of a call that may become a task: a call that ends or asks its caller within this
time needs no polling, and half a second is not noticed before a long wait."""

SETTLE_SECONDS = 1.0
"""How long a shutdown waits for the responses of tasks: their last events arrive within a few turns of the loop."""


class Tasks(TaskMethods):
    """Starts tasks, and answers the methods of the extension.

    `now` returns seconds since the epoch; `on_change` is called with the id of a task whose state has changed,
    `on_record` once other processes can read that; `node` is this process among those that share a log, if any do.
    """

    def __init__(
        self,
        settings: Settings,
        runs: Runs,
        metrics: Metrics,
        offer: Offer,
        on_change: Callable[[str], None],
        on_record: Callable[[str], None] | None = None,
        node: Node | None = None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keep_seconds = settings.keep_seconds
        self._runs = runs
        self._metrics = metrics
        self._on_change = on_change
        self._now = now
        self._namespace, self._meta = offer.namespace, {SERVER_INFO_KEY: offer.identity}
        self._recording = None if on_record is None else TaskRecording(runs.known, on_record)
        if node is not None:
            node.post.on("task.update", self._update_here)
            node.post.on("task.promote", self._promote_here)
            revival = TaskRevival(self._namespace, self._meta, now, self._revived)
            node.revivers[MCP_TASK.name] = revival
        self._following: set[asyncio.Task[None]] = set()

    @staticmethod
    def starts(tool: Tool, capabilities: Mapping[str, Any]) -> bool:
        """Whether a call of the tool may be a task from the start, by `call`. Raises RpcError for a tool that must be a
        task if the client does not support tasks."""
        if tool.task is None or tool.task == "never":
            return False
        if supports_tasks(capabilities):
            return True
        if tool.task == "must":
            raise extension_required()
        return False

    async def call(
        self,
        http: Request,
        tool: Tool,
        arguments: dict[str, Any],
        task: Task,
        trace: Trace,
        call: RepeatableCall | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Start the call. Its response if it ends at once, else the task that it has become. `call` has its key, if it
        may be repeated, `params` are the arguments as JSON, if it may begin again."""
        acceptable(http.headers.get("accept"))
        if tool.task == "must":
            task.defer()
        run = await self._runs.start(
            tool,
            arguments,
            MCP_TASK,
            access=http.access,
            payer=http.payer,
            headers=http.headers,
            body=http.body,
            key=None if call is None else call.key,
            identity=None if call is None else call.identity,
            asker=task,
            trace=trace,
            extra=b"" if call is None else task.record(),
            params=params,
        )
        task.created = run.created
        following = self._follow(run, task, run.follow())
        if not task.deferred and await self._ends_at_once(run, task, following, repeatable=call is not None):
            if call is None:
                self._runs.forget(run)
            return task.immediate_answer()
        task.defer()
        if run.shares:
            await run.publish(task.record())
        self._metrics.tasks.add()
        return json_answer(200, self._created(run, task, task.transcript.info))

    async def again(self, run: Run, task: Task, info: RequestInfo) -> Answer:
        """The task as the answer to another request of its call. Raises LogUnavailable."""
        if not task.deferred:
            task.defer()
            if run.shares:
                await run.publish(task.record())
            self._metrics.tasks.add()
        return json_answer(200, self._created(run, task, info))

    async def again_elsewhere(self, run: RemoteRun, info: RequestInfo) -> Answer | None:
        """The same for a run that another process works on, which makes a task of it; None for one that has ended.
        Raises LogUnavailable."""
        created = await self.promote_elsewhere(run, info)
        return None if created is None else json_answer(200, created)

    # --- near the cap ------------------------------------------------------------------------------------------------

    @staticmethod
    def promotes(tool: Tool, capabilities: Mapping[str, Any]) -> bool:
        """Whether a call of the tool becomes a task near the cap: if the tool has no `task` option, and the client
        supports tasks."""
        return tool.task is None and supports_tasks(capabilities)

    def new(self, info: RequestInfo, retry_asker: RetryAsker, body: bytes) -> Task:
        """The asker of a call that may become a task; `body` is that of its request."""
        return Task(info, retry_asker, self._now, request_bytes(body, {}))

    async def promote(self, run: Run, task: Task, info: RequestInfo, reader: Reader) -> bytes | None:
        """Turn a run whose caller is reading it into a task. Returns the response with which the reader ends, that of
        the request of `info`; None for a run that has ended, whose own response is in the log. Of a call that was
        repeated several may read it: the first of them makes the task.

        Once the run is published, all of this happens in one turn of the loop: a caller that disconnected before it has
        been detected, and one that disconnects after it may have read its taskId.
        """
        if not task.deferred:
            task.created = self._now()
        if run.shares:
            await run.publish(task.record(), MCP_TASK)
            if run.key is not None:  # then it has been published from its start
                await run.amend(task.record(), MCP_TASK)
        if run.ended:
            return None
        if not task.deferred:
            task.defer()
            self._follow(run, task, run.promote(reader))
            self._metrics.tasks.add()
            self._metrics.promoted.add()
        return self._created(run, task, info)

    async def promote_elsewhere(self, run: RemoteRun, info: RequestInfo, _: Reader | None = None) -> bytes | None:
        """The same for a run that another process works on. Raises LogUnavailable."""
        created = await run.ask({"do": "task.promote"})
        if created is None:
            await run.refresh()
            return None
        return self._created(run, TaskRecord(created, created, {}), info)

    async def _promote_here(self, letter: Letter) -> float | None:
        """When the run has become a task, which it is from now on; None for one that has ended, or can be none."""
        run = self._runs.known.here(letter["run"])
        if run is None or run.ended or not isinstance(task := run.asker, Task):
            return None
        if run.policy is MCP_TASK:
            task.defer()
        elif await self.promote(run, task, task.transcript.info, run.attach()) is None:
            return None
        return task.created

    def _revived(self, run: Run, task: Task, after: int) -> None:
        self._follow(run, task, run.follow(after))

    def _follow(self, run: Run, task: Task, reader: Reader) -> asyncio.Task[None]:
        run.beside = task
        task.on_change = partial(self._changed, run.id)
        following = asyncio.create_task(task.follow(reader), name=f"task {run.id}")
        self._following.add(following)
        following.add_done_callback(self._following.discard)
        return following

    def _changed(self, run: str) -> None:
        self._on_change(run)
        if self._recording is not None:
            self._recording.begin(run)

    def _created(self, run: FoundRun, task: Task | TaskRecord, info: RequestInfo) -> bytes:
        """CreateTaskResult."""
        created = info.typed({"resultType": "task", **self._snapshot(run, task, "working").wire()})
        return jsonrpc.result(info.id, encode(created))

    async def _ends_at_once(self, run: Run, task: Task, following: asyncio.Task[None], *, repeatable: bool) -> bool:
        """Whether there is a response before the call has to become a task."""
        try:
            await asyncio.wait({following}, timeout=AT_ONCE_SECONDS)
            if not following.done() and (task.asking or run.ended):
                await asyncio.wait({following}, timeout=AT_ONCE_SECONDS)
        except asyncio.CancelledError:  # its caller disconnected, and has no taskId
            if not repeatable:  # by which it would find the task
                run.stop(Left("The caller left before the run was done."))
                self._runs.forget(run)
            raise
        return following.done()

    async def settled(self) -> None:
        """Wait until every task whose run has ended has its response."""
        if self._following:
            await asyncio.wait(self._following, timeout=SETTLE_SECONDS)
