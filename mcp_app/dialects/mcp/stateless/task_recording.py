"""Writes the state of tasks into their runs' records, where other processes read it. What it says is in task.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ....eventlog.shared import RETRY_SECONDS
from ....protocol.errors import Fenced, LogUnavailable, UnknownRun
from ....runs.known import KnownRuns
from .task import Task

SETTLE_SECONDS = 5.0
"""How long a client that has answered a question waits until others can read that: two writes to the log."""


class TaskRecording:
    """One write at a time for each task; changes meanwhile are in the next one. `on_record` is called with the id of a
    task that others can read."""

    def __init__(self, known: KnownRuns, on_record: Callable[[str], None]) -> None:
        self._known = known
        self._on_record = on_record
        self._changed: set[str] = set()
        self._writing: dict[str, asyncio.Task[None]] = {}

    def begin(self, run: str) -> None:
        """The task has changed."""
        self._changed.add(run)
        if run not in self._writing:
            self._writing[run] = asyncio.create_task(self._write(run), name=f"record of task {run}")
            self._writing[run].add_done_callback(lambda _: self._writing.pop(run))

    async def settled(self, run: str) -> None:
        """Wait until its last change is written."""
        if (writing := self._writing.get(run)) is not None:
            await asyncio.wait({writing}, timeout=SETTLE_SECONDS)

    async def _write(self, id_: str) -> None:
        while id_ in self._changed:
            self._changed.discard(id_)
            run = self._known.here(id_)
            if run is None or not isinstance(run.asker, Task) or not run.asker.deferred:
                return
            try:
                if not run.over:  # then its last event says all
                    await run.amend(run.asker.record())
            except (Fenced, UnknownRun):  # another process has it
                return
            except LogUnavailable:
                self._changed.add(id_)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._on_record(id_)
