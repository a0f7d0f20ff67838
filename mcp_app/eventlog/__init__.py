"""The event log: stores and numbers every event of every run before any reader gets it; and grants one-time claims.

The interface is defined here; each module of this package is one implementation and imports no other. No implementation
may know tools, HTTP or the meaning of an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..protocol.event import Entry, Event
from ..protocol.policy import Retention

READ_ENTRIES = 256
"""Maximum entries of one read: a window, so that one read catches up with a tool that waits."""

READ_BYTES = 64 * 1024
"""Maximum bytes of one read: a batch becomes one write, and a write of a few TLS records neither blocks the event loop
for long nor wastes memory on a second copy. A single larger entry is returned alone."""


class EventLog(Protocol):
    """The interface of a log. All implementations pass tests/eventlog/contract.py.

    A run has one writer at a time. Every method may suspend; none blocks the event loop for longer than its batch.
    """

    async def open(self, run: str, keep: Retention, last: int = 0, end: int = 0) -> None:
        """Create the log of a run, with `keep` as its retention. The id must be new. It goes on behind number `last`,
        up to which all entries had `end` bytes: those are not kept here."""

    async def append(self, run: str, events: Sequence[Event]) -> Entry:
        """Number and store the events, in order and atomically; they can be read when this returns.

        Returns the entry of the last one. Raises UnknownRun when the run was forgotten.
        """

    async def read(self, run: str, after: int, until: float) -> list[Entry]:
        """The entries that follow number `after`: at least one, at most READ_ENTRIES and about READ_BYTES, no gaps.

        Waits for the first one until `until` (event loop clock, seconds), then returns an empty list.
        Raises Purged when the entry after `after` is no longer kept, UnknownRun when the run was forgotten.
        """

    def first(self, run: str) -> int:
        """The number of the oldest entry that is kept, or will be. Raises UnknownRun."""

    def drop(self, run: str, through: int) -> None:
        """Keep no entry up to and including number `through`, which there is: reading one raises Purged from now on.
        Does nothing for unknown runs."""

    def forget(self, run: str) -> None:
        """Drop the run, now or soon; pending reads raise UnknownRun. Does nothing for unknown runs."""

    async def claim(self, name: str, *, now: float, until: float) -> bool:
        """Claim `name` until `until`; False when it is already claimed. Exactly one of concurrent claims gets True.

        `now` and `until` are seconds since the epoch by the claimer's clock, as the log may be shared by several nodes
        and outlive them. A failed claim changes nothing. Raises Overloaded when the log holds its maximum of names:
        no claim is dropped before it expires.
        """
