"""The way of a published run's events: to the shared log first, then to that of this process. What is shown is written.

It never gives up by itself before `give_up_at`: as long as the shared log cannot be reached, the run waits. Which node
this is, and what becomes of a run that it has lost, is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from ..eventlog import EventLog
from ..eventlog.quota import Usage
from ..eventlog.records import Ending, RunRecord
from ..eventlog.shared import RETRY_SECONDS, SharedLog
from ..protocol.errors import Fenced, Gap, LogUnavailable, Purged, UnknownRun
from ..protocol.event import Entry, Event
from ..protocol.policy import Retention

logger = logging.getLogger("mcp_app.runs")

T = TypeVar("T")


@dataclass(slots=True)
class LogCounts:
    """What a process counts of its shared log.

    `published` are runs that others know, `lost` those of them that this process has lost, `taken_over` those of others
    that it has ended, `restarted` those that it has begun again. `waits` are times that a run waited, as the log could
    not be reached; `failures` times that the lease could not be renewed. `usage` is what the log held at the last look,
    `forgotten` counts the runs that this process had it forget, by reason.
    """

    published: int = 0
    waits: int = 0
    failures: int = 0
    lost: int = 0
    taken_over: int = 0
    restarted: int = 0
    usage: Usage = field(default_factory=lambda: Usage(0, 0, 0, Counter()))
    forgotten: Counter[str] = field(default_factory=Counter)


class WriteThrough:
    """Appends to both logs of one run. One call at a time; `Writer` sees to that.

    `appended` is told the number and the end of what was appended, also where its caller was cancelled meanwhile.
    `on_lost` is called once, when another node owns the run, or the log could not be reached until `give_up_at` (the
    event loop's clock). `until` says how long a run is kept that ends now (the log's clock).
    """

    def __init__(
        self,
        shared: SharedLog,
        local: EventLog,
        record: RunRecord,
        keep: Retention,
        *,
        on_lost: Callable[[], None],
        until: Callable[[], float],
        give_up_at: float,
        counts: LogCounts,
    ) -> None:
        self._shared = shared
        self._local = local
        self._record = record
        self._keep = keep
        self._on_lost = on_lost
        self._until = until
        self._give_up_at = give_up_at
        self._counts = counts
        self._last = record.last
        self._ending: Ending | None = None
        self.lost = False
        self.appended: Callable[[int, int], None] = lambda number, end: None

    @property
    def run(self) -> str:
        """The run's id."""
        return self._record.id

    @property
    def owner(self) -> str:
        """The node that it writes as."""
        return self._record.owner

    async def begin(self, kept: Sequence[Entry], code: str | None) -> None:
        """Create the run in the shared log with the entries that are kept so far; `code` is that of one that is over.
        Raises LogUnavailable."""
        await self._shared.create(self._record, self._keep)
        if kept:
            ending = None if code is None else Ending(code, self._until())
            await self._shared.append(self._record.id, self.owner, kept[0].number, [e.event for e in kept], ending)
            self._last, self._ending = kept[-1].number, ending

    async def append(self, run: str, events: Sequence[Event]) -> Entry:
        """As `EventLog.append`. Raises CancelledError when the run is lost: its function is being stopped."""
        try:
            return await self._completed(run, events)
        except Fenced:
            raise asyncio.CancelledError("the run was lost to another node") from None

    async def end(self, last: Event, code: str) -> Entry:
        """Append the last event, with which the run has ended for all nodes. Raises Fenced."""
        self._ending = Ending(code, self._until())
        return await self._completed(self._record.id, (last,), self._ending)

    def drop(self, run: str, through: int) -> None:
        """As `EventLog.drop`: the shared log keeps what it is to keep."""
        self._local.drop(run, through)

    def first(self, run: str) -> int:
        """As `EventLog.first`."""
        return self._local.first(run)

    async def read(self, run: str, after: int, until: float) -> list[Entry]:
        """As `EventLog.read`."""
        return await self._local.read(run, after, until)

    async def amend(self, *, policy: str | None = None, extra: bytes | None = None) -> None:
        """Change the run's record. Raises LogUnavailable, Fenced."""
        self._record = replace(
            self._record,
            policy=self._record.policy if policy is None else policy,
            extra=self._record.extra if extra is None else extra,
        )
        await self._shared.amend(self._record.id, self.owner, policy=policy, extra=extra)

    async def check(self) -> None:
        """Append what the shared log has lost, after it could not be reached for a while: it may have failed over to a
        replica. Raises LogUnavailable, Fenced."""
        try:
            there = (await self._shared.record(self._record.id)).last
        except UnknownRun:
            there = await self._create_again()
        if there < self._last:
            await self._append_again(there)

    def lose(self) -> None:
        """Nothing more is written: the run is another node's, or will be. Idempotent."""
        if not self.lost:
            self.lost = True
            self._counts.lost += 1
            self._on_lost()

    # -----------------------------------------------------------------------------------------------------------------

    async def _completed(self, run: str, events: Sequence[Event], ending: Ending | None = None) -> Entry:
        """Store and show the events. Who is cancelled meanwhile waits until that is done: the log may have them
        already, and whatever came next under their numbers would be taken for them."""
        try:
            await self._store(events, ending)
        except asyncio.CancelledError:
            await to_its_end(self._show(run, events, stored=self._store(events, ending)))
            raise
        return await self._show(run, events)

    async def _show(self, run: str, events: Sequence[Event], stored: Awaitable[None] | None = None) -> Entry:
        if stored is not None:
            await stored
        self._last += len(events)
        entry = await self._local.append(run, events)
        self.appended(entry.number, entry.end)
        return entry

    async def _store(self, events: Sequence[Event], ending: Ending | None) -> None:
        """Raises Fenced once the run is lost."""
        while not self.lost:
            try:
                await self._shared.append(self._record.id, self.owner, self._last + 1, events, ending)
            except LogUnavailable:
                if asyncio.get_running_loop().time() >= self._give_up_at:
                    logger.error("run %s is given up: its events could not be written until its end", self._record.id)  # noqa: TRY400
                    break
                self._counts.waits += 1
                await asyncio.sleep(RETRY_SECONDS)
            except (Gap, UnknownRun) as error:
                await self._repair(error)
            except Fenced:
                break
            else:
                return
        self.lose()
        raise Fenced(f"run {self._record.id} is not this node's any more")

    async def _repair(self, error: Gap | UnknownRun) -> None:
        """Append what the log has lost, or lose the run."""
        try:
            await self._append_again(error.last if isinstance(error, Gap) else await self._create_again())
        except LogUnavailable:
            return  # what called this tries again
        except (Purged, Gap, UnknownRun, Fenced, ValueError):
            logger.exception("run %s is lost: what the event log has lost of it is not kept here", self._record.id)
            self.lose()

    async def _create_again(self) -> int:
        """Create what is not known any more, from what is kept here. Returns the number that it begins behind."""
        first = self._local.first(self._record.id)
        before = 0
        if first <= self._last:
            oldest = (await self._local.read(self._record.id, first - 1, 0))[0]
            before = oldest.end - oldest.event.size
        await self._shared.create(replace(self._record, last=first - 1, end=before), self._keep)
        return first - 1

    async def _append_again(self, last: int) -> None:
        """Append what is kept here behind number `last`. Raises Purged if that is too little."""
        kept = await entries_after(self._local, self._record.id, last, self._last)
        if kept:
            events = [entry.event for entry in kept]
            ending = self._ending if events[-1].last else None
            await self._shared.append(self._record.id, self.owner, last + 1, events, ending)


async def entries_after(log: EventLog, run: str, after: int, last: int) -> list[Entry]:
    """The entries behind number `after`, up to number `last`, which is there. Raises Purged, UnknownRun."""
    entries: list[Entry] = []
    while after < last:
        entries += await log.read(run, after, 0)
        after = entries[-1].number
    return entries


async def to_its_end(work: Awaitable[T]) -> T:
    """Wait for it, however often this task is cancelled meanwhile; that is raised afterwards."""
    task, cancelled = asyncio.ensure_future(work), None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # seen: who was cancelled waits for no answer
        raise cancelled
    return task.result()
