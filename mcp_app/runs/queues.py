"""The queues of tools that work on so many calls at once: who works, who waits, in which place.

Callers take turns, each with its calls in order: with one caller it is first come, first served. Which tool a queue is
of, and what a call does, is not known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

from ..authoring.at_once import AtOnce
from ..limits.rotation import Rotation
from ..protocol.errors import QueueFull, ToolFailed
from ..protocol.event import Event, EventType, encode
from ..protocol.payer import Payer
from .fair_places import PAYER
from .sends import Emit

R = TypeVar("R")

RETRY_AFTER = {"Retry-After": "5"}
"""Seconds that a refused caller should wait: nobody knows how long the calls before it take."""

SAY_SECONDS = 1.0
"""Seconds between two looks at the place of a call that waits: what a person wants to know, at a cost that does not
depend on how fast the calls before it are."""


class PushedOut(QueueFull):
    """The end of a call that waited, and had to make room. A class of its own: a QueueFull that a function raises is a
    failure of that function."""


class Ticket:
    """One call's place in a queue. `before` counts the calls that go first; 0 while it works, and afterwards."""

    __slots__ = ("_ancestors", "_below", "_held", "_left", "_pushed_out", "_queue", "_turn")

    def __init__(self, queue: CallQueue, ancestors: tuple[Ticket, ...]) -> None:
        self._queue = queue
        self._ancestors = ancestors
        self._below: set[Ticket] = set()  # those that wait, and were called by the call of this one
        self._turn: asyncio.Future[None] | None = None
        self._held = 0
        self._left = False
        self._pushed_out: PushedOut | None = None

    @property
    def before(self) -> int:
        """How many of those that wait go first, and one for those that work."""
        return self._queue.before(self)

    async def turn(self, say: Callable[[int], Any]) -> None:
        """Wait until it may work. `say` is awaited with its place, which begins at 1, whenever that has changed.

        Whoever gives up waiting calls `leave`. Raises PushedOut.
        """
        told = 0
        while (turn := self._turn) is not None and not turn.done():
            place = self.before
            if place != told:
                told = place
                await say(place)
            await asyncio.wait({turn}, timeout=SAY_SECONDS)
        if self._pushed_out is not None:
            raise self._pushed_out

    def until(self, outcome: asyncio.Future[Any]) -> None:
        """It works until `outcome` is done, though it may have left before: a thread cannot be ended from outside."""
        self._held += 1
        outcome.add_done_callback(self._done)

    def leave(self) -> None:
        """It works no more, or does not wait any longer. Idempotent."""
        if not self._left:
            self._left = True
            if not self._held:
                self._queue.remove(self)

    def _done(self, _: Any) -> None:
        self._held -= 1
        if self._left and not self._held:
            self._queue.remove(self)

    # --- of its queue ------------------------------------------------------------------------------------------------

    def wait(self) -> None:
        self._turn = asyncio.get_running_loop().create_future()
        for each in self._ancestors:
            each._below.add(self)

    def waits_no_more(self) -> None:
        if self._turn is not None:
            if not self._turn.done():
                self._turn.set_result(None)
            self._turn = None
            for each in self._ancestors:
                each._below.discard(self)

    def push_out(self, why: PushedOut) -> None:
        """It waits no more, as a caller with fewer calls in the queue has come."""
        self._pushed_out = why
        self.leave()

    def is_stuck(self) -> bool:
        """Whether it would wait for ever: each call that works in its queue waits for one that is stuck itself."""
        stuck, looked_at = {self}, [self]
        while looked_at:
            for holder in looked_at.pop()._queue.working:
                looked_at += holder._below - stuck
                stuck |= holder._below
        while True:
            waited_for = {ancestor for each in stuck for ancestor in each._ancestors}
            free = {each for each in stuck if any(holder not in waited_for for holder in each._queue.working)}
            if not free:
                return self in stuck
            stuck -= free


