"""One run: one asyncio task that appends every event to the event log before anybody sees it, and whoever reads it.

A run ends once: by its function's own end, or by `stop`, whichever is first. The last event is appended at that moment;
a function that is slow to stop, or will not, holds nobody up. No HTTP, no dialect and no other run is known here.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import os
import time
import weakref
from collections.abc import Callable
from typing import Any

from ..aio import forked
from ..aio.deadlines import Deadlines
from ..asking import Asker, InputRequired
from ..authoring.context import Caller
from ..authoring.placement import SentArguments
from ..protocol.access import Access
from ..protocol.errors import Fenced, Interrupted, Left, McpAppError, TimeCap
from ..protocol.event import Event, EventType, encode
from ..protocol.payer import NOBODY, Payer
from ..protocol.policy import OnLeave, Policy
from .audited import AuditedCall
from .callee import Callee, has_context
from .children import Children
from .end_line import ID_CHARACTERS, ORIGIN, log_end
from .execution import Outcome, Work
from .failure import run_error
from .fair_places import PAYER
from .holder import WORKING
from .host import Host
from .last_event import last_event
from .memory import RUN_BYTES, Share
from .publishing import Publishing, share_results
from .queues import Ticket, in_turn
from .reader import Reader
from .results import Results, Weighed
from .stopping import stop
from .wrapping import wrapped
from .writer import Writer

logger = logging.getLogger("mcp_app.runs")


def expiries() -> Deadlines[Run]:
    """One timer for the ends of all runs. A reader whose deadline is in the same turn of the loop goes first, as it may
    put the run's off."""
    return Deadlines(lambda run: asyncio.get_running_loop().call_soon(run.expire))


