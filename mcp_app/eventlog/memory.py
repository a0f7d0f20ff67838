"""The event log in the memory of this process: lost at a restart.

It never suspends except to wait in `read`: a writer that appends continuously must yield to the event loop itself. This
module does not decide how long a run is kept; its owner calls `forget`.
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
"""Maximum number of claimed names: 60 MB, measured. Single-use states last an hour, so this allows 69 claims a second
indefinitely. Beyond it a claim is rejected, because a name dropped early could be claimed twice."""

EXPIRED_PER_CLAIM = 16
"""Maximum number of expired names that one claim removes: more than the one that it adds, and microseconds of work."""


TRIM_ENTRIES = 32
"""Entries that are dropped together: one by one would add a cost to each event. Until then they cannot be read, and
their bytes count."""

_end = attrgetter("end")


class _Run:
    """One run's entries: `entries[0]` is the oldest in memory, `start` the sum of the sizes of all entries before it.

    They are in a list although it is trimmed at its front: that moves a few kilobytes, and a batch is one slice. A
    deque has no slices: each entry would be looked up from its nearer end.
    """

    __slots__ = ("end", "entries", "keep", "last", "start", "waiters")

    def __init__(self, keep: Retention, last: int, end: int) -> None:
        self.keep = keep
        self.entries: list[Entry] = []
        self.start = end
        self.last = last
        self.end = end
        self.waiters: set[asyncio.Future[bool]] = set()

    @property
    def first(self) -> int:
        """The number of the oldest entry that can be read, or will be."""
        return max(self.last - len(self.entries), self.last - self.keep.entries) + 1

    def wake(self) -> None:
        """Wake the waiting readers, once: further appends before they run do not wake them again."""
        waiters, self.waiters = self.waiters, set()
        for future in waiters:
            _resolve(future, woken=True)

    def trim(self) -> None:
        """Drop the oldest entries beyond the retention, but never the last entry."""
        entries, keep = self.entries, self.keep
        dropped = max(0, len(entries) - keep.entries)
        if dropped:
            self.start = entries[dropped - 1].end
        while self.end - self.start > keep.bytes and dropped < len(entries) - 1:
            self.start = entries[dropped].end
            dropped += 1
        del entries[:dropped]

    def drop(self, through: int) -> None:
        dropped = through - (self.last - len(self.entries))
        if dropped > 0:
            self.start = self.entries[dropped - 1].end
            del self.entries[:dropped]


class MemoryLog:
    """An `EventLog` of dicts and lists."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._claims: dict[str, float] = {}
        self._by_expiry: list[tuple[float, str]] = []
        self._waits = Deadlines(_resolve)

    def __len__(self) -> int:
        """The number of runs in the log."""
        return len(self._runs)

    async def open(self, run: str, keep: Retention, last: int = 0, end: int = 0) -> None:
        if run in self._runs:
            raise ValueError(f"run {run} has a log already")
        self._runs[run] = _Run(keep, last, end)

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
        if log.waiters:
            log.wake()
        return entries[-1]

    async def read(self, run: str, after: int, until: float) -> list[Entry]:
        log = self._run(run)
        while log.last <= after:
            # A future and a deadline, no task: a waiting reader is cheap, and cancelling it leaves nothing to clean up.
            future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            self._waits.at(future, until)
            log.waiters.add(future)
            try:
                woken = await future
            finally:
                self._waits.cancel(future)
                log.waiters.discard(future)
            log = self._run(run)
            if not woken and log.last <= after:
                return []
        entries = log.entries
        first = log.last - len(entries) + 1
        oldest = max(first, log.last - log.keep.entries + 1)
        if after + 1 < oldest:
            raise Purged(f"Events {after + 1} to {oldest - 1} of this run are no longer kept.")
        skip = after + 1 - first
        batch = entries[skip : skip + READ_ENTRIES]
        limit = batch[0].end - batch[0].event.size + READ_BYTES
        if batch[-1].end > limit:
            # The first entry is returned whatever its size.
            del batch[max(1, bisect_right(batch, limit, key=_end)) :]
        return batch

    def first(self, run: str) -> int:
        return self._run(run).first

    def drop(self, run: str, through: int) -> None:
        if run in self._runs:
            self._runs[run].drop(through)

    def forget(self, run: str) -> None:
        log = self._runs.pop(run, None)
        if log is not None:
            log.wake()

    async def claim(self, name: str, *, now: float, until: float) -> bool:
        self._expire_claims(now)
        if self._claims.get(name, now) > now:
            return False
        if len(self._by_expiry) >= MAX_CLAIMS:
            seconds = max(1, math.ceil(self._by_expiry[0][0] - now))
            raise Overloaded("As many claims as this log holds are kept.", headers={"Retry-After": str(seconds)})
        self._claims[name] = until
        heappush(self._by_expiry, (until, name))
        return True

    def _expire_claims(self, now: float) -> None:
        """Remove some of the expired names, but not those that have been claimed again since."""
        for _ in range(EXPIRED_PER_CLAIM):
            if not self._by_expiry or self._by_expiry[0][0] > now:
                return
            until, name = heappop(self._by_expiry)
            if self._claims.get(name) == until:
                del self._claims[name]

    def _run(self, run: str) -> _Run:
        try:
            return self._runs[run]
        except KeyError:
            raise UnknownRun("This run is not known.") from None


def _resolve(future: asyncio.Future[bool], woken: bool = False) -> None:
    if not future.done():
        future.set_result(woken)