class CallQueue:
    """`limit.calls` work, those behind them wait. In a full one a caller with fewer calls than another takes the place
    of that one's last: whoever fills it keeps nobody out."""

    __slots__ = ("_forget", "limit", "waiting", "working")

    def __init__(self, limit: AtOnce, forget: Callable[[], object]) -> None:
        self.limit = limit
        self.working: dict[Ticket, None] = {}
        self.waiting: Rotation[str, Ticket] = Rotation()
        self._forget = forget

    def before(self, ticket: Ticket) -> int:
        if ticket not in self.waiting:
            return 0
        return 1 + self.waiting.before(ticket)

    def join(self, name: str, ancestors: tuple[Ticket, ...], caller: str) -> Ticket:
        """Raises QueueFull, and ToolFailed for a call that would wait for itself."""
        ticket = Ticket(self, ancestors)
        if len(self.working) < self.limit.calls and not len(self.waiting):
            self.working[ticket] = None
            return ticket
        if ancestors and ticket.is_stuck():
            raise ToolFailed(
                f"The tool {name} works on {_calls(self.limit.calls)} at once, and would wait here for a call that "
                "waits for this one.",
                hint="Its author can raise at_once, or call what both calls share as a function.",
            )
        if len(self.waiting) >= self.limit.waiting:
            self._make_room(name, caller)
        ticket.wait()
        self.waiting.add(ticket, caller)
        return ticket

    def _make_room(self, name: str, caller: str) -> None:
        """Push out the last call of whoever has most of those that wait, at least two more than this caller. Raises
        QueueFull if nobody has."""
        which = f" for this {self.limit.per}" if self.limit.per else ""
        why = (
            f"The tool {name} works on {_calls(self.limit.calls)} at once{which}, and {len(self.waiting)} wait already."
        )
        if len(self.waiting):
            last, most = self.waiting.last_of_most()
            if most >= self.waiting.of(caller) + 2:
                last.push_out(PushedOut(f"{why} Another caller, with fewer of them, has come.", headers=RETRY_AFTER))
                return
        raise QueueFull(why, headers=RETRY_AFTER)

    def remove(self, ticket: Ticket) -> None:
        self.waiting.discard(ticket)
        self.working.pop(ticket, None)
        ticket.waits_no_more()
        while len(self.working) < self.limit.calls and (following := self.waiting.pop()) is not None:
            self.working[following] = None
            following.waits_no_more()
        if not self.working:
            self._forget()


async def in_turn(ticket: Ticket, work: Coroutine[Any, Any, R], emit: Emit) -> R:
    """Wait for the ticket's turn, saying its place as progress when it changes, then work; and leave the queue."""
    try:
        await ticket.turn(lambda place: emit((_waiting(place),)))
        return await work
    finally:
        work.close()  # it may not have begun
        ticket.leave()


def _waiting(place: int) -> Event:
    message = "waiting for a call before this one" if place == 1 else f"waiting: {place} calls are before this one"
    return Event(EventType.PROGRESS, encode({"message": message}), encode({"queue_place": place}))


def _calls(count: int) -> str:
    return "one call" if count == 1 else f"{count} calls"


class Queues:
    """All queues of this process: one for a tool, or for each value of a parameter of it, while a call is in it."""

    def __init__(self) -> None:
        self._queues: dict[Hashable, CallQueue] = {}

    @property
    def waiting(self) -> int:
        """Calls that wait in any of them."""
        return sum(len(queue.waiting) for queue in self._queues.values())

    def join(
        self,
        name: str,
        limit: AtOnce,
        arguments: dict[str, Any],
        ancestors: tuple[Ticket, ...] = (),
        payer: Payer | None = None,
    ) -> Ticket:
        """The place of a call of the tool `name`. `ancestors` are the tickets of the calls that wait for this one.
        `payer` takes turns with others; by default the one whose run this task works for.

        Raises QueueFull when as many wait as may, and ToolFailed at once for a call that would wait for itself.
        """
        # By the limit itself: two tools may have one name, one after the other.
        key = id(limit), limit.queue(arguments)
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = CallQueue(limit, lambda: self._queues.pop(key, None))
        return queue.join(name, ancestors, (PAYER.get() if payer is None else payer).key)
