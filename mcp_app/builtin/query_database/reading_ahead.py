"""Reads an async generator one item ahead of whoever uses it, in a task of its own and within a time.

What the items are is not known here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """Iterates over the items. `expired` becomes true when the time is over before the last of them was made."""

    def __init__(self, source: AsyncGenerator[T, None], seconds: float) -> None:
        self._items: deque[T] = deque()
        self._room = asyncio.Event()
        self._news = asyncio.Event()
        self.expired = False
        self.filling = asyncio.create_task(self._fill(source, seconds), name="reading ahead")
        """It closes the source in its end, wherever the reader of the items is."""
        self.filling.add_done_callback(lambda _: self._news.set())

    async def _fill(self, source: AsyncGenerator[T, None], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds) as timeout, aclosing(source):
                async for item in source:
                    self._items.append(item)
                    self._news.set()
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            if not timeout.expired():
                raise
            self.expired = True

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while not self._items and not self.filling.done():
            self._news.clear()
            await self._news.wait()
        if not self._items:
            self.filling.result()
            raise StopAsyncIteration
        item = self._items.popleft()
        self._room.set()
        return item


@asynccontextmanager
async def reading_ahead(source: AsyncGenerator[T, None], seconds: float) -> AsyncIterator[Ahead[T]]:
    """`async with reading_ahead(rows, 60) as items`: however the block is left, the source is closed then.

    Iterating raises what the source raises.
    """
    ahead = Ahead(source, seconds)
    try:
        yield ahead
    finally:
        ahead.filling.cancel()
        await asyncio.wait({ahead.filling})
        if not ahead.filling.cancelled():
            ahead.filling.exception()  # marked as seen: the block may have been left by another
