"""What becomes of the runs of a node that is dead: whoever is first ends them for all readers, or begins them again.

How a node is known to be dead is the log's.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from ..eventlog.records import Ending, RunRecord
from ..eventlog.shared import SharedLog
from ..protocol.errors import Draining, Fenced, Interrupted, LogUnavailable, NotReady, Overloaded, QueueFull, UnknownRun
from ..runs.last_event import last_event
from ..runs.write_through import LogCounts

logger = logging.getLogger("mcp_app.nodes")

TAKE_OVER_RUNS = 100
"""Runs that are taken over at once: a node may leave thousands, and each of the others takes a part."""


class TakeOver:
    """Begins runs again where `restart` can, and ends the others with `interrupted`. Until `restart` is set, runs that
    may begin again wait. `keep_seconds`: how long one is kept after its end."""

    def __init__(self, log: SharedLog, keep_seconds: float, counts: LogCounts) -> None:
        self._log = log
        self._keep_seconds = keep_seconds
        self._counts = counts
        self._owed: dict[str, RunRecord] = {}
        self.on_ended: Callable[[RunRecord], None] = lambda record: None
        """Called with each run that was ended here for a node that is gone."""
        self.restart: Callable[[RunRecord, float], Awaitable[bool]] | None = None

    async def look(self, node: str, now: float) -> None:
        """Take over what there is, as this node; `now` is the log's clock. What fails is owed until the next time.
        Raises LogUnavailable, and Fenced if this node has no lease."""
        while True:
            for record in tuple(self._owed.values()):
                if record.owner == node:
                    await self._settle(record, now)
                else:
                    del self._owed[record.id]  # this process was thought dead since, and it is another's
            taken = await self._log.take_over(node, TAKE_OVER_RUNS)
            if not taken:
                return
            self._owed.update({record.id: record for record in taken})

    async def _settle(self, record: RunRecord, now: float) -> None:
        """Raises LogUnavailable."""
        if record.arguments is None:
            await self._end(record, now)
        elif self.restart is not None:
            try:
                restarted = await self.restart(record, now)
            except (Overloaded, QueueFull, Draining, NotReady):
                return  # at the next look, or by the process that takes this one's runs
            except LogUnavailable:
                raise
            except Exception:
                logger.exception("run %s could not begin again", record.id)
                restarted = False
            if not restarted:
                await self._end(record, now)
                return
            self._counts.restarted += 1
            del self._owed[record.id]

    async def _end(self, record: RunRecord, now: float) -> None:
        end = Interrupted("The process that worked on the run is gone.")
        event = last_event(end, record.last + 1, round(max(0.0, now - record.created) * 1000))
        try:
            ending = Ending(end.code, now + self._keep_seconds)
            await self._log.append(record.id, record.owner, record.last + 1, (event,), ending)
        except (UnknownRun, Fenced, ValueError):  # somebody else has done it, or nobody can
            logger.info("run %s was to be ended here, and has been ended elsewhere", record.id)
        else:
            self._counts.taken_over += 1
            logger.warning("run %s (%s) was interrupted: its process is gone", record.id, record.callee)
            self.on_ended(record)
        del self._owed[record.id]
