"""What all calls of a process share: each value is made once, in a task of its own, in which it is also closed.

The values of single calls are in supply.py. When the process starts and ends is not known here.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from ..authoring.dependencies import Maker, Plan, overridden, overrides_below
from .closings import LAST_SECONDS, Closings, forget_cancellation
from .kept_thread import KeptThread
from .made import Made, MakerFailed
from .threads import Threads

logger = logging.getLogger("mcp_app.runs")

CLOSE_SECONDS = 3.0
"""Seconds that closing all of it may take. With the 4 s for the calls before it is less than hypercorn.toml's
shutdown_timeout; each value has an equal share of what is left, so that one that hangs leaves time for the others."""

TURN_SECONDS = 5.0
"""Seconds that a value waits for its turn when its event loop ends: longer than calls have for their cleanup before.
Where nobody closes them in their order, each is closed then."""

_STUBBORN_SECONDS = 1.0
"""Seconds after the cap that a start waits for a maker which ignores its cancellation."""

_MAX_THREADS = 1_000
"""One is kept for each plain generator, beside those of calls: no application shares as many values."""


class _Holder:
    """One value that is made, or being made, and the task in which that is done. `over` ends what it has open, within
    `seconds`. `dropped`: it is closed before the application ends, and nobody gets it any more."""

    __slots__ = ("dropped", "maker", "over", "ready", "seconds", "task")

    def __init__(self, maker: Maker) -> None:
        loop = asyncio.get_running_loop()
        self.maker = maker
        self.ready: asyncio.Future[Any] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()
        self.seconds = CLOSE_SECONDS
        self.dropped = False
        self.task: asyncio.Task[None] | None = None

    def fail(self, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError):
            why = "what it is made of was cancelled" if self.dropped else "the application is being stopped"
            error = RuntimeError(f"{self.maker.where} was ended: {why}")
        self.ready.set_exception(error)
        self.ready.exception()  # marked as retrieved: whoever asked may have gone

    async def gone(self) -> None:
        """Wait until it is closed."""
        assert self.task is not None  # noqa: S101 - set by whoever made it
        await asyncio.wait({self.task})

    async def end(self, seconds: float) -> None:
        assert self.task is not None  # noqa: S101 - set by whoever made it
        self.seconds = seconds
        if not self.over.done():
            self.over.set_result(None)
        if not self.ready.done():
            self.task.cancel()
        await asyncio.wait({self.task}, timeout=seconds + LAST_SECONDS)


class SharedValues:
    """The values of one application. `cap_seconds` bounds each maker."""

    def __init__(self, cap_seconds: float, closings: Closings) -> None:
        self._cap_seconds = cap_seconds
        self._closings = closings
        self._threads = Threads(_MAX_THREADS)
        self._context = contextvars.copy_context()
        self._holders: dict[Hashable, _Holder] = {}
        self._closed = False
        self.values: dict[Hashable, Any] = {}
        """Those that are made, by the key of their maker; with the overrides they were made with, if there were any."""

    async def start(self, plans: Iterable[Plan]) -> None:
        """Make what the plans need, one after the other. Raises MakerFailed, after what was made has been closed."""
        for maker in (maker for plan in plans for maker in plan.needed()[0] if maker.shared):
            try:
                await self._made_within(self._cap_seconds + _STUBBORN_SECONDS, maker)
            except asyncio.CancelledError:
                logger.error("the start was ended while %s was at work", maker.where)  # noqa: TRY400 - it did not fail
                await self.close()
                raise
            except BaseException as error:
                await self.close()
                logger.debug("%s failed", maker.where, exc_info=error)
                raise MakerFailed(_line(maker, error)) from error

    async def get(self, maker: Maker) -> Any:
        """Its value, made now if it is not yet. Who is cancelled leaves the maker to others, and to the next call.

        Raises what the maker raises, and MakerFailed at the cap. The next who asks calls it again.
        """
        if (instead := overridden(maker)) is not None:
            return instead.value
        overrides = overrides_below(maker)
        key = (maker.key, *overrides) if overrides else maker.key
        if key in self.values:
            return self.values[key]
        while (holder := self._holders.get(key)) is not None and holder.dropped and not self._closed:
            await holder.gone()
        if holder is None:
            if self._closed:
                raise RuntimeError(f"{maker.where} was needed after all that is shared had been closed")
            holder = self._holders[key] = _Holder(maker)
            making = self._make(key, holder)
            # Not in the context of the call that happens to be the first.
            holder.task = asyncio.get_running_loop().create_task(
                making, name=f"shared {maker.name}", context=self._context.copy()
            )
        return await asyncio.shield(holder.ready)

    async def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Close all, the last that was made first, within `seconds`; who is still being made is cancelled."""
        self._closed = True
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        self.values.clear()
        holders = list(reversed(self._holders.values()))
        for number, holder in enumerate(holders):
            await holder.end(max(LAST_SECONDS, until - loop.time()) / (len(holders) - number))

    async def _make(self, key: Hashable, holder: _Holder) -> None:
        """The task of one value: what a generator enters it has to leave in the same."""
        maker = holder.maker
        thread = KeptThread(self._threads) if maker.plain else None
        made = Made(maker, thread)
        try:
            arguments = {name: await self.get(each) for name, each in maker.makers}
            if thread is not None:
                await thread.open(f"shared {maker.name}")
            value = await self._capped(made, arguments)
        except BaseException as error:
            del self._holders[key]
            holder.fail(error)
            made.give_up(error)
        else:
            self.values[key] = value
            holder.ready.set_result(value)
            # Behind those that were made before, whoever was asked for first: they are closed in the reverse order.
            self._holders[key] = self._holders.pop(key)
            if made.open:
                await self._turn(holder)
                await self._closings.close(made, None, "the application", holder.seconds)
            del self._holders[key]
        finally:
            if thread is not None:
                thread.end()
                await thread.leave()

    async def _turn(self, holder: _Holder) -> None:
        """Wait until it is this one's turn to be closed. The end of an event loop cancels it together with the calls
        that use it and with those that were made of it, and whoever closes all of them in their order goes on. Where
        nobody does, it has cancelled itself: a task group in it has failed."""
        waiting = {holder.over}
        try:
            await asyncio.wait(waiting)
        except asyncio.CancelledError:
            forget_cancellation()
            await asyncio.wait(waiting, timeout=TURN_SECONDS)
            if not holder.over.done():
                await self._drop(holder)

    async def _drop(self, holder: _Holder) -> None:
        """What was made of it is closed first; all of them are made anew when they are needed again."""
        logger.error("%s was cancelled, is closed, and is made anew for the next call", holder.maker.where)
        made_of = {key: each for key, each in self._holders.items() if holder.maker.key in each.maker.below}
        for key, each in self._holders.items():
            if each is holder or key in made_of:
                self.values.pop(key, None)
                each.dropped = True
        for each in reversed(made_of.values()):
            await each.end(CLOSE_SECONDS)

    async def _made_within(self, seconds: float, maker: Maker) -> None:
        try:
            async with asyncio.timeout(seconds) as timeout:
                await self.get(maker)
        except TimeoutError as error:
            if not timeout.expired():
                raise
            raise MakerFailed(f"{maker.where} goes on after the cap, and when it is cancelled") from error

    async def _capped(self, made: Made, arguments: Mapping[str, Any]) -> Any:
        try:
            async with asyncio.timeout(self._cap_seconds) as timeout:
                return await made.take(arguments)
        except TimeoutError as error:
            if not timeout.expired():
                raise
            raise MakerFailed(f"{made.maker.where} had no value after {self._cap_seconds:g} s, the cap") from error


def _line(maker: Maker, error: BaseException) -> str:
    """What went wrong, in one line."""
    text = str(error) if isinstance(error, MakerFailed) else f"{maker.where} raised {type(error).__name__}: {error}"
    return " ".join(text.split())
