"""The writing end of a run's log: appends in order, one at a time, with back-pressure from the reader.

Readers, tools and the reasons for which a run ends are not known here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, cast

from ..aio.event import LazyEvent
from ..aio.mutex import Mutex
from ..authoring.kind import Encoded
from ..eventlog import EventLog
from ..protocol.event import Entry, Event, Shape
from ..protocol.linked import too_large
from ..protocol.policy import WINDOW_BYTES, Retention
from .memory import ENTRY_BYTES, Share
from .pace import CLOCK_EVENTS, COUNTED_BYTES, SHORT_BYTES, SLICE_SECONDS, YIELD_TURNS
from .results import METADATA_BYTES, Bounds, OnKept, Results
from .window import Window
from .write_through import WriteThrough, entries_after

Begin = Callable[[list[Entry], int, int], Awaitable[WriteThrough]]
"""Makes a run known to other nodes: from the entries that are kept, and the number and the end of the last one."""

_DEFAULT = Bounds()


class _Place(NamedTuple):
    """Where an entry ends in the log: its number, and the bytes of all up to it."""

    number: int
    end: int


_START = _Place(0, 0)


class Writer:
    """Appends to the log of one run. Many tasks of a tool may emit at the same time.

    `waits`: whether `emit` waits while the log is a window ahead of what the reader acknowledged. `linkable`: whether
    a part that is too large for an event is kept, in `results`, and linked. `share` counts what is held. `clock` counts
    seconds; it must advance within one iteration of the loop, as uvloop's own, in whole milliseconds, does not.
    `through` is the way to the shared log; None unless the run is published.
    """

    def __init__(
        self,
        log: EventLog,
        run: str,
        *,
        waits: bool,
        linkable: bool = True,
        bounds: Bounds = _DEFAULT,
        share: Share | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._log = log
        self._run = run
        self._keep = Retention(0, 0)  # until `open`
        self._waits = waits
        self._read = waits  # whether there is a reader that could be waited for
        self._bounded = waits  # whether `emit` waits for it, as things are
        self._linkable = linkable
        self._bounds = bounds
        self._max_event_bytes = bounds.max_event_bytes
        self._share = Share() if share is None else share
        self._count_at = COUNTED_BYTES
        self._counted = 0
        self._short = False
        self._dropped = _START  # the last entry that memory was too short for
        self._mark = _START
        self.results: Results | None = None
        self.on_kept: OnKept | None = None
        self.through: WriteThrough | None = None
        self._window = Window()
        self._room = LazyEvent()
        self._writing = Mutex()  # a log that awaits must not get two concurrent appends of one run
        self._closed: str | None = None
        self._refusing = False
        self._released = LazyEvent()
        self._clock = clock
        self._slice_began = clock()
        self._since_clock = 0

    @property
    def events(self) -> int:
        """Events appended so far."""
        return self._window.appended

    @property
    def size(self) -> int:
        """Bytes of the events that the log keeps, at most."""
        return min(self._window.appended_bytes - self._dropped.end, self._keep.bytes)

    @property
    def held(self) -> int:
        """Bytes that these take in memory."""
        return self.size + ENTRY_BYTES * min(self._window.appended - self._dropped.number, self._keep.entries)

    async def open(self, keep: Retention, first: Event) -> None:
        """Begin the log with its first event."""
        self._keep = keep
        await self._writing.acquire()
        try:
            await self._log.open(self._run, keep)
            await self._append((first,))
        finally:
            self._writing.release()

    async def publish(self, begin: Begin) -> None:
        """From now on write to the shared log, too. Idempotent. Raises what `begin` raises."""
        await self._writing.acquire()
        try:
            if self.through is None:
                last = self._window.appended
                kept = await entries_after(self._log, self._run, self._log.first(self._run) - 1, last)
                self.through = await begin(kept, last, self._window.appended_bytes)
                self.through.appended = self._window.append
                self._log = cast(EventLog, self.through)
        finally:
            self._writing.release()

    async def emit(self, events: Sequence[Event]) -> None:
        """Append events, waiting for room in the window.

        Raises EventTooLarge, after the events before it were appended; NoMemory when there is no memory for them;
        CancelledError once the writer refuses, so that a cancelled tool stops at its next event.
        """
        if self._refusing:
            raise self._cancelled()
        large = False
        for event in events:
            if event.size > COUNTED_BYTES:
                large = True
                if event.size > self._max_event_bytes:
                    await self._emit_large(events, events.index(event))
                    return
        while events:
            if self._writing.locked:
                await self._writing.acquire()
            else:
                self._writing.locked = True
            try:
                closed = self._closed is not None
                count = 0 if closed else self._window.fitting(events) if self._bounded else len(events)
                if count:
                    if large or self._short:
                        self._share.check(sum(event.size for event in events[:count]))
                    entry = await self._log.append(self._run, events[:count])
                    self._window.append(entry.number, entry.end)
                    if entry.end >= self._count_at:
                        self._count()
            finally:
                self._writing.release()
            events = events[count:]
            if count:
                self._since_clock += count
                if self._since_clock >= CLOCK_EVENTS:
                    await self._yield_to_loop()
            else:
                await self._wait_for_room(closed)

    async def _wait_for_room(self, closed: bool) -> None:
        if closed:
            await self._released.wait()
            raise self._cancelled()
        self._room.clear()
        await self._room.wait()

    async def _emit_large(self, events: Sequence[Event], index: int) -> None:
        """Emit the events, the one at `index` with links in it. Then the window is full until the reader acknowledges:
        it would else be far behind what is kept."""
        await self.emit(events[:index])
        results = self._results()
        if results is None:
            raise too_large("An event", events[index].size, self._max_event_bytes)
        event = await results.fit(events[index])
        await self.emit((event,))
        self._window.acknowledged_bytes -= WINDOW_BYTES
        await self.emit(events[index + 1 :])

    def must_link(self, result: Encoded) -> bool:
        """Whether the result is too large for the last event. Raises NoMemory when there is no memory for it."""
        size = len(result.data) + len(result.beside)
        if size > self._max_event_bytes - METADATA_BYTES:
            return True
        if size > COUNTED_BYTES:
            self._share.check(size)
        return False

    async def link_result(self, result: Encoded) -> tuple[Encoded, Shape | None]:
        """A result that must be linked, with links in it, and its shape; None if its data is whole. Raises
        EventTooLarge, NoMemory."""
        results = self._results()
        if results is None:
            size = len(result.data) + len(result.beside)
            raise too_large("A result", size, self._max_event_bytes - METADATA_BYTES)
        whole = Shape.CONTENT if result.content else Shape.VALUE
        data, shape, beside = await results.fit_result(result.data, whole, result.beside)
        linked = shape is not whole
        return Encoded(data, result.content or linked, beside), shape if linked else None

    def _results(self) -> Results | None:
        if self.results is None and self._linkable:
            self.results = Results(self._run, self._bounds, self._share, self.on_kept)
        return self.results

    def _count(self) -> None:
        short = self._share.short
        if short:
            self._shorten()
        if short is not self._short:
            self._short = short
            self._window.narrow(short)
        self._bounded = self._waits or (short and self._read)
        held = self.held
        self._share.add(held - self._counted)
        self._counted = held
        self._count_at = self._window.appended_bytes + COUNTED_BYTES

    def _shorten(self) -> None:
        """Drop what was appended before the mark, once the reader has acknowledged it; where there is no reader to wait
        for, once SHORT_BYTES have been appended since."""
        window, mark = self._window, self._mark
        since = window.appended_bytes - mark.end + ENTRY_BYTES * (window.appended - mark.number)
        if mark.number > window.acknowledged if self._read else since < SHORT_BYTES:
            return
        if mark.number > self._dropped.number:
            self._log.drop(self._run, mark.number)
            self._dropped = mark
        self._mark = _Place(window.appended, window.appended_bytes)

    def acknowledge(self, number: int, end: int) -> None:
        """The reader that the tool waits for has written all entries up to and including this one."""
        self._window.acknowledge(number, end)
        self._room.set()

    def attach(self) -> None:
        """Somebody reads it from now on: also one that is not waited for is, while memory is short."""
        self._read = True

    def stop_waiting(self) -> None:
        """The last reader has left: `emit` no longer waits."""
        self._waits = self._read = self._bounded = False
        self._room.set()

    def close(self, code: str) -> None:
        """From now on only the last event is appended; `emit` blocks until `refuse` or `release`. `code` says why."""
        self._closed = code

    def refuse(self) -> None:
        """The tool's task was cancelled: from now on `emit` raises CancelledError at once.

        Not before that, and not in calls of `emit` that already wait: a task that both cancel would get a second
        CancelledError, in the middle of its cleanup.
        """
        self._refusing = True

    def release(self) -> None:
        """The tool's task has ended or ignores its cancellation: calls that still wait in `emit` get CancelledError."""
        self._refusing = True
        self._released.set()
        self._room.set()

    def _cancelled(self) -> asyncio.CancelledError:
        return asyncio.CancelledError(f"the run was ended: {self._closed}")

    async def finish(self, last: Callable[[int], Event]) -> None:
        """Append the last event, made by `last` from its number, without waiting for the reader. Raises Fenced where
        this process has lost the run."""
        await self._writing.acquire()
        try:
            event = last(self._window.appended + 1)
            if self.through is not None:
                await self.through.end(event, self._closed or "")
            else:
                await self._append((event,))
        finally:
            self._writing.release()

    async def _yield_to_loop(self) -> None:
        """Yield to other tasks, once the tool has held the loop for a slice."""
        self._since_clock = 0
        self._count()
        if self._clock() - self._slice_began >= SLICE_SECONDS:
            for _ in range(YIELD_TURNS):
                await asyncio.sleep(0)
            self._slice_began = self._clock()

    async def _append(self, events: Sequence[Event]) -> None:
        entry = await self._log.append(self._run, events)
        self._window.append(entry.number, entry.end)
        if entry.end >= self._count_at:
            self._count()
