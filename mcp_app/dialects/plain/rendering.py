"""The plain dialect's rendering: events in the tutorial's format, their ids, and optionally visible heartbeats.

The content of a stream and its end are not decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...protocol import plain_events
from ...protocol.errors import McpAppError
from ...protocol.event import Entry, Shape
from ...protocol.event_id import EventId
from ...protocol.http import sse

_CAP = sse.comment("cap")

_VALUE = Shape.VALUE  # looked up once: an enum's attribute access is slow


class PlainRendering:
    """Renders a plain stream of the run that is at `url()`. `visible` heartbeats are events, for scripts; `retry_ms` is
    sent with the first entry."""

    def __init__(
        self, run: str, url: Callable[[], str], after: int, opening: bytes, *, visible: bool, retry_ms: int | None
    ) -> None:
        self._run = run.encode()
        self._url = url
        self._last = after
        self._opening = opening
        self._heartbeat = plain_events.HEARTBEAT_EVENT if visible else sse.HEARTBEAT
        self._retry_ms = retry_ms

    def opening(self) -> bytes:
        return self._opening

    def entries(self, entries: Sequence[Entry]) -> list[bytes]:
        self._last = entries[-1].number
        run = self._run
        frames = [
            self._frame(entry) if entry.event.shape is not _VALUE else plain_events.frame(run, entry)
            for entry in entries
        ]
        if entries[-1].event.beside:  # only the last event of a run has something
            frames[-1] = self._frame(entries[-1])
        if self._retry_ms is not None and frames[0]:
            frames[0] = plain_events.frame(run, self._addressed(entries[0]), self._retry_ms)
            self._retry_ms = None
        return frames

    def _frame(self, entry: Entry) -> bytes:
        """Empty for an event that is not for this reader."""
        return b"" if entry.event.shape is Shape.PRIVATE else plain_events.frame(self._run, self._addressed(entry))

    def _addressed(self, entry: Entry) -> Entry:
        return Entry(entry.number, plain_events.addressed(entry.event, self._url), entry.end)

    def heartbeat(self) -> bytes:
        return self._heartbeat

    def cap(self) -> bytes:
        return _CAP

    def error(self, error: McpAppError) -> bytes:
        return plain_events.error_frame(error, EventId(self._run.decode(), self._last))
