"""Daemon threads for plain functions: bounded in number, each with a bounded channel to the event loop.

The default executor will not do: its threads delay the interpreter's exit until the last one is done, and a generator
iterated in it is neither stopped nor closed. Tools are not known here.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from ..aio.event import LazyEvent
from ..aio.in_thread import settle_by
from ..protocol.errors import Overloaded
from .channel import Channel
from .fair_places import PAYER, FairPlaces

T = TypeVar("T")
R = TypeVar("R")

ABANDON_AFTER = 5.0
"""Seconds after which a thread that was asked to stop and still runs counts as abandoned: Python cannot end a thread,
only count it. A urllib request with a timeout of its own has usually failed by then."""

QUEUE_SECONDS = 10.0
"""Seconds that a call waits for a thread: longer than a burst of short calls takes, and soon enough for its caller to
go elsewhere. A step of a run has nowhere to go, and waits longer."""

logger = logging.getLogger("mcp_app.runs")


class NoThread(Overloaded):
    """No thread was free. A class of its own: an Overloaded that a function raises is a failure of that function."""


class Threads:
    """At most `limit` threads at once, of which no caller has all; `abandoned` of them were asked to stop and still
    run."""

    def __init__(self, limit: int) -> None:
        self._free = FairPlaces(limit)
        self._places: dict[_Place, None] = {}
        self._changed = LazyEvent()
        self._short = False
        self.abandoned = 0

    @property
    def working(self) -> int:
        """Threads that have not ended."""
        return len(self._places)

    @property
    def full(self) -> bool:
        """Whether the next one has to wait, if this task starts it."""
        return self._places_for(LENDER.get()).locked()

    @property
    def names(self) -> list[str]:
        """Of those that are working, the oldest first."""
        return [place.name for place in self._places]

    async def ended(self) -> None:
        """Wait until no thread works but those that are abandoned: they have had their time."""
        while self.working > self.abandoned:
            self._changed.clear()
            await self._changed.wait()

    @asynccontextmanager
    async def run(
        self, function: Callable[..., R], *args: Any, name: str = "a function", patience: float = QUEUE_SECONDS
    ) -> AsyncIterator[asyncio.Future[R]]:
        """Call `function(*args)` in a thread of its own; its last argument is the `Channel` it writes to.

        The future is the function's outcome. Leaving the block stops the channel, and does not wait for the thread:
        what it raises after that is logged under `name`.

        Raises NoThread when no thread is free for `patience` seconds.
        """
        channel: Channel[Any] = args[-1]
        loop = asyncio.get_running_loop()
        lender = LENDER.get()
        places = self._places_for(lender)
        if places.locked():
            await self._wait_for_place(places, name, patience)
        else:
            await places.acquire()
        outcome: asyncio.Future[R] = loop.create_future()
        context = contextvars.copy_context()
        place = _Place(self, loop, name, None if places is self._free else lender)

        def body() -> None:
            try:
                settle_by(lambda: context.run(function, *args), loop, outcome)
            finally:
                channel.close()
                place.leave_from_thread()

        self._places[place] = None
        try:
            threading.Thread(target=body, daemon=True, name=f"tool-{id(outcome):x}").start()
        except RuntimeError:  # the system has no more threads
            place.leave()
            raise
        LENDER.set(place)
        try:
            yield outcome
        except BaseException as error:
            outcome.add_done_callback(functools.partial(log_late, name, error))  # nobody takes it any more
            raise
        finally:
            LENDER.set(lender)
            channel.stop()
            place.expect()

    def _places_for(self, lender: _Place | None) -> FairPlaces | asyncio.Semaphore:
        if lender is None or lender.over or not lender.is_of(self):
            return self._free
        return lender.lent if self._free.locked() or not lender.lent.locked() else self._free

    async def _wait_for_place(self, places: FairPlaces | asyncio.Semaphore, name: str, patience: float) -> None:
        if not self._short:  # one line until a thread is free again, not one for each call
            self._short = True
            logger.warning(
                "no thread is free for %s: %d plain functions are working, %d of them after they were told to stop",
                name,
                self.working,
                self.abandoned,
            )
        try:
            async with asyncio.timeout(patience):
                await places.acquire()
        except TimeoutError:
            raise NoThread(
                f"No thread was free for {patience:.3g} seconds: as many plain functions as {self._free.whose} are "
                "working. The call did not begin."
            ) from None


LENDER: contextvars.ContextVar[_Place | None] = contextvars.ContextVar("mcp_app.lender", default=None)
"""The place of the thread that this task works for."""


class _Place:
    """One of the places of `Threads`: free when its thread has really ended, and counted as abandoned until then.

    While its thread waits for the loop, it is lent to a thread that works there for it: `lent` is one place. Else all
    places could be of functions that wait for one. The place is free when the borrower's thread has ended as well.
    """

    def __init__(self, threads: Threads, loop: asyncio.AbstractEventLoop, name: str, lender: _Place | None) -> None:
        self.name = name
        self.lent = asyncio.Semaphore(1)
        self._lender = lender
        self._payer = PAYER.get()
        self._threads = threads
        self._loop = loop
        self.over = False
        self._abandoned = False
        self._timer: asyncio.TimerHandle | None = None

    def leave_from_thread(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self.leave)
        except RuntimeError:
            pass  # the loop is closed: there is no count any more

    def leave(self) -> None:
        self.over = True
        if self._timer is not None:
            self._timer.cancel()
        threads = self._threads
        del threads._places[self]
        threads.abandoned -= self._abandoned
        if not self.lent.locked():
            self._free()
        threads._short = threads._short and threads._free.all_taken
        threads._changed.set()

    def is_of(self, threads: Threads) -> bool:
        return self._threads is threads

    def _free(self) -> None:
        if self._lender is None:
            self._threads._free.release(self._payer)
        else:
            self._lender._take_back()

    def _take_back(self) -> None:
        if self.over:
            self._free()
        else:
            self.lent.release()

    def expect(self) -> None:
        if not self.over:
            self._timer = self._loop.call_later(ABANDON_AFTER, self._abandon)

    def _abandon(self) -> None:
        self._abandoned = True
        self._threads.abandoned += 1
        self._threads._changed.set()
        logger.warning("%s does not stop: its thread keeps its place until it ends", self.name)


def log_late(name: str, seen: BaseException, outcome: asyncio.Future[Any]) -> None:
    """What a function raises on its way out is for the log alone; `seen` is what whoever ran it got."""
    error = None if outcome.cancelled() else outcome.exception()
    if error is not None and error is not seen and not isinstance(error, GeneratorExit):
        logger.warning("%s raised while being stopped", name, exc_info=error)
