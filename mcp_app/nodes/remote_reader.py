"""One reader here of a run that another node works on, as that node is told of it: how far it is, and when it leaves.

The function waits for such a reader as for one of its own, so its node is told in time; and each few seconds in any
case, as a reader that is not heard of is taken for one that has left. Nothing is read here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from ..eventlog.shared import RENEW_SECONDS
from ..protocol.policy import WINDOW_BYTES, WINDOW_ENTRIES
from .letters import Letter

ACKNOWLEDGE_SECONDS = 0.25
"""After which what was read is told, however little it is."""

ACKNOWLEDGE_ENTRIES = WINDOW_ENTRIES // 2
ACKNOWLEDGE_BYTES = WINDOW_BYTES // 2
"""After which it is told at once: the function has the other half of its window meanwhile."""


class RemoteReader:
    """Tells the node that works on `run` where its reader is; `tell` sends it a letter."""

    __slots__ = ("_after", "_end", "_letter", "_tell", "_timer", "_timer_at", "_told", "_told_end")

    def __init__(self, run: str, after: int, tell: Callable[[Letter], None]) -> None:
        self._letter = {"do": "read", "run": run, "reader": os.urandom(8).hex()}
        self._tell = tell
        self._after = self._told = after
        self._end = self._told_end = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self.say()

    def acknowledge(self, after: int, end: int) -> None:
        """The reader has written all entries up to number `after`, where the log has `end` bytes."""
        if after == self._after:
            return
        self._after, self._end = after, end
        if after - self._told >= ACKNOWLEDGE_ENTRIES or end - self._told_end >= ACKNOWLEDGE_BYTES:
            self.say()
        else:
            self._say_in(ACKNOWLEDGE_SECONDS)

    def close(self) -> None:
        """It has left. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._tell({**self._letter, "left": True})

    def say(self) -> None:
        """Tell where it is, now."""
        self._told, self._told_end = self._after, self._end
        self._tell({**self._letter, "after": self._after, "end": self._end})
        self._timer_at = 0.0
        self._say_in(RENEW_SECONDS)

    def _say_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        if self._timer is not None:
            if self._timer_at and self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer, self._timer_at = loop.call_at(at, self.say), at
