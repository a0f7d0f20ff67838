"""Moments at which something is to be done, of which there may be thousands and hardly one comes: one timer for all.

A timer of the loop for each would be a quarter of what an idle stream holds. What is to be done, and when, is whoever
makes one of these to know.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Hashable
from contextvars import Context
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

RESOLUTION = 1e-9
"""A loop takes a timer for due that is so near: as far as the sum of two moments can be out."""

SLACK = 64
"""Moments that were called off and may stand in the heap, beside as many as are still to come."""

TICK = 0.001
"""uvloop counts whole milliseconds, and so its timer may be half of one early: it is set again for the next."""


class Deadlines(Generic[K]):
    """Calls `over` with a key when its moment has come, on the loop's clock, in seconds; in the order of the moments.

    What `over` raises goes to the loop's exception handler, and holds up none of the others. It is called in a context
    of its own, as it is nobody's timer.
    """

    def __init__(self, over: Callable[[K], object]) -> None:
        self._over = over
        self._due: dict[K, tuple[float, int, K]] = {}
        self._heap: list[tuple[float, int, K]] = []  # of which those that are not in `_due` were called off
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = math.inf

    def __contains__(self, key: K) -> bool:
        """Whether its moment is still to come."""
        return key in self._due

    def at(self, key: K, when: float) -> None:
        """Call `over` then, and not at the moment that the key had before."""
        self._count += 1  # at one moment, who came first is first; keys are never compared
        self._due[key] = entry = (when, self._count, key)
        heappush(self._heap, entry)
        self._tidy()
        if when < self._looks_at:
            self._set(when)

    def off(self, key: K) -> None:
        """Its moment does not come. Of an unknown key it has come, or was called off, already."""
        self._due.pop(key, None)
        if self._due:
            self._tidy()
        else:
            self.close()

    def close(self) -> None:
        """Nothing is called any more."""
        self._due.clear()
        self._heap.clear()
        self._set(math.inf)

    def _tidy(self) -> None:
        if len(self._heap) > 2 * len(self._due) + SLACK:
            self._heap = list(self._due.values())
            heapify(self._heap)

    def _set(self, when: float) -> None:
        """Look at the clock then and not before; at infinity not at all."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._looks_at = when
        if when < math.inf:
            self._timer = asyncio.get_running_loop().call_at(when, self._look, context=Context())

    def _look(self) -> None:
        self._looks_at = -math.inf  # what is added meanwhile sets no timer
        now = asyncio.get_running_loop().time()
        try:
            while self._heap and self._heap[0][0] <= now + RESOLUTION:
                entry = heappop(self._heap)
                key = entry[2]
                if self._due.get(key) is entry:
                    del self._due[key]
                    self._over(key)
        finally:
            self._set(max(self._heap[0][0], now + TICK) if self._due else math.inf)
