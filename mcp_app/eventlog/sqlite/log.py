"""`SqliteLog`: the shared log in one SQLite file, for the processes of one machine.

No statement is in here, and none is run here: they are jobs of two threads.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ...aio.in_thread import in_thread
from ...protocol.errors import Fenced, LogUnavailable
from ...protocol.event import Entry, Event
from ...protocol.policy import Retention
from ..quota import AGE, Quota, Usage, beyond
from ..records import Ending, RunRecord, StoredDocument
from . import documents, forgetting, messages, runs
from .address import SqliteAddress
from .commits import CommitThread, Transaction
from .doorbell import Doorbell
from .jobs import closed
from .leases import Leases
from .opening import prepared_folder
from .reads import ReadThread
from .waiting import Waiting

R = TypeVar("R")

LOOK_SECONDS = 5.0
"""After which whoever waits looks by itself, whether or not a datagram came. One that is lost costs that much."""

FORGOTTEN_AT_ONCE = 64
"""Runs, or documents, that a sweep removes in one transaction, so that nobody waits long for it."""


@dataclass(frozen=True, slots=True)
class _Opened:
    doorbell: Doorbell
    leases: Leases
    commits: CommitThread
    reads: ReadThread


class SqliteLog:
    """A `SharedLog`. `clock` counts seconds since the epoch, `uptime` those since the machine was started: both are the
    same for all processes of the machine."""

    def __init__(
        self,
        address: SqliteAddress,
        *,
        clock: Callable[[], float] = time.time,
        uptime: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._uptime = uptime
        self._address = address
        self._waiting = Waiting()
        self._received: dict[str, int] = {}
        self._opened: _Opened | None = None

    async def open(self) -> None:
        doorbell = await in_thread(lambda: Doorbell(prepared_folder(self._address)))
        commits = CommitThread(self._address, doorbell, self._waiting.wake)
        reads = ReadThread(self._address)
        try:
            await commits.start()
            await reads.start()
        except BaseException:
            await commits.close()
            doorbell.close()
            raise
        doorbell.listen(asyncio.get_running_loop(), self._waiting.wake)
        self._opened = _Opened(doorbell, Leases(doorbell.folder, self._uptime), commits, reads)

    async def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.doorbell.deafen(asyncio.get_running_loop())
            self._waiting.close()
            await opened.reads.close()
            await opened.commits.close()
            opened.leases.close()
            opened.doorbell.close()

    @property
    def transactions(self) -> int:
        """How many have been written since it was opened."""
        return 0 if self._opened is None else self._opened.commits.transactions

    async def now(self) -> float:
        self._opened_now()
        return self._clock()

    # --- nodes -------------------------------------------------------------------------------------------------------

    async def join(self) -> str:
        leases = self._opened_now().leases

        def join(transaction: Transaction) -> str:
            self._bury(transaction, leases)
            return leases.begin()

        return await self._write(join)

    def renew(self, node: str) -> None:
        self._opened_now().leases.renew(node)

    async def leave(self, node: str) -> None:
        leases = self._opened_now().leases
        self._received.pop(node, None)

        def leave(transaction: Transaction) -> None:
            leases.end(node)
            self._bury(transaction, leases)

        await self._write(leave)

    async def nodes(self) -> frozenset[str]:
        leases = self._opened_now().leases
        return await self._read(lambda _: leases.living())

    async def take_over(self, node: str, most: int) -> list[RunRecord]:
        leases = self._opened_now().leases

        def take_over(transaction: Transaction) -> list[RunRecord]:
            living = self._bury(transaction, leases)
            if node not in living:
                raise _lost(node)
            return runs.take_over(transaction, node, most, living)

        return await self._write(take_over)

    def _bury(self, transaction: Transaction, leases: Leases) -> frozenset[str]:
        """Remove what is left of nodes without a lease; returns the others."""
        leases.remove_dead()
        living = leases.living()
        messages.remove_undeliverable(transaction, living)
        return living

    # --- messages ----------------------------------------------------------------------------------------------------

    async def send(self, node: str, message: bytes) -> bool:
        leases = self._opened_now().leases

        def send(transaction: Transaction) -> bool | None:
            if not leases.is_living(node):
                return False
            return None if messages.deliver(transaction, frozenset((node,)), message) else True

        sent = await self._write(send)
        if sent is None:
            raise _unread(1)
        return sent

    async def publish(self, sender: str, message: bytes) -> None:
        leases = self._opened_now().leases
        if full := await self._write(lambda it: len(messages.deliver(it, leases.living() - {sender}, message))):
            raise _unread(full)

    async def receive(self, node: str, until: float) -> list[bytes]:
        leases = self._opened_now().leases
        if through := self._received.get(node, 0):
            # Nobody waits for it, and it may fail: the next one removes them as well.
            self._opened_now().commits.submit(lambda transaction: messages.acknowledge(transaction, node, through))
        loop = asyncio.get_running_loop()
        with self._waiting.at(node) as waiter:
            while True:
                found = await self._read(
                    lambda connection: messages.waiting(connection, node, through) if leases.is_living(node) else []
                )
                if found:
                    self._received[node] = found[-1][0]
                    return [body for _, body in found]
                if (now := loop.time()) >= until:
                    return []
                await waiter.wait(min(until, now + LOOK_SECONDS))

    # --- runs --------------------------------------------------------------------------------------------------------

    async def create(self, record: RunRecord, keep: Retention) -> None:
        leases = self._opened_now().leases

        def create(transaction: Transaction) -> None:
            if not leases.is_living(record.owner):
                raise _lost(record.owner)
            runs.create(transaction, record, keep, self._clock())

        await self._write(create)

    async def append(
        self, run: str, owner: str, first: int, events: Sequence[Event], ending: Ending | None = None
    ) -> None:
        await self._write(
            lambda transaction: runs.append(transaction, run, owner, first, events, ending, self._clock())
        )

    async def read(self, run: str, after: int, until: float) -> list[Entry]:
        loop = asyncio.get_running_loop()
        with self._waiting.at(run) as waiter:
            while True:
                entries = await self._read(lambda connection: runs.read(connection, run, after, self._clock()))
                if entries or (now := loop.time()) >= until:
                    return entries
                await waiter.wait(min(until, now + LOOK_SECONDS))

    async def record(self, run: str) -> RunRecord:
        return await self._read(lambda connection: runs.record_of(connection, run, self._clock()))

    async def amend(self, run: str, owner: str, *, policy: str | None = None, extra: bytes | None = None) -> None:
        await self._write(lambda transaction: runs.amend(transaction, run, owner, policy, extra, self._clock()))

    async def keep(self, run: str, until: float) -> None:
        await self._write(lambda transaction: runs.keep(transaction, run, until, self._clock()))

    async def sweep(self, quota: Quota) -> Usage:
        forgotten: Counter[str] = Counter()
        while count := await self._write(lambda it: forgetting.forget_expired(it, self._clock(), FORGOTTEN_AT_ONCE)):
            forgotten[AGE] += count
        while await self._write(lambda it: documents.remove_expired(it, self._clock(), FORGOTTEN_AT_ONCE)):
            pass
        working, kept, why = await self._read(lambda connection: _beyond(connection, quota, self._clock()))
        chosen = list(why)
        for at in range(0, len(chosen), FORGOTTEN_AT_ONCE):
            some = chosen[at : at + FORGOTTEN_AT_ONCE]
            gone = await self._write(partial(forgetting.forget_unread, runs=some, now=self._clock()))
            forgotten.update(why[run] for run in gone)
            for run in gone:
                del kept[run]
        return Usage(working, len(kept), sum(kept.values()), forgotten)

    async def forget(self, run: str) -> None:
        await self._write(lambda transaction: forgetting.forget(transaction, run))

    # --- documents ---------------------------------------------------------------------------------------------------

    async def get(self, name: str) -> StoredDocument | None:
        return await self._read(lambda connection: documents.get(connection, name, self._clock()))

    async def put(self, name: str, value: bytes, until: float, version: int | None = None) -> StoredDocument | None:
        return await self._write(
            lambda transaction: documents.put(transaction, name, value, until, version, self._clock())
        )

    async def delete(self, name: str) -> None:
        await self._write(lambda transaction: documents.delete(transaction, name))

    # -----------------------------------------------------------------------------------------------------------------

    def _opened_now(self) -> _Opened:
        if self._opened is None:
            raise closed()
        return self._opened

    async def _write(self, work: Callable[[Transaction], R]) -> R:
        return await self._opened_now().commits.submit(work)

    async def _read(self, work: Callable[[sqlite3.Connection], R]) -> R:
        return await self._opened_now().reads.submit(work)


def _beyond(connection: sqlite3.Connection, quota: Quota, now: float) -> tuple[int, dict[str, int], dict[str, str]]:
    """How many runs are worked on; the bytes of each that has ended; and those of them to forget, and why."""
    working, kept = forgetting.kept(connection, now)
    return working, {run.id: run.bytes for run in kept}, beyond(kept, quota)


def _lost(node: str) -> Fenced:
    return Fenced(f"node {node} has lost its lease")


def _unread(count: int) -> LogUnavailable:
    return LogUnavailable(f"Messages are not read by {count} process(es).", headers={"Retry-After": "1"})
