"""The methods with which a client asks for its tasks, answers what they ask and cancels them, on whichever process.

How a call becomes a task is known in tasks.py; header fields and `_meta` have been validated before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ....eventlog.shared import RETRY_SECONDS
from ....nodes.letters import Letter
from ....nodes.remote_run import RemoteRun
from ....protocol.errors import Cancelled, LogUnavailable, UnknownRun
from ....protocol.mcp.jsonrpc import Code, RpcError
from ....protocol.mcp.request_info import RequestInfo
from ....protocol.mcp.tasks import TaskSnapshot
from ....protocol.policy import MCP_TASK
from ....runs import FoundRun, Run, Runs
from .task import Task
from .task_record import TaskRecord, outcome, read_task

if TYPE_CHECKING:
    from .task_recording import TaskRecording

STATE_TRIES = 5
"""How often a subscriber's task is looked for while the log cannot be reached: its stream is silent meanwhile."""


class TaskMethods:
    """The part of `Tasks` that answers methods."""

    if TYPE_CHECKING:
        _runs: Runs
        _namespace: str
        _meta: Mapping[str, Any]
        _keep_seconds: float
        _recording: TaskRecording | None

    async def get(self, params: Mapping[str, Any], principal: str) -> dict[str, Any]:
        """tasks/get: the state of the principal's task. Raises RpcError for an unknown task, LogUnavailable."""
        run, task = await self._find(params, principal)
        if isinstance(run, Run) and isinstance(task, Task):
            status, more = task.outcome(run)
            return {**self._snapshot(run, task, status).wire(), **more}
        assert not isinstance(task, Task)  # noqa: S101 - that is a run's of this process
        (status, more), updated = await outcome(run, *task)
        return {**self._snapshot(run, task[1]._replace(updated=updated), status).wire(), **more}

    async def known(self, ids: Iterable[Any], principal: str) -> list[str]:
        """The ids that are tasks of this principal, without duplicates."""
        found = []
        for each in dict.fromkeys(each for each in ids if isinstance(each, str)):
            try:
                await self._find({"taskId": each}, principal)
            except RpcError:
                continue
            found.append(each)
        return found

    async def state(self, principal: str, id_: str) -> dict[str, Any] | None:
        """The result of `get`; None for an unknown task, and while the log that processes share cannot be reached."""
        for _ in range(STATE_TRIES):
            try:
                return await self.get({"taskId": id_}, principal)
            except RpcError:
                return None
            except LogUnavailable:
                await asyncio.sleep(RETRY_SECONDS)
        return None

    async def update(self, params: Mapping[str, Any], principal: str) -> dict[str, Any]:
        """tasks/update: answers to outstanding questions. Raises RpcError, LogUnavailable."""
        run, _ = await self._find(params, principal)
        responses = params.get("inputResponses")
        if not isinstance(responses, Mapping):
            raise RpcError(Code.INVALID_PARAMS, '"inputResponses": an object of answers by key is needed.')
        letter = {"run": run.id, "responses": responses}
        if isinstance(run, RemoteRun):
            await run.ask({"do": "task.update", **letter})
        else:
            await self._update_here(letter)
        return {}

    async def _update_here(self, letter: Letter) -> None:
        """What is answered is recorded before the client asks any process again."""
        run = self._runs.known.here(letter["run"])
        if run is not None and isinstance(run.asker, Task):
            run.asker.answer(letter["responses"])
            if self._recording is not None:
                await self._recording.settled(run.id)

    async def cancel(self, params: Mapping[str, Any], principal: str) -> dict[str, Any]:
        """tasks/cancel: an ended task is not changed. Raises RpcError, LogUnavailable."""
        run, _ = await self._find(params, principal)
        await run.cancel(Cancelled("The task was cancelled by its client."))
        return {}

    async def _find(
        self, params: Mapping[str, Any], principal: str
    ) -> tuple[FoundRun, Task | tuple[RequestInfo, TaskRecord]]:
        """The task of this process, or what is recorded of another's."""
        id_ = params.get("taskId")
        if not isinstance(id_, str):
            raise RpcError(Code.INVALID_PARAMS, '"taskId": a string is needed.')
        try:
            run = await self._runs.find(id_, principal)
        except UnknownRun:
            raise _unknown() from None
        if isinstance(run, Run):
            # One with a key is a task for who has repeated the call elsewhere.
            if isinstance(run.asker, Task) and (run.asker.deferred or (run.key and run.policy is MCP_TASK)):
                return run, run.asker
        elif run.policy is MCP_TASK and (recorded := read_task(run, self._namespace, self._meta)) is not None:
            return run, recorded
        raise _unknown()

    def _snapshot(self, run: FoundRun, task: Task | TaskRecord, status: str) -> TaskSnapshot:
        ttl = run.created + run.cap + self._keep_seconds - task.created
        return TaskSnapshot(run.id, status, task.created, max(task.updated, task.created), ttl)


def _unknown() -> RpcError:
    return RpcError(Code.INVALID_PARAMS, "This task is not known: it was never created, or its time is over.")
