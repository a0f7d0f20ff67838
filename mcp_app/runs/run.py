"""One run: one asyncio task that appends every event to the event log before anybody sees it.

A run ends once: by the tool's own end, or by `stop`, whichever is first. The last event is appended at that moment; a
tool that is slow to stop, or will not, holds nobody up. No HTTP, no dialect and no other run is known here.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from ..asking import Asker, InputRequired
from ..authoring.context import Caller
from ..authoring.tool import Tool
from ..eventlog import EventLog
from ..protocol.errors import Left, McpAppError, TimeCap
from ..protocol.event import MAX_EVENT_BYTES, Event, EventType, encode
from ..protocol.policy import OnLeave, Policy
from .execution import Outcome, work
from .expiry import Expiry
from .failure import shown
from .last_event import last_event
from .reader import Reader
from .stop import Stop
from .threads import Threads
from .writer import Writer, too_large

logger = logging.getLogger("mcp_app.runs")

MAX_RESULT_BYTES = MAX_EVENT_BYTES - 256
"""Of a result: with what is said about it in the last event's metadata, that is an event of the largest size."""

STOP_GRACE = 5.0
"""Seconds that a cancelled tool has for its cleanup before it is cancelled again."""

STOP_TRIES = 5
"""Times a tool is cancelled again, a second apart: `asyncio.wait_for` of Python 3.11 can swallow one."""


class Told(NamedTuple):
    """Who is told of every run that it has ended, and that nobody reads it any more."""

    ended: Callable[[Run], None]
    idle: Callable[[Run], None]


