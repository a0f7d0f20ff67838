"""The entries of a run that begins again here: those of its attempts before are read from the shared log."""

from __future__ import annotations

from collections.abc import Sequence

from ..eventlog import EventLog
from ..eventlog.shared import SharedLog
from ..protocol.event import Entry, Event
from ..protocol.policy import Retention


class OlderEntries:
    """An `EventLog` of one run, whose entries up to number `last` are in `shared` alone."""

    def __init__(self, shared: SharedLog, local: EventLog, last: int) -> None:
        self._shared = shared
        self._local = local
        self._last = last

    async def open(self, run: str, keep: Retention, last: int = 0, end: int = 0) -> None:
        await self._local.open(run, keep, last, end)

    async def append(self, run: str, events: Sequence[Event]) -> Entry:
        return await self._local.append(run, events)

    async def read(self, run: str, after: int, until: float) -> list[Entry]:
        """Raises LogUnavailable, too."""
        return await (self._local if after >= self._last else self._shared).read(run, after, until)

    def first(self, run: str) -> int:
        return self._local.first(run)

    def drop(self, run: str, through: int) -> None:
        self._local.drop(run, through)

    def forget(self, run: str) -> None:
        self._local.forget(run)

    async def claim(self, name: str, *, now: float, until: float) -> bool:
        return await self._local.claim(name, now=now, until=until)
