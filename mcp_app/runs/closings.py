"""Closes what makers made, within bounds: who does not end is cancelled, counted, and named in the log.

When something is to be closed, and in what order, is not known here.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging

from ..aio.deadlines import Deadlines
from .made import Made

logger = logging.getLogger("mcp_app.runs")

CLOSE_SECONDS = 5.0
"""Seconds that the closing of one value of a call may take, as long as a cancelled function has for its cleanup: a
rollback over a slow network has answered by then."""

LAST_SECONDS = 0.1
"""The same once the server has waited for all closings together: what only has to give back a lock still does."""

STOP_SECONDS = 0.5
"""Seconds for all of these."""

CANCEL_TRIES = 5
"""Times that what goes on is cancelled again, a second apart: `asyncio.wait_for` of Python 3.11 can swallow one."""


class Closings:
    """The closings of one process; `abandoned` of them were cancelled, or go on in a thread that nobody waits for."""

    def __init__(self) -> None:
        self.abandoned = 0
        self.stopping = False
        """Whether the process is exiting: nobody waits for what goes on."""
        self._seconds = CLOSE_SECONDS
        self._tasks: set[asyncio.Task[None]] = set()
        self._bounds: Deadlines[_Bound] = Deadlines(_Bound.expire)

    @property
    def begun(self) -> int:
        """Those that have not ended yet."""
        return len(self._tasks)

    def begin(self, task: asyncio.Task[None]) -> None:
        """The task will close what it takes."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def ended(self) -> None:
        """Wait until all of these have."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        """Cancel those that are left: the process is exiting."""
        self.stopping, self._seconds = True, LAST_SECONDS
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_SECONDS)

    async def close(self, made: Made, error: BaseException | None, owner: str, seconds: float | None = None) -> None:
        """Close it, and return when it is closed or given up: in `seconds`, by default CLOSE_SECONDS.

        `owner` is whose it was, for the log. Raises nothing: the call has ended, and its result was sent.
        """
        bound = _Bound(self, self._bounds, made, owner)
        bound.begin(self._seconds if seconds is None else seconds)
        try:
            await made.close(error)
        except BaseException as raised:
            # A task group whose task fails cancels this one, and of Python 3.11 and 3.12 leaves it marked as cancelled.
            if not (isinstance(raised, asyncio.CancelledError) and bound.expire_if_cancelled()):
                logger.warning("%s: %s raised while it was closed", owner, made.maker.where, exc_info=raised)
        finally:
            bound.end()


class _Bound:
    """Cancels this task when the time is over, until it goes on."""

    __slots__ = ("_before", "_began", "_bounds", "_closings", "_context", "_made", "_owner", "_task", "_tries")

    def __init__(self, closings: Closings, bounds: Deadlines[_Bound], made: Made, owner: str) -> None:
        self._closings = closings
        self._bounds = bounds
        self._made = made
        self._owner = owner
        self._tries = 0
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine is run by a task
        self._task = task
        self._before = task.cancelling()
        self._began = _now()
        self._context = contextvars.copy_context()  # that of the call: the timer is shared by all

    def begin(self, seconds: float) -> None:
        self._bounds.at(self, self._began + seconds)

    def expire_if_cancelled(self) -> bool:
        """Whether it was given up: its time is over, or the whole process is ending."""
        cancelled = self._task.cancelling() > self._before
        if cancelled and not self._tries:
            self._report()
        return cancelled

    def end(self) -> None:
        self._bounds.cancel(self)
        while self._task.cancelling() > self._before:
            self._task.uncancel()

    def expire(self) -> None:
        if not self._tries:
            self._context.run(self._report)
        self._tries += 1
        self._task.cancel()
        if self._tries <= CANCEL_TRIES:
            self._bounds.at(self, _now() + 1.0)

    def _report(self) -> None:
        self._closings.abandoned += 1
        seconds = _now() - self._began
        logger.error("%s: %s is not closed after %.1f s, and is given up", self._owner, self._made.maker.where, seconds)


def _now() -> float:
    return asyncio.get_running_loop().time()


def forget_cancellation() -> None:
    """This task goes on, to close what it has taken."""
    task = asyncio.current_task()
    while task is not None and task.uncancel():
        pass
