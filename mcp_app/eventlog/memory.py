"""The event log in this process's memory: what a restart forgets.

It never suspends except to wait in `read`: whoever appends without pause must give the loop a turn itself. Nothing here
may decide how long a run is kept; it is told.
"""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_right
from collections.abc import Sequence
from heapq import heappop, heappush
from operator import attrgetter

from ..aio.deadlines import Deadlines
from ..protocol.errors import Overloaded, Purged, UnknownRun
from ..protocol.event import Entry, Event
from ..protocol.policy import Retention
from . import READ_BYTES, READ_ENTRIES

MAX_CLAIMS = 250_000
"""Names claimed at once: 60 MB, measured. States that are good for one use last an hour, so that is 69 of
them a second without end; beyond that a claim is refused, as a name that is forgotten could be claimed twice."""

FREED_AT_ONCE = 16
"""Names whose time is over that one claim takes the time to forget: more than it adds, and microseconds."""


TRIM_ENTRIES = 32
"""Entries that are dropped at once: one by one, each event would pay for it. Until then nobody can read them, and their
bytes count."""

_end = attrgetter("end")


class _Run:
    """One run's entries: `entries[0].number` is the oldest there, and `start` the sum of the sizes of all before it.

    They are a list, though it is cut at its front: that moves a few kilobytes, and a reader's share is one slice of it.
    From a deque each entry would be counted off, from its nearer end.
    """

    __slots__ = ("end", "entries", "keep", "last", "start", "waiting")

    def __init__(self, keep: Retention) -> None:
        self.keep = keep
        self.entries: list[Entry] = []
        self.start = 0
        self.last = 0
        self.end = 0
        self.waiting: set[asyncio.Future[bool]] = set()

    def wake(self) -> None:
        """Tell whoever waits, once: not again for all that is appended before it comes to read."""
        waiting, self.waiting = self.waiting, set()
        for future in waiting:
            _resolve(future, woken=True)

    def trim(self) -> None:
        """Drop the oldest, but never the last."""
        entries, keep = self.entries, self.keep
        gone = max(0, len(entries) - keep.entries)
        if gone:
            self.start = entries[gone - 1].end
        while self.end - self.start > keep.bytes and gone < len(entries) - 1:
            self.start = entries[gone].end
            gone += 1
        del entries[:gone]


class MemoryLog:
    """An `EventLog` of dicts and deques."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._claimed: dict[str, float] = {}
        self._by_time: list[tuple[float, str]] = []
        self._waits = Deadlines(_resolve)

    def __len__(self) -> int:
        """Runs in the log."""
        return len(self._runs)

    async def open(self, run: str, keep: Retention) -> None:
        if run in self._runs:
            raise ValueError(f"run {run} has a log already")
        self._runs[run] = _Run(keep)

    async def append(self, run: str, events: Sequence[Event]) -> Entry:
        log = self._run(run)
        entries, number, end = log.entries, log.last, log.end
        for event in events:
            number += 1
            end += event.size
            entries.append(Entry(number, event, end))
        log.last, log.end = number, end
        if len(entries) >= log.keep.entries + TRIM_ENTRIES or end - log.start > log.keep.bytes:
            log.trim()
        if log.waiting:
            log.wake()
        return entries[-1]

    async def read(self, run: str, after: int, until: float) -> list[Entry]:
        log = self._run(run)
        while log.last <= after:
            # A future and its moment, no task: a waiting reader costs little, and a cancel finds nothing else.
            future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            self._waits.at(future, until)
            log.waiting.add(future)
            try:
                woken = await future
            finally:
                self._waits.cancel(future)
                log.waiting.discard(future)
            log = self._run(run)
            if not woken and log.last <= after:
                return []
        entries = log.entries
        oldest = max(entries[0].number, log.last - log.keep.entries + 1)
        if after + 1 < oldest:
            raise Purged(f"Events {after + 1} to {oldest - 1} of this run are no longer kept.")
        skip = after + 1 - entries[0].number
        batch = entries[skip : skip + READ_ENTRIES]
        most = batch[0].end - batch[0].event.size + READ_BYTES
        if batch[-1].end > most:
            # The first is given out whatever its size.
            del batch[max(1, bisect_right(batch, most, key=_end)) :]
        return batch

    def forget(self, run: str) -> None:
        log = self._runs.pop(run, None)
        if log is not None:
            log.wake()

    async def claim(self, name: str, *, now: float, until: float) -> bool:
        self._free(now)
        if self._claimed.get(name, now) > now:
            return False
        if len(self._by_time) >= MAX_CLAIMS:
            seconds = max(1, math.ceil(self._by_time[0][0] - now))
            raise Overloaded("As many claims as this log holds are kept.", headers={"Retry-After": str(seconds)})
        self._claimed[name] = until
        heappush(self._by_time, (until, name))
        return True

    def _free(self, now: float) -> None:
        """Forget some of the names whose time is over; one that was claimed again since is another's claim."""
        for _ in range(FREED_AT_ONCE):
            if not self._by_time or self._by_time[0][0] > now:
                return
            until, name = heappop(self._by_time)
            if self._claimed.get(name) == until:
                del self._claimed[name]

    def _run(self, run: str) -> _Run:
        try:
            return self._runs[run]
        except KeyError:
            raise UnknownRun("This run is not known.") from None


def _resolve(future: asyncio.Future[bool], woken: bool = False) -> None:
    if not future.done():
        future.set_result(woken)
