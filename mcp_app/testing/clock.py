"""The event loop's clock in the hand of a test: heartbeats, the cap and every TTL of the server without sleeping.

It takes the place of the loop's `time()`. Until it is moved it is the same clock, so that nothing changes for code that
sleeps. uvloop has its own clock in C, which nothing moves.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any, cast

from mcp_app.aio.deadlines import TICK

_QUIET_TURNS = 3
"""Turns of the loop with nothing to do that make it quiet: in one, what a thread or a socket had for it may come."""

_MOST_TURNS = 2000
"""Turns after which a loop that is never quiet is left alone: a tool that does not wait would keep it busy for ever."""


_SLACK = 2 * TICK
"""Seconds after the end of a move in which a timer still counts as due: the server's own are that exact."""


class NoClock(RuntimeError):
    """This event loop's clock cannot be moved."""


class MovableClock:
    """The time of one event loop, in seconds. Get it by `of_running_loop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._real = loop.time
        self._ahead = 0.0
        self._stopped_at: float | None = None
        self._movable = isinstance(loop, asyncio.BaseEventLoop)
        if self._movable:
            loop.time = self.time  # type: ignore[method-assign]

    @classmethod
    def of_running_loop(cls) -> MovableClock:
        """The running loop's clock: one for all who ask, as there is one time."""
        loop = asyncio.get_running_loop()
        owner = getattr(loop.time, "__self__", None)
        return owner if isinstance(owner, cls) else cls(loop)

    def time(self) -> float:
        """What `loop.time()` returns."""
        return self._real() + self._ahead if self._stopped_at is None else self._stopped_at

    @property
    def stopped(self) -> bool:
        """Whether time moves by `advance` alone."""
        return self._stopped_at is not None

    def stop(self) -> None:
        """From now on time moves only by `advance`: for what is just before or just after a moment."""
        self._check()
        self._stopped_at = self.time()

    def start(self) -> None:
        """Time goes on by itself again, from where it is."""
        if self._stopped_at is not None:
            self._ahead = self._stopped_at - self._real()
            self._stopped_at = None

    async def advance(self, seconds: float) -> None:
        """Move the time, from timer to timer, as if it went by: each does what it does at its own time, with what
        follows from it, before the next is due. Returns when all that can go on has gone on.

        Meanwhile the time stands still but for these steps, so that a tool that sleeps ten times for half a second is
        done after five seconds, however slow the machine is. What a thread works on goes by real time, and is not
        waited for. Raises NoClock where the loop has a clock of its own.
        """
        self._check()
        goes_on = self._stopped_at is None
        self._stopped_at = self.time()
        try:
            await settle()
            until = self._stopped_at + seconds
            while (due := _next_timer()) <= until + _SLACK:
                self._stopped_at = max(due, self._stopped_at)
                await settle()
            self._stopped_at = max(until, self._stopped_at)
            await settle()
        finally:
            if goes_on:
                self.start()

    def _check(self) -> None:
        if not self._movable:
            raise NoClock(
                f"The clock of {type(asyncio.get_running_loop()).__module__} cannot be moved: run this test on an "
                "event loop of asyncio."
            )


async def settle() -> None:
    """Let everything on the loop that does not wait for time, a thread or a peer go on as far as it can."""
    ready = getattr(asyncio.get_running_loop(), "_ready", None)
    quiet = 0
    for _ in range(_MOST_TURNS):
        await asyncio.sleep(0)
        quiet = quiet + 1 if ready is not None and not ready else 0
        if quiet == _QUIET_TURNS:
            return


def _next_timer() -> float:
    """When the loop's next timer is due; infinity if it has none."""
    scheduled = cast(Any, asyncio.get_running_loop())._scheduled
    return min((timer.when() for timer in scheduled if not timer.cancelled()), default=math.inf)
