"""The one moment at which a run ends by itself: a timer that is put off, or off altogether.

Which moment that is, and what the end is then, is run.py's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Expiry:
    """At most one moment at a time, on the loop's clock, in seconds."""

    __slots__ = ("_due",)

    def __init__(self) -> None:
        self._due: asyncio.TimerHandle | None = None

    def at(self, when: float, then: Callable[[], None]) -> None:
        """Call `then` at that moment, and not at the one before."""
        self.never()
        self._due = asyncio.get_running_loop().call_at(when, self._in_a_turn, then)

    def never(self) -> None:
        """Nothing is called any more. Saying so twice does nothing."""
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _in_a_turn(self, then: Callable[[], None]) -> None:
        """A reader whose time has come in the same turn is first, and may put the moment off."""
        asyncio.get_running_loop().call_soon(self._reached, self._due, then)

    def _reached(self, due: asyncio.TimerHandle | None, then: Callable[[], None]) -> None:
        if self._due is due:
            then()
