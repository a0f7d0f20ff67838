"""The event log: every event of every run, numbered, before anybody sees it; and what may be done only once.

Here is the one interface; each module of this package is one implementation and imports no other. No implementation
may know tools, HTTP or what an event means.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..protocol.event import Entry, Event
from ..protocol.policy import Retention

READ_ENTRIES = 256
"""Entries that one read gives out at most: a window, so that one read catches up with a waiting tool."""

READ_BYTES = 64 * 1024
"""Bytes after which a read stops: a batch becomes one write, and a write of some TLS records neither holds the loop
for long nor stands twice in memory for nothing. A single larger entry is given out alone."""


class EventLog(Protocol):
    """What a log promises. All implementations pass tests/eventlog/contract.py.

    A run is written by one writer at a time. Every method may suspend; none holds the loop for longer than its batch.
    """

    async def open(self, run: str, keep: Retention) -> None:
        """Begin the log of a new run, of which the last `keep` is kept. The id must be new."""

    async def append(self, run: str, events: Sequence[Event]) -> Entry:
        """Number and store the events, in order, all or none; they can be read when this returns.

        Returns the last of them as an entry. Raises UnknownRun when the run was forgotten.
        """

    async def read(self, run: str, after: int, until: float) -> list[Entry]:
        """What follows number `after`: at least one entry, at most READ_ENTRIES and about READ_BYTES, without holes.

        Waits for the first until the loop's clock says `until` (seconds), and returns an empty list then.
        Raises Purged when the entry after `after` is no longer kept, UnknownRun when the run was forgotten.
        """

    def forget(self, run: str) -> None:
        """Drop the run, at once or soon; those who wait for it get UnknownRun. Unknown runs are forgotten already."""

    async def claim(self, name: str, *, now: float, until: float) -> bool:
        """Whether this is the first claim of `name`: of any number that are made at once, one is told True.

        `now` and `until`, after which the name is free again, count seconds since the epoch: the clock of whoever
        claims, as the log may be shared by nodes and outlive them. A claim that is refused changes nothing.
        Raises Overloaded when more names are claimed than the log holds: none is given up before its time.
        """
