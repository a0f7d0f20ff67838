"""One thread of a pool for several functions, one after another.

What is taken in a thread must be used there, and closed: sqlite3 checks that, and thread-locals are that thread's.

Makers are not known here, nor tools.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from queue import SimpleQueue
from typing import Any, TypeVar

from ..aio.in_thread import settle_by
from .channel import Channel
from .threads import QUEUE_SECONDS, Threads, log_late

R = TypeVar("R")


class KeptThread:
    """`open` takes a thread of `threads`, which works until `end`. `run` is that of `Threads`, in this one.

    It has one context, so that a function sets back there what another one has set. What is set on the loop between two
    of them is set there as well.
    """

    full = False
    """Nobody waits for a place: it has one."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._place = AsyncExitStack()
        self._last: asyncio.Future[Any] | None = None
        self._seen = contextvars.Context()  # that of the loop, when something was submitted last

    async def open(self, name: str, patience: float = QUEUE_SECONDS) -> None:
        """Raises NoThread when none is free for `patience` seconds."""
        unused: Channel[None] = Channel(asyncio.get_running_loop(), lambda _: 0)
        await self._place.enter_async_context(self._threads.run(self._serve, unused, name=name, patience=patience))
        self._seen = contextvars.copy_context()

    def submit(self, function: Callable[[], R]) -> asyncio.Future[R]:
        """Call it there, after all that was submitted before. Who cancels the future only does not see the outcome."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[R] = loop.create_future()
        job = functools.partial(_with_variables, self._changed(), function)
        self._jobs.put(functools.partial(settle_by, job, loop, outcome))
        return outcome

    @asynccontextmanager
    async def run(
        self, function: Callable[..., R], *args: Any, name: str = "a function", patience: float = 0.0
    ) -> AsyncIterator[asyncio.Future[R]]:
        """Call `function(*args)`, whose last argument is the `Channel` it writes to, as `Threads.run` does."""
        channel: Channel[Any] = args[-1]

        def body() -> R:
            try:
                return function(*args)
            finally:
                channel.close()

        self._last = outcome = self.submit(body)
        try:
            yield outcome
        except BaseException as error:
            outcome.add_done_callback(functools.partial(log_late, name, error))
            raise
        finally:
            channel.stop()

    async def leave(self) -> None:
        """It is to end soon: from now on it counts as abandoned if it does not. Returns when what was `run` has ended,
        however long that takes."""
        await self._place.aclose()
        if self._last is not None and not self._last.done():
            await asyncio.wait({self._last})

    def end(self) -> None:
        """Nothing more is submitted: the thread ends after what was."""
        self._jobs.put(None)

    def _changed(self) -> list[tuple[contextvars.ContextVar[Any], Any]]:
        """What the context of the loop has, and had not when something was submitted last."""
        before, self._seen = self._seen, contextvars.copy_context()
        return [(name, value) for name, value in self._seen.items() if before.get(name, before) is not value]

    def _serve(self, _: Channel[None]) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # what it made is not kept until the next


def _with_variables(changed: Sequence[tuple[contextvars.ContextVar[Any], Any]], function: Callable[[], R]) -> R:
    for name, value in changed:
        name.set(value)
    return function()
