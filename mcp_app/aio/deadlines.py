"""Many deadlines on one event loop timer: there may be thousands of them, and nearly all are cancelled in time.

A loop timer for each would be a quarter of the memory of an idle stream. This module does not know what a deadline is
for: its owner passes the callback.
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
"""Seconds within which a deadline counts as due: the rounding error of a sum of two times. The loop does the same."""

SLACK = 64
"""Cancelled entries that may stay in the heap, in addition to one per pending deadline: removing an entry from the
middle of the heap costs more than dropping it when it reaches the top."""

TICK = 0.001
"""uvloop rounds to whole milliseconds, so its timer may fire half of one early: it is set again one tick later."""


class Deadlines(Generic[K]):
    """Calls `callback` with a key when its deadline is due, in the order of the deadlines (loop clock, seconds).

    The timer stays set when the last deadline is cancelled: the next deadline will usually reuse it, and otherwise it
    finds nothing due. An exception of `callback` goes to the loop's exception handler and delays no other deadline.
    Callbacks run in an empty `contextvars.Context`, as the timer is shared by all keys.
    """

    def __init__(self, callback: Callable[[K], object]) -> None:
        self._callback = callback
        # Entries are [deadline, number, key]; a cancelled entry's key is None: the heap keeps no reference to it.
        self._pending: dict[K, list[Any]] = {}
        self._heap: list[list[Any]] = []
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def __len__(self) -> int:
        """The number of pending deadlines."""
        return len(self._pending)

    def __contains__(self, key: K) -> bool:
        """Whether the key has a pending deadline."""
        return key in self._pending

    def at(self, key: K, when: float) -> None:
        """Set the deadline of `key`, replacing an earlier one."""
        self.cancel(key)
        self._count += 1  # equal deadlines are due in the order they were set; keys are never compared
        self._pending[key] = entry = [when, self._count, key]
        heappush(self._heap, entry)
        if when < self._timer_at:
            self._set_timer(when)

    def cancel(self, key: K) -> None:
        """Cancel the deadline of `key`; does nothing when it has none (any more)."""
        entry = self._pending.pop(key, None)
        if entry is None:
            return
        entry[2] = None
        if len(self._heap) > 2 * len(self._pending) + SLACK:
            self._heap = list(self._pending.values())
            heapify(self._heap)

    def close(self) -> None:
        """Cancel all deadlines and the timer."""
        self._pending.clear()
        self._heap.clear()
        self._set_timer(math.inf)

    def _set_timer(self, when: float) -> None:
        """Move the timer to `when`; infinity means no timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = when
        if when < math.inf:
            self._timer = asyncio.get_running_loop().call_at(when, self._run_due, context=Context())

    def _run_due(self) -> None:
        self._timer_at = -math.inf  # deadlines that a callback adds set no timer
        now = asyncio.get_running_loop().time()
        try:
            while self._heap and self._heap[0][0] <= now + RESOLUTION:
                key = heappop(self._heap)[2]
                if key is not None:
                    del self._pending[key]
                    self._callback(key)
        finally:
            if not self._pending:
                self._heap.clear()
            self._set_timer(max(self._heap[0][0], now + TICK) if self._heap else math.inf)
