"""A FIFO mutex that costs next to nothing while no task waits for it.

`asyncio.Lock` costs three coroutines per acquisition, as much as the section that a writer protects with it. This
module does not know what the mutex protects.
"""

from __future__ import annotations

import asyncio


class Mutex:
    """First come, first served. `acquire()` must be paired with `release()`.

    `locked` tells whether the mutex is held. A caller that finds it False may set it to True instead of awaiting
    `acquire()`.
    """

    __slots__ = ("_waiters", "locked")

    def __init__(self) -> None:
        self.locked = False
        self._waiters: list[asyncio.Future[None]] | None = None  # created for the first waiter

    async def acquire(self) -> None:
        """Wait until the mutex is free and lock it. A caller that is cancelled while it waits does not hold it."""
        if not self.locked:
            self.locked = True
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():  # the mutex had been handed over already: pass it on to the next waiter
                self.release()
            raise

    def release(self) -> None:
        """Hand the mutex over to the next waiter, or unlock it."""
        while self._waiters:
            waiter = self._waiters.pop(0)
            if not waiter.done():
                waiter.set_result(None)
                return
        self.locked = False
