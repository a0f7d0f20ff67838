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
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

RESOLUTION = 1e-9
"""A loop takes a timer for due that is so near: as far as the sum of two moments can be out."""

SLACK = 64
"""Moments that were called off and may stand in the heap, beside as many as are still to come: to take one out of its
middle would cost more than to wait until it comes up."""

TICK = 0.001
"""uvloop counts whole milliseconds, and so its timer may be half of one early: it is set again for the next."""


class Deadlines(Generic[K]):
    """Calls `over` with a key when its moment has come, on the loop's clock, in seconds; in the order of the moments.

    Its timer stays when the last moment was called off: the next one will want it, and else it finds nothing to do.
    What `over` raises goes to the loop's exception handler, and holds up none of the others. It is called in a context
    of its own, as it is nobody's timer.
    """

    def __init__(self, over: Callable[[K], object]) -> None:
        self._over = over
        # Each is a list of its moment, a number and the key: None once it was called off, as nobody is to be held here.
        self._due: dict[K, list[Any]] = {}
        self._heap: list[list[Any]] = []
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = math.inf

    def __len__(self) -> int:
        """Moments that are still to come."""
        return len(self._due)

    def __contains__(self, key: K) -> bool:
        """Whether its moment is still to come."""
        return key in self._due

    def at(self, key: K, when: float) -> None:
        """Call `over` then, and not at the moment that the key had before."""
        self.off(key)
        self._count += 1  # at one moment, who came first is first; keys are never compared
        self._due[key] = moment = [when, self._count, key]
        heappush(self._heap, moment)
        if when < self._looks_at:
            self._set(when)

    def off(self, key: K) -> None:
        """Its moment does not come. Of an unknown key it has come, or was called off, already."""
        moment = self._due.pop(key, None)
        if moment is None:
            return
        moment[2] = None
        if len(self._heap) > 2 * len(self._due) + SLACK:
            self._heap = list(self._due.values())
            heapify(self._heap)

    def close(self) -> None:
        """Nothing is called any more."""
        self._due.clear()
        self._heap.clear()
        self._set(math.inf)

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
                key = heappop(self._heap)[2]
                if key is not None:
                    del self._due[key]
                    self._over(key)
        finally:
            if not self._due:
                self._heap.clear()
            self._set(max(self._heap[0][0], now + TICK) if self._heap else math.inf)
