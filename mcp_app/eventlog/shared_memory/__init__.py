"""A shared log in the memory of one process, for the nodes that this process has: several servers of one test.

It promises what every shared log promises (tests/eventlog/shared_contract.py) and outlives no process. Nothing here
writes to a disk or a network; nothing is encoded.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ...aio.deadlines import Deadlines
from ...protocol.errors import Fenced, Gap, LogUnavailable, Purged, UnknownRun
from ...protocol.event import Entry, Event
from ...protocol.policy import Retention
from ..quota import AGE, Quota, Usage, beyond
from ..records import Ending, RunRecord, StoredDocument
from .state import Mailbox, RunLog, SharedMemory, Waiters, resolve, wake

__all__ = ["MemorySharedLog", "SharedMemory"]


class MemorySharedLog:
    """A `SharedLog`: the view that one node has of the memory that it shares with others.

    `reachable`: whether it answers; a test sets it to False to cut this node off.
    """

    def __init__(self, shared: SharedMemory) -> None:
        self._shared = shared
        self._reachable = True
        self._waiting: Waiters = set()
        self._waits = Deadlines(resolve)

    @property
    def reachable(self) -> bool:
        return self._reachable

    @reachable.setter
    def reachable(self, value: bool) -> None:
        self._reachable = value
        wake(self._waiting)

    async def open(self) -> None:
        self.reachable = True

    async def close(self) -> None:
        self.reachable = False
        self._waits.close()

    async def now(self) -> float:
        return self._reached().clock()

    # --- nodes -------------------------------------------------------------------------------------------------------

    async def join(self) -> str:
        shared, node = self._reached(), os.urandom(16).hex()
        with shared.leasing:
            shared.leases[node] = shared.clock() + shared.lease_seconds
            shared.mail[node] = Mailbox()
        return node

    def renew(self, node: str) -> None:
        shared = self._reached()
        with shared.leasing:
            now = shared.clock()
            if shared.leases.get(node, now) <= now:
                raise Fenced(f"node {node} has lost its lease")
            shared.leases[node] = now + shared.lease_seconds

    async def leave(self, node: str) -> None:
        shared = self._reached()
        with shared.leasing:
            if node in shared.leases:
                shared.leases[node] = shared.clock()
        shared.nodes()

    async def nodes(self) -> frozenset[str]:
        return self._reached().nodes()

    async def take_over(self, node: str, most: int) -> list[RunRecord]:
        shared = self._reached()
        living = shared.nodes()
        if node not in living:
            raise Fenced(f"node {node} has lost its lease")
        taken: list[RunRecord] = []
        for log in shared.runs.values():
            record = log.record
            if len(taken) < most and record.code is None and record.owner not in living:
                log.record = replace(record, owner=node, attempt=record.attempt + 1)
                taken.append(log.record)
        return taken

    # --- messages ----------------------------------------------------------------------------------------------------

    async def send(self, node: str, message: bytes) -> bool:
        shared = self._reached()
        if node not in shared.nodes():
            return False
        if not shared.mail[node].deliver(message):
            raise _unread(node)
        return True

    async def publish(self, sender: str, message: bytes) -> None:
        shared = self._reached()
        full = [node for node in shared.nodes() - {sender} if not shared.mail[node].deliver(message)]
        if full:
            raise _unread(*full)

    async def receive(self, node: str, until: float) -> list[bytes]:
        mailbox = self._mailbox(node)
        mailbox.received()
        while not mailbox.messages:
            if not await self._wait(mailbox.waiters, until):
                return []
            mailbox = self._mailbox(node)
        return mailbox.receive()

    # --- runs --------------------------------------------------------------------------------------------------------

    async def create(self, record: RunRecord, keep: Retention) -> None:
        shared = self._reached()
        shared.forget_old()
        there = shared.runs.get(record.id)
        if record.owner not in shared.nodes():
            raise Fenced(f"node {record.owner} has lost its lease")
        if there is None:
            shared.runs[record.id] = RunLog(record, keep)
        elif there.record.owner != record.owner:
            raise ValueError(f"run {record.id} has a log already")

    async def append(
        self, run: str, owner: str, first: int, events: Sequence[Event], ending: Ending | None = None
    ) -> None:
        log = self._owned(run, owner)
        there = log.record.last - first + 1
        if there < 0:
            raise Gap(log.record.last)
        new = events[there:]
        if new and log.record.code is not None:
            raise ValueError(f"run {run} has ended: nothing follows")
        log.append(new)
        if ending is not None and log.record.code is None:
            log.end(ending)
        wake(log.waiters)

    async def read(self, run: str, after: int, until: float) -> list[Entry]:
        log = self._log(run)
        while log.record.last <= after:
            if log.record.code is not None:
                raise Purged(f"Event {after} of this run has been lost, and nothing follows it.")
            woken = await self._wait(log.waiters, until)
            log = self._log(run)
            if not woken and log.record.last <= after:
                return []
        return log.batch(after)

    async def record(self, run: str) -> RunRecord:
        return self._log(run).record

    async def amend(self, run: str, owner: str, *, policy: str | None = None, extra: bytes | None = None) -> None:
        log = self._owned(run, owner)
        if policy is not None:
            log.record = replace(log.record, policy=policy)
        if extra is not None:
            log.record = replace(log.record, extra=extra)

    async def keep(self, run: str, until: float) -> None:
        log = self._log(run)
        log.read_until = max(log.read_until, until)

    async def sweep(self, quota: Quota) -> Usage:
        shared = self._reached()
        forgotten = Counter({AGE: shared.forget_old()})
        now = shared.clock()
        ended = [log for log in shared.runs.values() if log.record.code is not None]
        ended.sort(key=lambda log: log.ended)
        for run, why in beyond([log.kept(now) for log in ended], quota).items():
            await self.forget(run)
            forgotten[why] += 1
        kept = [log.kept(now) for log in ended if log.record.id in shared.runs]
        return Usage(len(shared.runs) - len(kept), len(kept), sum(each.bytes for each in kept), +forgotten)

    async def forget(self, run: str) -> None:
        log = self._reached().runs.pop(run, None)
        if log is not None:
            wake(log.waiters)

    # --- documents ---------------------------------------------------------------------------------------------------

    async def get(self, name: str) -> StoredDocument | None:
        shared = self._reached()
        document, until = shared.documents.get(name, (None, 0.0))
        return document if until > shared.clock() else None

    async def put(self, name: str, value: bytes, until: float, version: int | None = None) -> StoredDocument | None:
        shared = self._reached()
        shared.forget_old()
        there, _ = shared.documents.get(name, (StoredDocument(b"", 0), 0.0))
        if version is not None and version != there.version:
            return there
        shared.documents[name] = StoredDocument(value, there.version + 1), until
        return None

    async def delete(self, name: str) -> None:
        self._reached().documents.pop(name, None)

    # -----------------------------------------------------------------------------------------------------------------

    def _reached(self) -> SharedMemory:
        if not self._reachable:
            raise LogUnavailable("The event log cannot be reached.", headers={"Retry-After": "1"})
        return self._shared

    def _log(self, run: str) -> RunLog:
        shared = self._reached()
        log = shared.runs.get(run)
        if log is None or log.over(shared.clock()):
            raise UnknownRun("This run is not known.")
        return log

    def _owned(self, run: str, owner: str) -> RunLog:
        log = self._log(run)
        if log.record.owner != owner:
            raise Fenced(f"run {run} belongs to node {log.record.owner}")
        return log

    def _mailbox(self, node: str) -> Mailbox:
        shared = self._reached()
        shared.nodes()
        return shared.mail.get(node) or Mailbox()

    async def _wait(self, waiters: Waiters, until: float) -> bool:
        """Wait until one of these is woken: True; or until the event loop's clock says `until`: False."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waits.at(future, until)
        waiters.add(future)
        self._waiting.add(future)
        try:
            return await future
        finally:
            self._waits.cancel(future)
            waiters.discard(future)
            self._waiting.discard(future)


def _unread(*nodes: str) -> LogUnavailable:
    return LogUnavailable(f"Messages are not read by {len(nodes)} process(es).", headers={"Retry-After": "1"})
