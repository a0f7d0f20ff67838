"""Daemon threads for plain functions: bounded in number, each with a bounded channel to the event loop.

The default executor will not do: its threads delay the interpreter's exit until the last one is done, and a generator
iterated in it is neither stopped nor closed. Tools are not known here.
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
from ..aio.in_thread import settle

T = TypeVar("T")
R = TypeVar("R")

CHANNEL_ITEMS = 64
"""Items a thread may be ahead of the loop: enough that neither waits for the other at each item, few enough that little
is discarded when a thread is stopped."""

CHANNEL_BYTES = 256 * 1024
"""The same in bytes, whichever comes first: 64 large items would be as many megabytes, once here and once more on the
way to a slow reader."""

ABANDON_AFTER = 5.0
"""Seconds after which a thread that was asked to stop and still runs counts as abandoned: Python cannot end a thread,
only count it. A urllib request with a timeout of its own has usually failed by then."""


class Channel(Generic[T]):
    """A bounded queue from threads to the event loop: `put` blocks its thread while it is full, `take` is awaited.

    `size` gives the bytes that an item counts; one item fits whatever its size. The function may start threads of its
    own: any number of them may `put`.

    After `stop` every `put` raises CancelledError in the thread: it derives from BaseException, so that an
    `except Exception` in the function does not swallow it.
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
        """In a thread: append one item."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopped or (len(self._items) < CHANNEL_ITEMS and self._bytes < CHANNEL_BYTES)
            )
            if self._stopped:
                raise asyncio.CancelledError("the run was ended")
            self._items.append(item)
            self._bytes += self._size(item)
            first = len(self._items) == 1
        if first:  # one wake-up for all items that the loop will find
            self._wake()

    def send(self, item: T) -> Awaitable[None]:
        """`put`, with the signature of a coroutine's `send`."""
        self.put(item)
        return DONE

    def close(self) -> None:
        """In the thread: no item follows."""
        with self._changed:
            self._closed = True
        self._wake()

    async def take(self) -> list[T]:
        """On the loop: all queued items, at least one; an empty list once the channel is closed and drained."""
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
        """On the loop: no item will be taken any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._ready.set)
        except RuntimeError:
            pass  # the loop is closed: the process is exiting


class Threads:
    """At most `limit` threads at once; `abandoned` of them were asked to stop and still run."""

    def __init__(self, limit: int) -> None:
        self._free = asyncio.Semaphore(limit)
        self.working = 0
        self.abandoned = 0

    @asynccontextmanager
    async def run(self, function: Callable[..., R], *args: Any) -> AsyncIterator[asyncio.Future[R]]:
        """Call `function(*args)` in a thread of its own; its last argument is the `Channel` it writes to.

        The future is the function's outcome. Leaving the block stops the channel, and does not wait for the thread.
        """
        channel: Channel[Any] = args[-1]
        loop = asyncio.get_running_loop()
        await self._free.acquire()
        outcome: asyncio.Future[R] = loop.create_future()
        context = contextvars.copy_context()
        ended = _Ended(self, loop)

        def body() -> None:
            try:
                settle(loop, outcome, context.run(function, *args), None)
            except BaseException as error:
                settle(loop, outcome, None, error)
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
    """Releases a thread's slot when the thread has really ended; counts it as abandoned until then."""

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
            pass  # the loop is closed: there is no count any more

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
