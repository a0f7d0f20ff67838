"""How runs of this node become known to the others, and what they all are told when it has lost them.

What a node is, is not known here.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable, Mapping
from functools import partial

from ..eventlog import EventLog
from ..eventlog.records import RunRecord
from ..eventlog.shared import LEASE_SECONDS, RETRY_SECONDS, SharedLog
from ..protocol.errors import LogUnavailable
from ..protocol.event import Entry
from ..protocol.linked import Kept, write_kept
from ..protocol.policy import Policy
from ..runs import Run
from ..runs.write_through import LogCounts, WriteThrough
from ..runs.writer import Writer
from .remote_run import result_name

logger = logging.getLogger("mcp_app.nodes")

PUBLISH_SECONDS = 5.0
"""How long a caller waits for its run to be published while the log cannot be reached: it has nothing yet, and can ask
again."""


class PublishedRuns:
    """The runs of this node that others know. `now` is the log's clock, `keep_seconds` how long a run is kept after its
    end, `max_event_bytes` the largest event. `left_over` are runs that may be in the log though nobody was told of
    them."""

    def __init__(
        self,
        log: SharedLog,
        now: Callable[[], float],
        counts: LogCounts,
        *,
        keep_seconds: float,
        max_event_bytes: int,
    ) -> None:
        self._log = log
        self._now = now
        self._counts = counts
        self._keep_seconds = keep_seconds
        self._max_event_bytes = max_event_bytes
        self._written: weakref.WeakSet[WriteThrough] = weakref.WeakSet()
        self.left_over: set[str] = set()

    async def publish(self, owner: str, run: Run, writer: Writer, extra: bytes, policy: Policy) -> None:
        """Make a run known, as `owner`'s. Raises LogUnavailable."""
        await writer.publish(partial(self._begin, owner, run, extra, policy))

    async def keep_results(self, run: Run, kept: Mapping[int, Kept]) -> None:
        """As `Elsewhere.keep_results`."""
        until = self._now() + run.deadline - asyncio.get_running_loop().time() + self._keep_seconds
        for number, each in kept.items():
            await self._log.put(result_name(run.id, number), write_kept(each), until)

    def lose_all(self) -> None:
        """They are another node's now, or will be."""
        for each in tuple(self._written):
            each.lose()

    async def check(self) -> None:
        """After the log could not be reached: append what it has lost meanwhile, and forget what nobody was told of.
        Raises LogUnavailable."""
        for each in tuple(self._written):
            try:
                await each.check()
            except LogUnavailable:
                raise
            except Exception as error:  # of this run alone: too little of it is kept here, or another has it
                logger.warning("run %s is lost: %s", each.run, error)
                each.lose()
        for run in tuple(self.left_over):
            await self._log.forget(run)
            self.left_over.discard(run)

    async def _begin(
        self, owner: str, run: Run, extra: bytes, policy: Policy, kept: list[Entry], last: int, end: int
    ) -> WriteThrough:
        loop = asyncio.get_running_loop()
        if kept:
            last, end = kept[0].number - 1, kept[0].end - kept[0].event.size
        deadline = self._now() + run.deadline - loop.time()
        record = RunRecord(
            id=run.id,
            owner=owner,
            callee=run.callee.name,
            principal=run.principal,
            policy=policy.name,
            created=run.created,
            deadline=deadline,
            cap=run.cap,
            key=run.key,
            digest=run.digest,
            arguments=run.beginning,
            extra=extra,
            last=last,
            end=end,
        )
        through = self._through(run, record, run.log, policy)
        code = run.code if kept and kept[-1].event.last else None
        until = loop.time() + PUBLISH_SECONDS
        while True:
            try:
                await through.begin(kept, code)
                break
            except LogUnavailable:
                self._counts.waits += 1
                if loop.time() >= until:
                    self.left_over.add(run.id)  # it may be there, and nobody was told of it
                    raise
                await asyncio.sleep(RETRY_SECONDS)
        self._counts.published += 1
        self._written.add(through)
        return through

    def adopt(self, run: Run, record: RunRecord, local: EventLog, policy: Policy) -> WriteThrough:
        """The way to the shared log for a run that others know, and that this node has taken over."""
        through = self._through(run, record, local, policy)
        self._written.add(through)
        return through

    def _through(self, run: Run, record: RunRecord, local: EventLog, policy: Policy) -> WriteThrough:
        return WriteThrough(
            self._log,
            local,
            record,
            policy.keep.for_events(self._max_event_bytes),
            on_lost=_weakly(run),
            until=partial(self._until, record.deadline if policy.keeps_result else 0.0),
            give_up_at=run.deadline + LEASE_SECONDS,
            counts=self._counts,
        )

    def _until(self, earliest: float) -> float:
        return max(self._now(), earliest) + self._keep_seconds


def _weakly(run: Run) -> Callable[[], None]:
    """`abandon`, for who is held by the run: a method would be a circle, which only the collector opens."""
    weak = weakref.ref(run)

    def abandon() -> None:
        if (run := weak()) is not None:
            run.abandon()

    return abandon
