"""Begins a run again whose process is gone: under its id, behind its last event, with what it began with.

Which runs those are, and how their events are written, is decided in mcp_app/nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from ..asking import Asker
from ..authoring.context import Caller
from ..authoring.tool import Tool
from ..eventlog import EventLog
from ..eventlog.records import RunRecord
from ..protocol.event import Event, EventType, encode
from ..protocol.payer import NOBODY, payer_of
from ..protocol.policy import OnLeave, Policy, Retention
from .audited import AuditedCall
from .beginning import Beginning
from .memory import RUN_BYTES
from .register import Runs
from .run import Run
from .write_through import WriteThrough
from .writer import Writer


@dataclass(frozen=True, slots=True)
class Restart:
    """One run to begin again. `log` is where its entries are read, those before this attempt too. `adopt` makes the way
    of its events to the shared log. `asker` asks its caller, and knows what it was answered."""

    record: RunRecord
    tool: Tool
    policy: Policy
    beginning: Beginning
    arguments: dict[str, Any]
    seconds_left: float
    asker: Asker
    log: EventLog
    adopt: Callable[[Run], WriteThrough]


class ReopenedWriter(Writer):
    """Writes behind what another process has written of the run."""

    record: RunRecord
    begin: Callable[[], WriteThrough]

    async def open(self, keep: Retention, first: Event) -> None:
        """Begin with the event `restarted`; `first` was the run's first."""
        record, begin = self.record, self.begin
        del self.begin  # which holds the run
        self._keep = keep
        await self._writing.acquire()
        try:
            await self._log.open(self._run, keep, record.last, record.end)
            self._window.append(record.last, record.end)
            self._window.acknowledge(record.last, record.end)
            self.through = begin()
            self.through.appended = self._window.append
            self._log = cast(EventLog, self.through)
            await self._append((Event(EventType.RESTARTED, encode({"attempt": record.attempt})),))
        finally:
            self._writing.release()


async def restart_run(runs: Runs, restart: Restart) -> Run:
    """The run, which works again. What its callers may have is not charged again.

    Raises Draining, Overloaded, QueueFull, NotReady: then it may be tried again.
    """
    record, tool, policy, beginning = restart.record, restart.tool, restart.policy, restart.beginning
    access, host = beginning.access, runs.host
    payer = NOBODY if access.anonymous else payer_of(access.principal, "")
    size = RUN_BYTES + len(record.arguments or b"")
    runs.check(size, payer)
    ticket = None
    if tool.at_once is not None:
        ticket = runs.queues.join(tool.name, tool.at_once, restart.arguments, payer=payer)
    clock, writers = runs.clock, list[ReopenedWriter]()

    def reopened(*args: Any, **more: Any) -> Writer:
        writers.append(ReopenedWriter(*args, **more))
        return writers[0]

    caller = Caller(
        access=access,
        headers={},
        deadline=clock() + restart.seconds_left,
        clock=clock,
        asker=restart.asker,
        trace=beginning.trace,
        dialect=policy.dialect,
    )
    run = Run(
        *(tool, policy, caller, host),
        cap=record.cap,
        size=size,
        ticket=ticket,
        payer=payer,
        id_=record.id,
        writer=reopened,
    )
    run.created, run.extra, run.beginning = record.created, record.extra, record.arguments
    run.log = restart.log
    writers[0].record, writers[0].begin = record, partial(restart.adopt, run)
    undo = runs.adopt(run, record.key, record.digest)
    try:
        run.keeps_known()
        if host.trail is not None:
            run.audited = AuditedCall(host.trail, caller, tool, run.id)
            run.audited.began(restart.arguments)
        await run.begin(restart.arguments, {})
    except BaseException:
        undo()
        if ticket is not None:
            ticket.leave()
        raise
    if policy.on_leave is OnLeave.LINGER:
        run.attach(record.last).close()  # its reader may come back, here or at another process
    return run
