"""Threads for plain functions: bounded in number, daemons all, each with a bounded channel to the loop.

The default executor will not do: its threads hold up the interpreter's exit until the last one is done, and a
generator pulled through it is neither stopped nor closed. Nothing here knows what a tool is.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from ..aio.done import DONE

T = TypeVar("T")
R = TypeVar("R")

CHANNEL_ITEMS = 64
"""Items a thread may be ahead of the loop: enough that neither waits for the other at each item, few enough that a
stopped thread has little left that nobody will see."""

CHANNEL_BYTES = 256 * 1024
"""The same in bytes, whichever comes first: 64 large items would be as many megabytes, once here and once more on the
way to a slow reader."""

ABANDON_AFTER = 5.0
"""Seconds after which a thread that was told to stop and did not counts as abandoned: it can only be counted, as
Python cannot end it. A request of urllib with a time-out of its own has usually given up by then."""


class Channel(Generic[T]):
    """From one thread to the loop: `put` blocks the thread while the channel is full, `take` waits on the loop.

    `size` says how many bytes an item counts; one item is taken in whatever its size. The work may have threads of its
    own: any number of them may `put`.

    After `stop` every `put` raises CancelledError in the thread: it derives from BaseException, so that an
    `except Exception` in the thread's work does not swallow it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, size: Callable[[T], int]) -> None:
        self._loop = loop
        self._size = size
        self._bytes = 0
        self._changed = threading.Condition()
        self._items: deque[T] = deque()
        self._closed = False
        self._stopped = False
        self._ready = asyncio.Event()

    def put(self, item: T) -> None:
        """In the thread: hand one item over."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopped or (len(self._items) < CHANNEL_ITEMS and self._bytes < CHANNEL_BYTES)
            )
            if self._stopped:
                raise asyncio.CancelledError("the run was ended")
            self._items.append(item)
            self._bytes += self._size(item)
            first = len(self._items) == 1
        if first:  # the loop is woken once for all that it finds when it comes
            self._wake()

    def send(self, item: T) -> Awaitable[None]:
        """`put`, with the signature of a coroutine's `send`."""
        self.put(item)
        return DONE

    def close(self) -> None:
        """In the thread: nothing more will come."""
        with self._changed:
            self._closed = True
        self._wake()

    async def take(self) -> list[T]:
        """On the loop: all that is there, at least one item; empty once the channel is closed and drained."""
        while True:
            with self._changed:
                items, closed = list(self._items), self._closed
                self._items.clear()
                self._bytes = 0
                self._ready.clear()
                self._changed.notify_all()
            if items or closed:
                return items
            await self._ready.wait()

    def stop(self) -> None:
        """On the loop: nobody takes any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._ready.set)
        except RuntimeError:
            pass  # the loop is closed: the process is ending, and nobody waits


class Threads:
    """At most `limit` threads at once; `abandoned` of them were told to stop and have not."""

    def __init__(self, limit: int) -> None:
        self._free = asyncio.Semaphore(limit)
        self.working = 0
        self.abandoned = 0

    @asynccontextmanager
    async def run(self, function: Callable[..., R], *args: Any) -> AsyncIterator[asyncio.Future[R]]:
        """Call `function(*args)` in a thread of its own; its last argument is the `Channel` it writes to.

        The future is its outcome. Leaving the block stops the channel; it does not wait for the thread.
        """
        channel: Channel[Any] = args[-1]
        loop = asyncio.get_running_loop()
        await self._free.acquire()
        outcome: asyncio.Future[R] = loop.create_future()
        context = contextvars.copy_context()
        ended = _Ended(self, loop)

        def body() -> None:
            try:
                _settle(loop, outcome, context.run(function, *args), None)
            except BaseException as error:
                _settle(loop, outcome, None, error)
            finally:
                channel.close()
                ended.from_thread()

        self.working += 1
        try:
            threading.Thread(target=body, daemon=True, name=f"tool-{id(outcome):x}").start()
        except RuntimeError:  # the system has no more threads
            ended.now()
            raise
        try:
            yield outcome
        finally:
            channel.stop()
            ended.expect()


class _Ended:
    """Gives a thread's place back when it has really ended, and counts it as abandoned while it does not."""

    def __init__(self, threads: Threads, loop: asyncio.AbstractEventLoop) -> None:
        self._threads = threads
        self._loop = loop
        self._over = False
        self._abandoned = False
        self._timer: asyncio.TimerHandle | None = None

    def from_thread(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self.now)
        except RuntimeError:
            pass  # the loop is closed, and with it the count

    def now(self) -> None:
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        self._threads.working -= 1
        self._threads.abandoned -= self._abandoned
        self._threads._free.release()

    def expect(self) -> None:
        if not self._over:
            self._timer = self._loop.call_later(ABANDON_AFTER, self._abandon)

    def _abandon(self) -> None:
        self._abandoned = True
        self._threads.abandoned += 1


def _settle(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[R], value: Any, error: BaseException | None
) -> None:
    def settle() -> None:
        if future.done():
            return
        if error is None:
            future.set_result(value)
        elif isinstance(error, asyncio.CancelledError):
            future.cancel()
        elif isinstance(error, StopIteration | KeyboardInterrupt):
            # The one no future takes (PEP 479); the other would end the server, and nobody has pressed a key here.
            wrapped = RuntimeError(f"the function raised {type(error).__name__}")
            wrapped.__cause__ = error
            future.set_exception(wrapped)
            future.exception()
        else:
            future.set_exception(error)
            future.exception()  # marked as seen: after a stop nobody asks any more

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:
        pass  # the loop is closed: the process is ending
