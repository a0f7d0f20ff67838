"""The event log in this process's memory: what a restart forgets.

It never suspends except to wait in `read`: whoever appends without pause must give the loop a turn itself. Nothing here
may decide how long a run is kept; it is told.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import islice

from ..protocol.errors import Overloaded, Purged, UnknownRun
from ..protocol.event import Entry, Event
from ..protocol.revision import Keep
from . import READ_BYTES, READ_ENTRIES

MAX_CLAIMS = 250_000
"""Names claimed at once: 60 MB, measured. States that are good for one use last an hour, so that is 69 of
them a second without end; beyond that a claim is refused, as a name that is forgotten could be claimed twice."""

FREED_AT_ONCE = 16
"""Names whose time is over that one claim takes the time to forget: more than it adds, and microseconds."""


class _Run:
    """One run's entries: `entries[0].number` is the oldest kept."""

    __slots__ = ("end", "entries", "keep", "kept_bytes", "last", "waiting")

    def __init__(self, keep: Keep) -> None:
        self.keep = keep
        self.entries: deque[Entry] = deque()
        self.kept_bytes = 0
        self.last = 0
        self.end = 0
        self.waiting: set[asyncio.Future[bool]] = set()

    def wake(self) -> None:
        for future in self.waiting:
            _resolve(future, True)

    def trim(self) -> None:
        while len(self.entries) > self.keep.entries or (self.kept_bytes > self.keep.bytes and len(self.entries) > 1):
            self.kept_bytes -= self.entries.popleft().event.size


class MemoryLog:
    """An `EventLog` of dicts and deques."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._claimed: dict[str, float] = {}
        self._by_time: list[tuple[float, str]] = []

    def __len__(self) -> int:
        """Runs in the log."""
        return len(self._runs)

    async def open(self, run: str, keep: Keep) -> None:
        if run in self._runs:
            raise ValueError(f"run {run} has a log already")
        self._runs[run] = _Run(keep)

    async def append(self, run: str, events: Sequence[Event]) -> Entry:
        log = self._run(run)
        for event in events:
            log.last += 1
            log.end += event.size
            log.kept_bytes += event.size
            log.entries.append(Entry(log.last, event, log.end))
        log.trim()
        log.wake()
        return log.entries[-1]

    async def read(self, run: str, after: int, until: float) -> list[Entry]:
        log = self._run(run)
        while log.last <= after:
            woken = await self._wait(log, until)
            log = self._run(run)
            if not woken and log.last <= after:
                return []
        skip = after + 1 - log.entries[0].number
        if skip < 0:
            raise Purged(f"Events {after + 1} to {log.entries[0].number - 1} of this run are no longer kept.")
        batch: list[Entry] = []
        size = 0
        for entry in islice(log.entries, skip, skip + READ_ENTRIES):
            size += entry.event.size
            if batch and size > READ_BYTES:
                break
            batch.append(entry)
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

    @staticmethod
    async def _wait(log: _Run, until: float) -> bool:
        """Whether something happened before `until`.

        One future and one timer: no task, so that a waiting reader costs little and a cancel finds nothing else.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        timer = loop.call_at(until, _resolve, future, False)
        log.waiting.add(future)
        try:
            return await future
        finally:
            timer.cancel()
            log.waiting.discard(future)


def _resolve(future: asyncio.Future[bool], woken: bool) -> None:
    if not future.done():
        future.set_result(woken)