class Run:
    """One call of one tool.

    `label` names it in the log. `code` is None while the run is being worked on, then "complete", "input_required" or
    the error's code. `over` is set a little later: when the last event is in the log. `stopped_by` is what it was ended
    with from outside: a tool's own error may have any code. `beside` are bytes that others keep for this run outside of
    its log. `unless_promoted`: seconds until it ends unless it is promoted, also while its reader is stuck in a write.
    """

    def __init__(
        self,
        tool: Tool,
        policy: Policy,
        caller: Caller,
        *,
        cap: float,
        log: EventLog,
        threads: Threads,
        told: Told,
        expiry: Expiry,
        linger: float,
        unless_promoted: float = math.inf,
    ) -> None:
        self.id = os.urandom(16).hex()
        self.label = self.id if caller.trace.trace_id is None else f"{self.id} [trace_id {caller.trace.trace_id}]"
        self.tool = tool
        self.policy = policy
        self.cap = cap
        self.log = log
        self.created = time.time()
        self.code: str | None = None
        self.over = False
        self.stopped_by: McpAppError | InputRequired | None = None
        self.beside = 0
        self._caller = caller
        self._threads = threads
        self._told = told
        self._linger = linger
        self._writer = Writer(log, self.id, waits=policy.waits)
        self._readers: list[Reader] = []
        self._followers: dict[Reader, None] = {}  # an empty set is three times as large
        self._expiry, self._lingers = expiry, False
        self._task: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._began = caller.clock()
        self._unless_promoted, self._keep = unless_promoted, policy.keep

    # --- its life ----------------------------------------------------------------------------------------------------

    async def begin(self, arguments: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Append `started`, with `metadata` and the run's id, and start the tool."""
        started = Event(EventType.STARTED, encode(self.tool.name), encode({"run": self.id, **metadata}))
        await self._writer.open(self._keep, started)
        if self.ended:  # while the log was opened
            return
        if self.asker is not None:
            self.asker.attach(self._writer.emit, Stop(self))
        self._task = asyncio.create_task(self._work(arguments), name=f"run {self.id}")
        self._expire_at_cap()  # also while its reader is stuck in a write

    @property
    def principal(self) -> str:
        return self._caller.principal

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
        """Bytes the run's events take, at most: in the log, and beside it."""
        return min(self._writer.bytes, self._keep.bytes) + self.beside

    @property
    def idle(self) -> bool:
        """Whether nobody reads it."""
        return not self._readers and not self._followers

    @property
    def closing(self) -> asyncio.Task[None] | None:
        """What still ends the tool after `stop`: it may go on after the last event."""
        return self._closing

    def stop(self, end: McpAppError | InputRequired) -> None:
        """End the run now with `end` as its last event, and cancel the tool. Does nothing when it has ended."""
        if self.ended:
            return
        self.stopped_by = end
        self._end(end.code)
        self._closing = asyncio.create_task(self._close(end), name=f"end of run {self.id}")

    def end_at_cap(self, seconds: float = math.inf) -> None:
        """Stop it at its cap, or at that of a reader, `seconds`, which a second one may have set lower."""
        seconds = min(self.cap, self._unless_promoted, seconds)
        self.stop(TimeCap(f"The run reached the cap of {seconds:g} seconds and was ended."))

    async def stopped(self) -> None:
        """Wait until the last event is in the log and the tool's cleanup is over, or was given up."""
        while (task := self._closing or self._task) is not None and not task.done():
            await asyncio.wait({task})

    # --- its readers -------------------------------------------------------------------------------------------------

    def attach(self, after: int = 0) -> Reader:
        """A new reader from number `after` on. The first of those attached is the one the tool waits for.

        One that comes back is the first: nobody may have noticed yet that the stream it had before is dead.
        """
        reader = Reader(self, after)
        self._readers.insert(0 if after else len(self._readers), reader)
        if self._lingers and not self.ended:
            self._lingers = False
            self._expire_at_cap()
        return reader

    def follow(self, after: int = 0) -> Reader:
        """A new reader that the run does not care about: it never holds the tool, and its leaving means nothing."""
        reader = Reader(self, after)
        self._followers[reader] = None
        return reader

    def promote(self, reader: Reader) -> Reader:
        """From now on the run is what its policy lets it become: who reads it as `reader` may leave. The reader that is
        returned goes on where that one is, and is the one the tool waits for."""
        if self.policy.becomes is None:
            raise ValueError(f"a run under {self.policy.name!r} is never promoted")
        self.policy, self._unless_promoted = self.policy.becomes, math.inf
        heir = Reader(self, reader.after, reader.end)
        self._readers[self._readers.index(reader)] = heir
        self._followers[reader] = None
        self._expire_at_cap()
        return heir

    def taken_by(self, reader: Reader) -> None:
        """The reader has written all it was given."""
        if self._readers and self._readers[0] is reader:
            self._writer.taken(reader.after, reader.end)

    def left_by(self, reader: Reader) -> None:
        """The reader is closed: what that means is the policy's."""
        if reader in self._followers:
            del self._followers[reader]
        elif reader in self._readers:
            self._readers.remove(reader)
            if self._readers:
                self.taken_by(self._readers[0])  # the tool may be waiting for the one that left
            elif not self.ended:
                self._left_alone()
        else:
            return
        self._tell_if_idle()

    def _left_alone(self) -> None:
        if self.policy.on_leave is OnLeave.GO_ON:
            self._writer.wait_for_nobody()
        elif self.policy.on_leave is OnLeave.CANCEL:
            self.stop(Left("The caller left before the run was done."))
        elif self.policy.on_leave is OnLeave.LINGER:
            back_by = self._caller.clock() + self._linger
            if back_by < self.deadline:
                self._lingers = True
                self._expiry.at(back_by, self)

    def _expire_at_cap(self) -> None:
        self._expiry.at(min(self.deadline, self._began + self._unless_promoted), self)

    def expire(self) -> None:
        """Its moment has come: that of its cap, or of a caller that was to come back."""
        if self._lingers:
            self.stop(Left("The caller left and did not come back."))
        else:
            self.end_at_cap()

    # --- its end -----------------------------------------------------------------------------------------------------

    async def _work(self, arguments: dict[str, Any]) -> None:
        if self.ended:  # before it began
            return
        try:
            outcome = await work(self.tool, arguments, self._caller, self._writer.emit, self._threads)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if self.ended:  # by stop: what the tool raises on its way out is for the log alone
                if not isinstance(error, asyncio.CancelledError | GeneratorExit):
                    logger.warning("run %s: %s raised while being stopped", self.label, self.tool.name, exc_info=error)
                return
            await self._conclude(shown(error, self.tool.name, self.label))
            return
        if not self.ended:
            size = len(outcome.data)
            await self._conclude(outcome if size <= MAX_RESULT_BYTES else too_large("A result", size))

    async def _conclude(self, end: Outcome | McpAppError) -> None:
        """The tool has ended by itself."""
        self._end("complete" if isinstance(end, Outcome) else end.code)
        await self._finish(end)
        self._writer.release()
        self._task = None  # which a run that is kept for minutes need not keep

    async def _close(self, end: McpAppError | InputRequired) -> None:
        await self._finish(end)
        task = self._task
        if task is None:
            return
        for seconds in (STOP_GRACE, *[1.0] * STOP_TRIES):
            task.cancel()
            self._writer.refuse()
            done, _ = await asyncio.wait({task}, timeout=seconds)
            self._writer.release()
            if done:
                return
        logger.error("run %s: %s does not stop when it is cancelled", self.label, self.tool.name)

    async def _finish(self, end: Outcome | InputRequired | McpAppError) -> None:
        """Append the last event, and say so."""
        milliseconds = round((self._caller.clock() - self._began) * 1000)
        await self._writer.finish(lambda number: last_event(end, number, milliseconds))
        self.over = True
        self._told.ended(self)
        self._tell_if_idle()

    def _end(self, code: str) -> None:
        """The run ends here: from now on nothing is appended but its last event."""
        self.code = code
        if code != "complete":
            self._caller.reason = code
        self._expiry.never(self)
        self._writer.close(code)

    def _tell_if_idle(self) -> None:
        if self.over and self.idle:
            self._told.idle(self)
