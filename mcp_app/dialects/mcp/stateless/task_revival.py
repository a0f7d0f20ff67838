"""A task that begins again here, as its process is gone: what it had been answered holds, and its client polls on.

Which runs begin again is decided in mcp_app/nodes/restarts.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ....asking import RetryAsker, earlier_state
from ....eventlog.records import RunRecord
from ....runs import Run
from ..request_record import read_request
from .task import Task
from .task_record import TaskRecord


class TaskRevival:
    """A `Reviver` of tasks. `namespace` and `meta` are those of every request, `follow` keeps a task's response, from
    number `after` of its run on."""

    def __init__(
        self,
        namespace: str,
        meta: Mapping[str, Any],
        now: Callable[[], float],
        follow: Callable[[Run, Task, int], object],
    ) -> None:
        self._namespace, self._meta = namespace, meta
        self._now = now
        self._follow = follow

    def asker(self, record: RunRecord, known: dict[str, Any]) -> Task | None:
        """As `Reviver.asker`."""
        if not record.extra:
            return None
        info, more = read_request(record.extra, self._namespace, self._meta)
        if more.get("task") is None:
            return None
        recorded = TaskRecord(**more["task"])
        task = Task(info, RetryAsker(recorded.can, earlier_state(known), {}), self._now)
        task.created = recorded.created
        task.defer()
        return task

    def revived(self, run: Run, after: int) -> None:
        """As `Reviver.revived`."""
        assert isinstance(run.asker, Task)  # noqa: S101 - it was made here
        self._follow(run, run.asker, after)
