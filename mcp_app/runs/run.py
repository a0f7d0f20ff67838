"""One run: one asyncio task that appends every event to the event log before anybody sees it.

A run ends once: by the tool's own end, or by `stop`, whichever is first. The last event is appended at that moment; a
tool that is slow to stop, or will not, holds nobody up. No HTTP, no dialect and no other run is known here.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..context import Caller
from ..eventlog import EventLog
from ..kinds import work
from ..protocol.errors import EventTooLarge, Left, McpAppError, TimeCap, ToolError, ToolFailed
from ..protocol.event import MAX_EVENT_BYTES, Event, EventType, encode
from ..protocol.revision import OnLeave, Policy
from ..threads import Threads
from ..tools import Tool
from .reader import Reader
from .window import Window

logger = logging.getLogger("mcp_app.runs")

TURN_EVENTS = 16
"""Events after which a tool that never waits gives the loop a turn. An answer to somebody else takes some ten turns:
at 64 events a turn its median beside a flood was 12 ms, at 16 it is 4, at 8 it is 3 and HTTP/2 writes cost more."""

STOP_GRACE = 5.0
"""Seconds that a cancelled tool has for its cleanup before it is cancelled again."""

STOP_TRIES = 5
"""Times a tool is cancelled again, a second apart: `asyncio.wait_for` of Python 3.11 can swallow one, a defiant tool
swallows all and is left to itself."""


class Run:
    """One call of one tool.

    `code` is None while the run is being worked on, then "complete" or the error's code. `over` is set a little later:
    when the last event is in the log.
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
        on_end: Callable[[Run], None],
        on_idle: Callable[[Run], None],
        linger: float,
    ) -> None:
        self.id = secrets.token_hex(16)
        self.tool = tool
        self.policy = policy
        self.cap = cap
        self.log = log
        self.created = time.time()
        self.code: str | None = None
        self.over = False
        self._caller = caller
        self._threads = threads
        self._on_end = on_end
        self._on_idle = on_idle
        self._linger = linger
        self._window = Window()
        self._room = asyncio.Event()
        self._readers: list[Reader] = []
        self._followers: set[Reader] = set()
        self._expiry: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._began = caller.clock()
        self._since_turn = 0

    # --- its life ----------------------------------------------------------------------------------------------------

    async def begin(self, arguments: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Append `started`, with `metadata` and the run's id, and start the tool."""
        await self.log.open(self.id, self.policy.keep)
        started = Event(EventType.STARTED, encode(self.tool.name), encode({"run": self.id, **metadata}))
        self._window.appended = self._window.taken = 1
        self._window.appended_bytes = self._window.taken_bytes = (await self.log.append(self.id, (started,))).end
        self._task = asyncio.create_task(self._work(arguments), name=f"run {self.id}")
        self._expire_at(self.deadline, self.cap_error)  # also while its reader is stuck in a write

    @property
    def principal(self) -> str:
        return self._caller.principal

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
        return self._window.appended

    @property
    def size(self) -> int:
        """Bytes the run's events take in the log, at most."""
        return min(self._window.appended_bytes, self.policy.keep.bytes)

    def cap_error(self, seconds: float = math.inf) -> TimeCap:
        """Why the run ends at its cap, or at that of a reader, `seconds`, which a second one may have set lower."""
        return TimeCap(f"The run reached the cap of {min(self.cap, seconds):g} seconds and was ended.")

    def stop(self, error: McpAppError) -> None:
        """End the run now with `error` as its last event, and cancel the tool. Does nothing when it has ended."""
        if self.ended:
            return
        self._end(error.code)
        self._closing = asyncio.create_task(self._close(error), name=f"end of run {self.id}")

    async def stopped(self) -> None:
        """Wait until the last event is in the log and the tool's cleanup is over, or was given up."""
        for task in (self._task, self._closing):
            if task is not None:
                await asyncio.wait({task})

    # --- what the tool appends ---------------------------------------------------------------------------------------

    async def emit(self, events: Sequence[Event]) -> None:
        """Append events, waiting for the reader where the policy says so.

        Raises EventTooLarge; CancelledError when the run was ended, so that a tool stops at its next word.
        """
        for event in events:
            if event.size > MAX_EVENT_BYTES:
                raise EventTooLarge(f"An event of {event.size} bytes is larger than {MAX_EVENT_BYTES} bytes.")
        while events:
            if self.ended:
                raise asyncio.CancelledError(f"the run was ended: {self.code}")
            count = self._window.fitting(events) if self.policy.waits else len(events)
            if count == 0:
                self._room.clear()
                await self._room.wait()
                continue
            await self._append(events[:count])
            events = events[count:]
            await self._give_a_turn(count)

    async def _append(self, events: Sequence[Event]) -> None:
        entry = await self.log.append(self.id, events)
        self._window.appended, self._window.appended_bytes = entry.number, entry.end

    async def _give_a_turn(self, count: int) -> None:
        self._since_turn += count
        if self._since_turn >= TURN_EVENTS:
            self._since_turn = 0
            await asyncio.sleep(0)

    # --- its readers -------------------------------------------------------------------------------------------------

    def attach(self, after: int = 0) -> Reader:
        """A new reader from number `after` on. The first of those attached is the one the tool waits for."""
        reader = Reader(self, after)
        self._readers.append(reader)
        if self._expiry is not None:
            self._expire_at(self.deadline, self.cap_error)
        return reader

    def follow(self, after: int = 0) -> Reader:
        """A new reader that the run does not care about: it never holds the tool, and its leaving means nothing."""
        reader = Reader(self, after)
        self._followers.add(reader)
        return reader

    def taken_by(self, reader: Reader) -> None:
        """The reader has written all it was given."""
        if self._readers and self._readers[0] is reader:
            self._window.take(reader.after, reader.end)
            self._room.set()

    def left_by(self, reader: Reader) -> None:
        """The reader is closed: what that means is the policy's."""
        if reader in self._followers:
            self._followers.discard(reader)
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
        if self.policy.on_leave is OnLeave.CANCEL:
            self.stop(Left("The caller left before the run was done."))
        elif self.policy.on_leave is OnLeave.LINGER:
            back_by = self._caller.clock() + self._linger
            if back_by < self.deadline:
                self._expire_at(back_by, lambda: Left("The caller left and did not come back."))

    def _expire_at(self, when: float, why: Callable[[], McpAppError]) -> None:
        self._forget_expiry()
        self._expiry = asyncio.get_running_loop().call_at(when, lambda: self.stop(why()))

    def _forget_expiry(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    # --- its end -----------------------------------------------------------------------------------------------------

    async def _work(self, arguments: dict[str, Any]) -> None:
        try:
            outcome = await work(self.tool, arguments, self._caller, self.emit, self._threads)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if self.ended:  # by stop: what the tool raises on its way out is for the log alone
                if not isinstance(error, asyncio.CancelledError | GeneratorExit):
                    logger.warning("run %s: %s raised while being stopped", self.id, self.tool.name, exc_info=error)
                return
            await self._fail(self._shown(error))
            return
        if self.ended:
            return
        if len(outcome.data) > MAX_EVENT_BYTES:
            size = len(outcome.data)
            await self._fail(EventTooLarge(f"A result of {size} bytes is larger than {MAX_EVENT_BYTES} bytes."))
            return
        self._end("complete")
        items = {} if outcome.items is None else {"items": outcome.items}
        await self._append((Event(EventType.COMPLETE, outcome.data, self._last_metadata(items)),))
        self._announce()

    def _shown(self, error: BaseException) -> McpAppError:
        """What the caller is told: the tool's own word if it is meant for the caller, else an id to ask about."""
        if isinstance(error, ToolError | EventTooLarge):
            return error
        error_id = secrets.token_hex(8)
        logger.error("run %s: %s failed [error_id %s]", self.id, self.tool.name, error_id, exc_info=error)
        if isinstance(error, ToolFailed):
            return ToolFailed(error.message, error_id=error_id)
        return ToolFailed(f"The tool {self.tool.name} failed.", error_id=error_id)

    async def _fail(self, error: McpAppError) -> None:
        self._end(error.code)
        await self._append((self._error_event(error),))
        self._announce()

    async def _close(self, error: McpAppError) -> None:
        await self._append((self._error_event(error),))
        self._announce()
        if self._task is None:
            return
        self._task.cancel()
        done, _ = await asyncio.wait({self._task}, timeout=STOP_GRACE)
        for _ in range(STOP_TRIES):
            if done:
                return
            self._task.cancel()
            done, _ = await asyncio.wait({self._task}, timeout=1)
        logger.error("run %s: %s does not stop when it is cancelled", self.id, self.tool.name)

    def _error_event(self, error: McpAppError) -> Event:
        return Event(EventType.ERROR, encode(error.object()), self._last_metadata({}))

    def _last_metadata(self, more: dict[str, Any]) -> bytes:
        milliseconds = round((self._caller.clock() - self._began) * 1000)
        return encode({"duration_ms": milliseconds, "events": self._window.appended + 1, **more})

    def _end(self, code: str) -> None:
        """The run ends here: from now on nothing is appended but its last event."""
        self.code = code
        if code != "complete":
            self._caller.reason = code
        self._forget_expiry()
        self._room.set()

    def _announce(self) -> None:
        self.over = True
        self._on_end(self)
        self._tell_if_idle()

    def _tell_if_idle(self) -> None:
        if self.over and not self._readers and not self._followers:
            self._on_idle(self)
