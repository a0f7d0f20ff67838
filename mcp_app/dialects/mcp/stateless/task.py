"""One task: a call whose response is collected for whoever polls, and how it stands (io.modelcontextprotocol/tasks).

What makes a call a task is tasks.py's, the wire's names are protocol/mcp/tasks.py's, and what a tool asks in between
asking/by_polling.py's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from ....asking import PollingAsker, RetryAsker
from ....protocol.errors import Cancelled, UnknownRun
from ....protocol.event import Event
from ....protocol.mcp.asked import Asked
from ....protocol.mcp.results import status
from ....protocol.mcp.transcript import Transcript
from ....runs import Reader, Run
from ....web.messages import Answer, json_answer
from ..failures import as_rpc_error

_LOOK_SECONDS = 3600.0
"""How long one read of the log waits; then it is read again."""


class Task(PollingAsker):
    """One call that may be a task, as the asker of its run: so it is known as long as the run is.

    `created` and `updated` are seconds since the epoch. `on_change` is called when `outcome` has become another.
    """

    def __init__(self, asked: Asked, rounds: RetryAsker, now: Callable[[], float]) -> None:
        super().__init__(rounds, self._touch)
        self.transcript = Transcript(asked)
        self.created = self.updated = now()
        self.on_change: Callable[[], None] = lambda: None
        self._last: Event | None = None  # the log's own: a response that is kept beside it would count nowhere
        self._lost: bytes | None = None
        self._now = now

    def _touch(self) -> None:
        self.updated = self._now()
        self.on_change()

    async def follow(self, reader: Reader) -> None:
        """Read the run to its end, for what of it belongs into the result."""
        try:
            self._last = await self._end_of(reader)
        except Exception as error:  # purged, or ours: there is a response all the same
            self._lost = as_rpc_error(error, self.transcript.asked.id).encode()
        finally:
            reader.close()
        self._touch()

    async def _end_of(self, reader: Reader) -> Event:
        loop = asyncio.get_running_loop()
        while (batch := await reader.next(loop.time() + _LOOK_SECONDS)) is not None:
            for entry in batch:
                if entry.event.last:
                    return entry.event
                self.transcript.keep(entry)  # notifications are "not supported on tasks"
        raise UnknownRun("This run has no end.")

    @property
    def response(self) -> bytes | None:
        """The response to the call, once there is one."""
        return self._lost if self._last is None else self.transcript.response(self._last)

    def answer_at_once(self) -> Answer:
        """The response as the call's answer, when there is one."""
        http_status = 200 if self._last is None else status(self.transcript.asked, self._last)
        return json_answer(http_status, self.response or b"")

    def outcome(self, run: Run) -> tuple[str, dict[str, Any]]:
        """Its status, and the members that go with it."""
        if isinstance(run.stopped_by, Cancelled):
            return "cancelled", {}
        response = self.response
        if response is None:
            asked = self.outstanding
            return ("input_required", {"inputRequests": asked}) if asked else ("working", {})
        said = json.loads(response)
        if "error" in said:
            return "failed", {"statusMessage": said["error"]["message"], "error": said["error"]}
        return "completed", {"result": said["result"]}
