"""An event that costs next to nothing until a task waits for it. Its meaning belongs to its owner."""

from __future__ import annotations

import asyncio


class LazyEvent:
    """Like `asyncio.Event`, whose queue of waiters takes 700 bytes: here it is created for the first waiter."""

    __slots__ = ("_event", "_is_set")

    def __init__(self) -> None:
        self._is_set = False
        self._event: asyncio.Event | None = None

    def set(self) -> None:
        """Wake all waiters; `wait` returns at once until the event is cleared."""
        self._is_set = True
        if self._event is not None:
            self._event.set()

    def clear(self) -> None:
        """Reset the event: later calls of `wait` wait for the next `set`."""
        self._is_set = False
        if self._event is not None:
            self._event.clear()

    async def wait(self) -> None:
        """Return when the event is set."""
        if self._is_set:
            return
        if self._event is None:
            self._event = asyncio.Event()
        await self._event.wait()
