"""One task: a call whose response is kept for a client that polls, and its status (io.modelcontextprotocol/tasks).

Calls become tasks in tasks.py; the wire format is in protocol/mcp/tasks.py, the tool's questions in
asking/by_polling.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ....asking import PollingAsker, RetryAsker
from ....protocol.errors import Cancelled, Fenced, UnknownRun
from ....protocol.event import Event
from ....protocol.mcp.request_info import RequestInfo
from ....protocol.mcp.results import status
from ....protocol.mcp.transcript import Transcript
from ....runs import Reader, Run
from ....web.messages import Answer, json_answer
from ..failures import as_rpc_error
from .task_record import TaskOutcome, TaskRecord, ended_with, unended

_LOOK_SECONDS = 3600.0
"""The timeout of one read of the log, after which it is repeated."""


class Task(PollingAsker):
    """One call that is or may become a task. It is the asker of its run, and so exists as long as the run.

    `created` and `updated` are seconds since the epoch. `on_change` is called when the value of `outcome` has changed.
    """

    def __init__(
        self, info: RequestInfo, retry_asker: RetryAsker, now: Callable[[], float], request_bytes: int = 0
    ) -> None:
        """`request_bytes`: what the parameters take, which `requestState` is bound to."""
        super().__init__(retry_asker, self._touch)
        self.transcript = Transcript(info)
        self.created = self.updated = now()
        self.on_change: Callable[[], None] = lambda: None
        self._last: Event | None = None  # the log's object: a separate response would not count towards any size
        self._error: bytes | None = None
        self._now = now
        self._request_bytes = request_bytes

    @property
    def size(self) -> int:
        """The bytes that are kept for the response."""
        return self.transcript.size + self._request_bytes

    def _touch(self) -> None:
        self.updated = self._now()
        self.on_change()

    async def follow(self, reader: Reader) -> None:
        """Read the run to its end, and record the entries that the result repeats."""
        try:
            self._last = await self._last_event(reader)
        except Fenced:  # another process has the run: what becomes of the task is known there
            return
        except Exception as error:  # purged, or a defect of ours: either is the task's response
            self._error = as_rpc_error(error, self.transcript.info.id).encode()
        finally:
            reader.close()
        self._touch()

    async def _last_event(self, reader: Reader) -> Event:
        loop = asyncio.get_running_loop()
        while (batch := await reader.next(loop.time() + _LOOK_SECONDS)) is not None:
            for entry in batch:
                if entry.event.last:
                    return entry.event
                self.transcript.record(entry)  # notifications are "not supported on tasks"
        raise UnknownRun("This run has no end.")

    @property
    def response(self) -> bytes | None:
        """The response to the call; None while there is none."""
        return self._error if self._last is None else self.transcript.response(self._last)

    def immediate_answer(self) -> Answer:
        """The response as the call's answer. There must be a response."""
        http_status = 200 if self._last is None else status(self.transcript.info, self._last)
        return json_answer(http_status, self.response or b"")

    def outcome(self, run: Run) -> TaskOutcome:
        """The task's status, and the members that go with it."""
        if isinstance(run.stopped_by, Cancelled):
            return "cancelled", {}
        response = self.response
        return unended(self.outstanding) if response is None else ended_with(response)

    def record(self) -> bytes:
        """The dialect's own part of the run's record."""
        return TaskRecord(self.created, self.updated, self.outstanding, self.capabilities).write(self.transcript.info)
