"""A bounded channel from a thread to the event loop: what a plain function yields and sends, in order.

How a thread is begun, and what is done of one that does not end, is in threads.py.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from ..aio import forked
from ..aio.done import DONE

T = TypeVar("T")

CHANNEL_ITEMS = 64
"""Items a thread may be ahead of the loop: enough that neither waits for the other at each item, few enough that little
is discarded when a thread is stopped."""

CHANNEL_BYTES = 256 * 1024
"""The same in bytes, whichever comes first: 64 large items would be as many megabytes, once here and once more on the
way to a slow reader."""


class Channel(Generic[T]):
    """A bounded queue from threads to the event loop: `put` blocks its thread while it is full, `take` is awaited.

    `size` gives the bytes that an item counts; one item fits whatever its size. The function may start threads of its
    own: any number of them may `put`.

    After `stop` every `put` raises CancelledError in the thread: it derives from BaseException, so that an
    `except Exception` in the function does not swallow it. A forked copy of the process ends at its first `put`.
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
        self._generation = forked.generation

    def put(self, item: T) -> None:
        """In a thread: append one item."""
        forked.end_copy(self._generation)
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

    def is_stopped(self) -> bool:
        """Whether the next `put` raises CancelledError."""
        return self._stopped

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._ready.set)
        except RuntimeError:
            pass  # the loop is closed: the process is exiting
