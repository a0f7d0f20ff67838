"""When what has ended is forgotten: one timer for all of it, as there may be thousands.

What is kept, and what else may end its time, is register.py's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heapify, heappop, heappush

SLACK = 64
"""Moments of what was forgotten early that may stand in the heap beside as many as there are in all."""


class Ageing:
    """Names, and the moments on the loop's clock, in seconds, at which `over` is called with them."""

    def __init__(self, over: Callable[[str], None]) -> None:
        self._over = over
        self._loop = asyncio.get_running_loop()
        self._until: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._timer: asyncio.TimerHandle | None = None

    def keep(self, name: str, seconds: float) -> None:
        """Call `over` in so many seconds, unless it is forgotten before. A name is kept once."""
        until = self._loop.time() + seconds
        self._until[name] = until
        heappush(self._heap, (until, name))
        self._wait()

    def forget(self, name: str) -> None:
        """Its moment does not come. An unknown name is forgotten already."""
        self._until.pop(name, None)
        if not self._until:
            self.close()
        elif len(self._heap) > 2 * len(self._until) + SLACK:
            self._heap = [(until, each) for each, until in self._until.items()]
            heapify(self._heap)

    def close(self) -> None:
        """Nothing is called any more."""
        self._until.clear()
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        if self._timer is not None and self._timer.when() > self._heap[0][0]:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(self._heap[0][0], self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._heap and self._heap[0][0] <= now:
            until, name = heappop(self._heap)
            if self._until.get(name) == until:
                del self._until[name]
                self._over(name)
        if self._heap and self._timer is None:
            self._wait()
