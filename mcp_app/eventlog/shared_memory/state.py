"""What the nodes of one process share: leases, messages, runs and documents, as dicts and lists.

Nobody waits here, and nothing is refused for an owner's sake: the log does that.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from ...protocol.errors import Purged
from ...protocol.event import Entry, Event
from ...protocol.policy import Retention
from .. import READ_BYTES, READ_ENTRIES
from ..quota import KeptRun
from ..records import Ending, RunRecord, StoredDocument
from ..shared import LEASE_SECONDS, MAX_MESSAGES, RECEIVE_MESSAGES

Waiters = set[asyncio.Future[bool]]
"""Those who wait for one thing."""

_ends = itertools.count()


class RunLog:
    """The record and the entries of one run: those that are kept are its last."""

    __slots__ = ("ended", "entries", "keep", "read_until", "record", "waiters")

    def __init__(self, record: RunRecord, keep: Retention) -> None:
        self.record = record
        self.keep = keep
        self.entries: list[Entry] = []
        self.read_until = 0.0
        self.ended = 0
        """How many had ended before it."""
        self.waiters: Waiters = set()

    def end(self, ending: Ending) -> None:
        self.record = replace(self.record, code=ending.code, until=ending.until)
        self.ended = next(_ends)

    def over(self, now: float) -> bool:
        """Whether it is forgotten."""
        return self.record.until is not None and max(self.record.until, self.read_until) <= now

    def kept(self, now: float) -> KeptRun:
        """As quotas see it."""
        entries = self.entries
        return KeptRun(self.record.id, self.record.principal, _size(entries) if entries else 0, self.read_until > now)

    def append(self, events: Sequence[Event]) -> None:
        number, end = self.record.last, self.record.end
        for event in events:
            number, end = number + 1, end + event.size
            self.entries.append(Entry(number, event, end))
        self.record = replace(self.record, last=number, end=end)
        dropped = max(0, len(self.entries) - self.keep.entries)
        while dropped < len(self.entries) - 1 and _size(self.entries, dropped) > self.keep.bytes:
            dropped += 1
        del self.entries[:dropped]

    def batch(self, after: int) -> list[Entry]:
        """Raises Purged."""
        oldest = self.record.last - len(self.entries) + 1
        if after + 1 < oldest:
            raise Purged(f"Events {after + 1} to {oldest - 1} of this run are no longer kept.")
        batch = self.entries[after + 1 - oldest :][:READ_ENTRIES]
        while len(batch) > 1 and _size(batch) > READ_BYTES:
            batch.pop()
        return batch


class Mailbox:
    """The messages for one node. The first `given` of them were received, and nobody has said yet that they arrived."""

    def __init__(self) -> None:
        self.messages: deque[bytes] = deque()
        self.given = 0
        self.waiters: Waiters = set()

    def deliver(self, message: bytes) -> bool:
        """False when it is full."""
        if len(self.messages) >= MAX_MESSAGES:
            return False
        self.messages.append(message)
        wake(self.waiters)
        return True

    def receive(self) -> list[bytes]:
        """What is there; it stays until `received`."""
        self.given = min(len(self.messages), RECEIVE_MESSAGES)
        return [self.messages[at] for at in range(self.given)]

    def received(self) -> None:
        """What `receive` gave has arrived."""
        for _ in range(self.given):
            self.messages.popleft()
        self.given = 0


class SharedMemory:
    """What the nodes share. `clock` counts seconds since the epoch; a lease lasts `lease_seconds`."""

    def __init__(self, clock: Callable[[], float] = time.time, lease_seconds: float = LEASE_SECONDS) -> None:
        self.clock = clock
        self.lease_seconds = lease_seconds
        self.leases: dict[str, float] = {}
        self.leasing = threading.Lock()  # a thread renews
        self.mail: dict[str, Mailbox] = {}
        self.runs: dict[str, RunLog] = {}
        self.documents: dict[str, tuple[StoredDocument, float]] = {}

    def nodes(self) -> frozenset[str]:
        """Those with a lease. What the others have not received is dropped."""
        with self.leasing:
            now = self.clock()
            for node in [node for node, until in self.leases.items() if until <= now]:
                del self.leases[node]
                wake(self.mail.pop(node).waiters)
            return frozenset(self.leases)

    def forget_old(self) -> int:
        """Forget the runs and the documents whose time is over; returns how many runs."""
        now = self.clock()
        runs = [run for run, log in self.runs.items() if log.over(now)]
        for run in runs:
            wake(self.runs.pop(run).waiters)
        for name in [name for name, (_, until) in self.documents.items() if until <= now]:
            del self.documents[name]
        return len(runs)


def _size(entries: Sequence[Entry], first: int = 0) -> int:
    return entries[-1].end - entries[first].end + entries[first].event.size


def wake(waiters: Waiters) -> None:
    """All of them, once: True is what they get."""
    for future in tuple(waiters):
        resolve(future, woken=True)


def resolve(future: asyncio.Future[bool], woken: bool = False) -> None:
    """False is what one gets whose time is over."""
    if not future.done():
        future.set_result(woken)
