"""The end of a run in the hands of somebody whom the run holds: an asker.

Why a run ends, and how, is not known here.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from ..asking import InputRequired
from ..protocol.errors import McpAppError

if TYPE_CHECKING:
    from .run import Run


class Stop:
    """Stops a run that it does not hold itself: that would be a circle, which only the collector opens."""

    __slots__ = ("_run",)

    def __init__(self, run: Run) -> None:
        self._run = weakref.ref(run)

    def __call__(self, end: McpAppError | InputRequired) -> None:
        """As `run.stop`, where there is the run yet."""
        run = self._run()
        if run is not None:
            run.stop(end)