class Run(Publishing):
    """One call of one callee.

    `label` names it in the log. `code` is None while the run is being worked on, then "complete", "input_required" or
    the error's code. `over` is set a little later: when the last event is in the log. `stopped_by` is what it was ended
    with from outside: a tool's own error may have any code. `closing` is the task that still ends the function after
    `stop`: it may go on after the last event. `beside` is what others keep for this run outside of its log; `audited`
    tells an audit log.
    """

    def __init__(
        self,
        callee: Callee,
        policy: Policy,
        caller: Caller,
        host: Host,
        *,
        cap: float,
        unless_promoted: float = math.inf,
        size: int = 0,
        ticket: Ticket | None = None,
        payer: Payer = NOBODY,
        id_: str | None = None,
        writer: Callable[..., Writer] = Writer,
    ) -> None:
        """`cap`: seconds until it ends whatever it does. `unless_promoted`: the same, unless it is promoted before.
        `size`: bytes that it holds besides its events while the function works. `ticket`: its place among the calls
        that wait for each other. `payer`: whose turns and places its function has.
        `id_`, `writer`: of one that begins again."""
        self.id = os.urandom(16).hex() if id_ is None else id_
        short, trace = self.id[:ID_CHARACTERS], caller.trace.trace_id
        self.label = short if trace is None else f"{short} [trace_id {trace}]"
        self.callee, self.policy = callee, policy
        self.cap = cap
        self.payer = payer
        self.log = host.log
        self.created = time.time()
        self.code: str | None = None
        self.over = False
        self.stopped_by: McpAppError | InputRequired | None = None
        self.closing: asyncio.Task[None] | None = None
        self.beside: Weighed | None = None
        self._caller, self._host = caller, host
        self._origin, self._share = ORIGIN.get(), Share(host.memory, size)
        self._writer = writer(
            host.log, self.id, waits=policy.waits, linkable=callee.linkable, bounds=host.bounds, share=self._share
        )
        if host.elsewhere is not None:
            self._writer.on_kept = share_results(self)
        if has_context(callee):
            tickets = () if ticket is None else (ticket,)
            caller.calls = Children(host, self._writer.emit, self.id, self.label, (callee.name,), tickets)
        self._readers: list[Reader] = []
        self._followers: dict[Reader, None] = {}  # an empty set is three times as large
        self._task: asyncio.Task[None] | None = None
        self._context: contextvars.Context | None = None
        self._began = caller.clock()
        self._ticket = ticket
        self.audited: AuditedCall | None = None
        self._unless_promoted = unless_promoted

    # --- its life ----------------------------------------------------------------------------------------------------

    async def begin(self, arguments: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Append `started`, with `metadata` and the run's id, and start the function."""
        started = Event(EventType.STARTED, encode(self.callee.name), encode({"run": self.id, **metadata}))
        await self._writer.open(self.policy.keep.for_events(self._host.bounds.max_event_bytes), started)
        if self.ended:  # while the log was opened
            return
        if self.asker is not None:
            self.asker.attach(self._writer.emit, self._weak_stop())
        plan, context = self.callee.plan, contextvars.copy_context()
        if self.payer is not NOBODY:
            context.run(PAYER.set, self.payer)
        self._context = context  # also for who ends it: what is logged then is this call's
        if plan is None or type(arguments) is SentArguments:  # another process makes what it needs
            name = f"run {self.id[:ID_CHARACTERS]}"
            self._task = asyncio.create_task(self._work(arguments), name=name, context=context)
        else:
            begin = self._host.dependencies.begin
            self._task = begin(plan, arguments, self._work, lambda: self.code == "complete", context)
        self._expire_at_cap()  # also while its reader is stuck in a write

    @property
    def access(self) -> Access:
        """Who started it, and by which credentials."""
        return self._caller.access

    @property
    def principal(self) -> str:
        return self._caller.access.principal

    @property
    def asker(self) -> Asker | None:
        """How it asks its caller back; None where it cannot."""
        return self._caller.asker

    @property
    def deadline(self) -> float:
        """When the run ends whatever it does, on the loop's clock, in seconds."""
        return self._caller.deadline

    @property
    def ended(self) -> bool:
        return self.code is not None

    @property
    def events(self) -> int:
        """Events appended so far."""
        return self._writer.events

    @property
    def size(self) -> int:
        """Bytes that are kept of the run, at most: its events in the log, its results, and what is beside them."""
        results, beside = self.results, self.beside
        return self._writer.size + (0 if results is None else results.size) + (0 if beside is None else beside.size)

    @property
    def held(self) -> int:
        """Bytes that these take in memory, and the run itself."""
        return RUN_BYTES + self.size + self._writer.held - self._writer.size

    @property
    def results(self) -> Results | None:
        """What was too large for its events; None if nothing was."""
        return self._writer.results

    @property
    def kept(self) -> bool:
        """Whether somebody may come back to it after its end: to its events, or to results that they link to."""
        return (self.policy.kept or self._writer.results is not None) and not self.abandoned

    @property
    def idle(self) -> bool:
        """Whether nobody reads it."""
        return not self._readers and not self._followers

    # --- its readers -------------------------------------------------------------------------------------------------

    def attach(self, after: int = 0) -> Reader:
        """A new reader from number `after` on. The function waits for the first of those attached.

        One that comes back is the first: nobody may have noticed yet that the stream it had before is dead.
        """
        reader = Reader(self, after)
        self._readers.insert(0 if after else len(self._readers), reader)
        self._writer.attach()
        if self in self._host.lingering:
            self._host.lingering.discard(self)
            self._expire_at_cap()
        return reader

    def follow(self, after: int = 0) -> Reader:
        """A new reader that the run does not care about: it never holds the function, and its leaving means nothing."""
        reader = Reader(self, after)
        self._followers[reader] = None
        return reader

    def promote(self, reader: Reader) -> Reader:
        """From now on the run is what its policy lets it become: who reads it as `reader` may leave. The reader that is
        returned goes on where that one is, and is the one the function waits for."""
        if self.policy.promoted_to is None:
            raise ValueError(f"a run under {self.policy.name!r} is never promoted")
        self.policy, self._unless_promoted = self.policy.promoted_to, math.inf
        heir = Reader(self, reader.after, reader.end)
        self._readers[self._readers.index(reader)] = heir
        self._followers[reader] = None
        self._expire_at_cap()
        return heir

    def acknowledge(self, reader: Reader) -> None:
        """The reader has written all it was given."""
        if self._readers and self._readers[0] is reader:
            self._writer.acknowledge(reader.after, reader.end)

    def detach(self, reader: Reader) -> None:
        """The reader is closed: what that means is the policy's."""
        if reader in self._followers:
            del self._followers[reader]
        elif reader in self._readers:
            self._readers.remove(reader)
            if self._readers:
                self.acknowledge(self._readers[0])  # the function may be waiting for the one that left
            elif not self.ended:
                self._last_reader_left()
        else:
            return
        self._report_idle()

    def _last_reader_left(self) -> None:
        if self.policy.on_leave is OnLeave.GO_ON:
            self._writer.stop_waiting()
        elif self.policy.on_leave is OnLeave.CANCEL:
            self.stop(Left("The caller left before the run was done."))
        elif self.policy.on_leave is OnLeave.LINGER:
            back_by = self._caller.clock() + self._host.linger_seconds
            if back_by < self.deadline:
                self._host.lingering.add(self, self.payer.key)
                self._host.expiries.at(self, back_by)

    # --- its end -----------------------------------------------------------------------------------------------------

    def stop(self, end: McpAppError | InputRequired) -> None:
        """End the run now with `end` as its last event, and cancel the function. Does nothing when it has ended."""
        if self.ended:
            return
        self.stopped_by = end
        self._end(end.code)
        context = None if self._context is None else self._context.copy()
        self.closing = asyncio.create_task(self._close(end), name=f"end of run {self.id}", context=context)
        self.closing.add_done_callback(lambda _: self.release_request())

    def end_at_cap(self, seconds: float = math.inf) -> None:
        """Stop it at its cap, or at that of a reader, `seconds`, which a second one may have set lower."""
        seconds = min(self.cap, self._unless_promoted, seconds)
        self.stop(TimeCap(f"The run reached the cap of {seconds:g} seconds and was ended."))

    def expire(self) -> None:
        """Its moment has come, and was not put off: that of its cap, or of a caller that was to come back."""
        if self in self._host.expiries:
            return
        if self in self._host.lingering:
            self.stop(Left("The caller left and did not come back."))
        else:
            self.end_at_cap()

    async def stopped(self) -> None:
        """Wait until the last event is in the log and the function's cleanup is over, or was given up."""
        while (task := self.closing or self._task) is not None and not task.done():
            await asyncio.wait({task})

    def _expire_at_cap(self) -> None:
        self._host.expiries.at(self, min(self.deadline, self._began + self._unless_promoted))

    def _weak_stop(self) -> Callable[[McpAppError | InputRequired], None]:
        """`stop` for an asker, which the run holds: a method would be a circle, which only the collector opens."""
        weak = weakref.ref(self)

        def stop(end: McpAppError | InputRequired) -> None:
            if (run := weak()) is not None:
                run.stop(end)

        return stop

    async def _work(self, arguments: dict[str, Any], work: Work | None = None) -> None:
        if self.ended:  # before it began
            return
        WORKING.set((self.callee, self.id))
        begun = forked.generation
        try:
            work = work or self._host.work
            if self._host.arounds:
                work = wrapped(self._host.arounds, work)
            ticket, emit, calls = self._ticket, self._writer.emit, self._caller.calls
            until = None if ticket is None else ticket.until
            working = work(self.callee, arguments, self._caller, emit, self._host.threads, self.label, until)
            if ticket is not None:
                working = in_turn(ticket, working, emit)
            outcome = await (working if calls is None else calls.until(working))
            if self._writer.must_link(outcome.result):
                outcome = Outcome(*await self._writer.link_result(outcome.result))
            forked.end_copy(begun)
            end: Outcome | McpAppError = outcome
        except BaseException as error:
            forked.end_copy(begun, error)
            if self.ended:  # by stop: what the function raises on its way out is for the log alone
                if not isinstance(error, asyncio.CancelledError | GeneratorExit):
                    logger.warning(
                        "run %s: %s raised while being stopped", self.label, self.callee.name, exc_info=error
                    )
                return
            end = run_error(error, self.callee, self.label, self._host.bounds.error_bytes)
        if not self.ended:
            self._end("complete" if isinstance(end, Outcome) else end.code)
            await self._finish(end)
            self._writer.release()
            self._task = self._context = None  # which a run that is kept for minutes need not keep
            self.release_request()
        del end  # the traceback of an error leads to this frame: a circle

    def release_request(self) -> None:
        """The function works no more: what it was called with is not kept. Idempotent."""
        self._share.release_request()
        self._caller.release(keep_asker=self.policy.keeps_result)

    def release_log(self) -> None:
        """What is kept of it is counted elsewhere from now on, or nothing is. Idempotent."""
        self._share.release()

    async def _close(self, end: McpAppError | InputRequired) -> None:
        await self._finish(end)
        if self._task is not None and not await stop(self._task, self._writer):
            logger.error("run %s: %s does not stop when it is cancelled", self.label, self.callee.name)
        elif self._ticket is not None:
            self._ticket.leave()  # where it never began

    def _end(self, code: str) -> None:
        """The run ends here: from now on nothing is appended but its last event."""
        self.code = code
        if code != "complete":
            self._caller.reason = code
        self._host.expiries.cancel(self)
        self._host.lingering.discard(self)
        self._writer.close(code)

    async def _finish(self, end: Outcome | InputRequired | McpAppError) -> None:
        """Append the last event, and report it."""
        seconds = self._caller.clock() - self._began
        try:
            await self._writer.finish(lambda number: last_event(end, number, round(seconds * 1000)))
        except Fenced:  # who has the run now ends it
            self.code = Interrupted.code
        self.over = True
        error_id, trace_id = getattr(end, "error_id", None), self._caller.trace.trace_id
        log_end(self.callee.name, self.code or "-", seconds, self.events, self.id, self._origin, error_id, trace_id)
        if self.audited is not None:
            self.audited.ended(self.code or "-", seconds, error_id)
        self._host.on_end(self)
        self._report_idle()

    def _report_idle(self) -> None:
        if self.over and self.idle:
            self._host.on_idle(self)
