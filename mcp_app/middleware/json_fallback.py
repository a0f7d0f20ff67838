"""The JSON fallback: a whole run as one JSON object, for callers whose Accept does not take an event stream.

It reads as fast as the tool writes and keeps the first that fit: a tool that floods costs its window and this bound.
Which representation a caller gets is decided in protocol/http/accept.py, the HTTP status of an error by the error.
"""

from __future__ import annotations

import math
from typing import Any

from ..protocol import asking, errors, plain
from ..protocol.event import Entry, Event, EventType, decode
from . import Batches

MAX_ITEMS = 1000
"""Events kept for the `progress` list: more is a download, which wants the stream."""

MAX_BYTES = 1024 * 1024
"""The same in bytes: the answer is held in memory as a whole, next to its parts."""


class Collected:
    """The events of a run, the first that fit, and how many there were."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.items = 0
        self.last: Event | None = None
        self._bytes = 0
        self._full = False

    def add(self, entry: Entry) -> None:
        event = entry.event
        if event.last:
            self.last = event
        elif event.type is not EventType.STARTED:
            self.items += 1
            self._bytes += event.size
            # Once one did not fit none is taken any more: a list with holes would be read as whole.
            self._full = self._full or len(self.events) >= MAX_ITEMS or self._bytes > MAX_BYTES
            if not self._full:
                self.events.append(event)

    @property
    def metadata(self) -> dict[str, Any]:
        return {"truncated": True, "items": self.items} if self._full else {}


async def collect(batches: Batches, tool: str, run: str) -> tuple[int, bytes]:
    """Read the run to its end: the HTTP status and the JSON object.

    Raises what the reader raises (Purged, UnknownRun).
    """
    collected = Collected()
    while (batch := await batches.next(math.inf)) is not None:
        for entry in batch:
            if isinstance(entry, Entry):
                collected.add(entry)
    end = collected.last
    if end is None:
        # Only a cap that leaves the run alive ends a stream without a last event, and such runs are not collected.
        raise RuntimeError(f"run {run} ended without a last event")
    status = 200 if end.type is EventType.COMPLETE else _status(end)
    return status, plain.json_answer(tool, end, collected.events, {"run": run, **collected.metadata})


def _status(end: Event) -> int:
    """The status of the error's code; 500 for a code that the tool's author made up."""
    return _STATUS.get(decode(end.data)["code"], errors.ToolError.status)


_ENDINGS: tuple[type[errors.McpAppError], ...] = (
    *errors.RunError.__subclasses__(),
    *(asking.Declined, asking.MissingCapability, asking.NoAnswer),
)
_STATUS = {error.code: error.status for error in _ENDINGS}
