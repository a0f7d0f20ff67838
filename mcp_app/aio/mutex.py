"""One at a time, first come, first served: a lock that costs next to nothing while nobody waits.

`asyncio.Lock` costs three coroutines each time, as much as what stands behind it in a writer. What is done one at a
time is not known here.
"""

from __future__ import annotations

import asyncio


class Turnstile:
    """Whoever has entered must leave. `shut` is whether somebody is inside; who finds it open may shut it to enter."""

    __slots__ = ("_waiting", "shut")

    def __init__(self) -> None:
        self.shut = False
        self._waiting: list[asyncio.Future[None]] | None = None  # made for the first who waits

    async def enter(self) -> None:
        """Wait for one's turn. Whoever is cancelled meanwhile has not entered."""
        if not self.shut:
            self.shut = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._waiting is None:
            self._waiting = []
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had come already: it is the next one's now
                self.leave()
            raise

    def leave(self) -> None:
        """Let the next one in."""
        while self._waiting:
            turn = self._waiting.pop(0)
            if not turn.done():
                turn.set_result(None)
                return
        self.shut = False
