"""What of a task is in its run's record: so any process can tell its state.

How a task is asked for, and what becomes of an answer, is not known here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ....protocol.errors import Cancelled
from ....protocol.event import decode
from ....protocol.mcp.request_info import RequestInfo
from ....runs import FoundRun
from ..request_record import read_request, write_request
from ..restoring import restored

TaskOutcome = tuple[str, dict[str, Any]]
"""The status of a task, and the members that go with it."""


class TaskRecord(NamedTuple):
    """`created` and `updated` are seconds since the epoch. `asks` are the unanswered requests, by key. `can` are the
    client's capabilities, for whoever asks it next."""

    created: float
    updated: float
    asks: Mapping[str, Any]
    can: Mapping[str, Any] = MappingProxyType({})

    def write(self, info: RequestInfo) -> bytes:
        """The dialect's own part of the run's record."""
        return write_request(info, {"task": {**self._asdict(), "can": dict(self.can)}})


def read_task(run: FoundRun, namespace: str, meta: Mapping[str, Any]) -> tuple[RequestInfo, TaskRecord] | None:
    """The request and the task of a run that another process works on; None for one that is no task. Raises
    LogUnavailable for what a newer release wrote."""
    if not run.extra:
        return None
    info, known = read_request(run.extra, namespace, meta)
    return None if known.get("task") is None else (info, TaskRecord(**known["task"]))


async def outcome(run: FoundRun, info: RequestInfo, task: TaskRecord) -> tuple[TaskOutcome, float]:
    """The outcome of a task that another process works on, and when it was last updated. Raises UnknownRun,
    LogUnavailable."""
    if not run.over:
        return unended(task.asks), task.updated
    last = await run.end_event()
    ended = run.created + decode(last.metadata)["duration_ms"] / 1000
    if run.code == Cancelled.code:
        return ("cancelled", {}), ended
    transcript = await restored(run, info, run.events - 1)
    return ended_with(transcript.response(last)), ended


def unended(asks: Mapping[str, Any]) -> TaskOutcome:
    """The outcome of a task that is being worked on, or waits for these requests to be answered."""
    return ("input_required", {"inputRequests": asks}) if asks else ("working", {})


def ended_with(response: bytes) -> TaskOutcome:
    """The outcome of a task whose call has this response."""
    message = json.loads(response)
    if "error" in message:
        return "failed", {"statusMessage": message["error"]["message"], "error": message["error"]}
    return "completed", {"result": message["result"]}
