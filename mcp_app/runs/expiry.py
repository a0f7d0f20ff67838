"""The one moment at which each run ends by itself: put off, or off altogether.

Which moment that is, and what the end is then, is run.py's.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..aio.deadlines import Deadlines

if TYPE_CHECKING:
    from .run import Run


class Expiry:
    """At most one moment for each run, on the loop's clock, in seconds. Then its `expire` is called."""

    def __init__(self) -> None:
        self._moments: Deadlines[Run] = Deadlines(self._in_a_turn)

    def at(self, when: float, run: Run) -> None:
        """The run ends at that moment, and not at the one before."""
        self._moments.at(run, when)

    def never(self, run: Run) -> None:
        """It does not end by itself. Saying so twice does nothing."""
        self._moments.off(run)

    def _in_a_turn(self, run: Run) -> None:
        """A reader whose time has come in the same turn is first, and may put the moment off."""
        asyncio.get_running_loop().call_soon(self._reached, run)

    def _reached(self, run: Run) -> None:
        if run not in self._moments:
            run.expire()
