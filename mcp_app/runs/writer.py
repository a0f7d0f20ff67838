"""The writing end of a run's log: one append at a time, each event in its place, the window kept, and one last event.

Who reads, what a tool is and why a run ends are not known here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from ..aio.event import Signal
from ..aio.mutex import Turnstile
from ..eventlog import EventLog
from ..protocol.errors import EventTooLarge
from ..protocol.event import MAX_EVENT_BYTES, Event
from ..protocol.policy import Keep
from .window import Window

SLICE_SECONDS = 0.0004
"""How long a tool that never waits may hold the loop. Its reader then has as much to render and to write, and so all
others wait for a millisecond at most; in half the time there would be half as much in each write."""

LOOK_EVENTS = 16
"""Events between two looks at the clock: one that is slow itself holds the loop for so many, however long."""

AWAY_TURNS = 6
"""Turns of the loop that the tool then stays away. A small answer to somebody else takes five, and so it is done before
the next slice; with one turn it waits for five slices. Where there is nobody else, a turn costs as much as an event."""


class Writer:
    """Appends to the log of one run. A tool may have many tasks that all emit at once.

    `waits`: whether `emit` waits when the log is a window ahead of what `taken` was told. `clock` counts seconds, and
    goes on within a turn of the loop, which uvloop's own does by whole milliseconds.
    """

    def __init__(self, log: EventLog, run: str, *, waits: bool, clock: Callable[[], float] = time.perf_counter) -> None:
        self._log = log
        self._run = run
        self._waits = waits
        self._window = Window()
        self._room = Signal()
        self._writing = Turnstile()  # a log that suspends must not get two appends of one run at once
        self._closed: str | None = None
        self._refusing = False
        self._released = Signal()
        self._clock = clock
        self._since = clock()
        self._unseen = 0

    @property
    def events(self) -> int:
        """Events appended so far."""
        return self._window.appended

    @property
    def bytes(self) -> int:
        """The sum of their sizes."""
        return self._window.appended_bytes

    async def open(self, keep: Keep, first: Event) -> None:
        """Begin the log with its first event."""
        await self._writing.enter()
        try:
            await self._log.open(self._run, keep)
            await self._append((first,))
        finally:
            self._writing.leave()

    async def emit(self, events: Sequence[Event]) -> None:
        """Append events, waiting for room.

        Raises EventTooLarge, after the events before the one that is; CancelledError when the writer refuses, so that
        a tool that was told to stop does so at its next word.
        """
        if self._refusing:
            raise self._cancelled()
        for event in events:
            if event.size > MAX_EVENT_BYTES:
                await self.emit(events[: events.index(event)])
                raise too_large("An event", event.size)
        while events:
            if self._writing.shut:
                await self._writing.enter()
            else:
                self._writing.shut = True
            try:
                closed = self._closed is not None
                count = 0 if closed else self._window.fitting(events) if self._waits else len(events)
                if count:
                    entry = await self._log.append(self._run, events[:count])
                    self._window.append(entry.number, entry.end)
            finally:
                self._writing.leave()
            events = events[count:]
            if count:
                self._unseen += count
                if self._unseen >= LOOK_EVENTS:
                    await self._give_way()
            elif closed:
                await self._released.wait()
                raise self._cancelled()
            else:
                self._room.clear()
                await self._room.wait()

    def acknowledge(self, number: int, end: int) -> None:
        """The reader that is waited for has taken all up to and with that entry."""
        self._window.take(number, end)
        self._room.set()

    def stop_waiting(self) -> None:
        """There is no reader any more whose pace is the tool's."""
        self._waits = False
        self._room.set()

    def close(self, why: str) -> None:
        """Nothing is appended any more but the last event; who emits, waits."""
        self._closed = why

    def refuse(self) -> None:
        """The tool's task was cancelled: who emits now gets CancelledError at once.

        Not earlier, and not yet who waits there: cancelled by both, a task would be told twice, the second time in its
        cleanup.
        """
        self._refusing = True

    def release(self) -> None:
        """The tool's task has ended, or does not care: who still waits in `emit` gets CancelledError."""
        self._refusing = True
        self._released.set()
        self._room.set()

    def _cancelled(self) -> asyncio.CancelledError:
        return asyncio.CancelledError(f"the run was ended: {self._closed}")

    async def finish(self, last: Callable[[int], Event]) -> None:
        """Append the last event, made with its number. It waits for no reader."""
        await self._writing.enter()
        try:
            await self._append((last(self._window.appended + 1),))
        finally:
            self._writing.leave()

    async def _give_way(self) -> None:
        """Let the others have the loop, once the tool has had it for long enough."""
        self._unseen = 0
        if self._clock() - self._since >= SLICE_SECONDS:
            for _ in range(AWAY_TURNS):
                await asyncio.sleep(0)
            self._since = self._clock()

    async def _append(self, events: Sequence[Event]) -> None:
        entry = await self._log.append(self._run, events)
        self._window.append(entry.number, entry.end)


def too_large(what: str, size: int) -> EventTooLarge:
    """The error for an event of that size."""
    return EventTooLarge(f"{what} of {size} bytes is larger than {MAX_EVENT_BYTES} bytes.")
