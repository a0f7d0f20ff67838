"""The runs that are being worked on: how many there may be, what they may hold, and which of them makes way.

How a run is made, found and kept after its end is not known here.
"""

from __future__ import annotations

import asyncio

from ..limits.charges import Hold
from ..limits.rotation import Rotation
from ..protocol.errors import Draining, Left, Overloaded
from ..protocol.payer import Payer
from .memory import Memory
from .run import Run

RETRY_AFTER = {"Retry-After": "5"}
"""Seconds that a refused caller should wait: by then a deploy's new process is up, and a full server may have room."""

_ENOUGH_RUNS = "As many runs as this server takes are being worked on."
_ENOUGH_BYTES = "The runs that are being worked on hold as much memory as they may."


class AtWork:
    """The runs of one server that are being worked on, and those that have ended but whose function cleans up."""

    def __init__(self, max_runs: int, memory: Memory) -> None:
        """`lingering` are those whose reader has left, and may come back."""
        self.draining = False
        self.runs: set[Run] = set()
        self.lingering: Rotation[str, Run] = Rotation()
        self.closing: set[asyncio.Task[None]] = set()
        self._max_runs = max_runs
        self._memory = memory
        self._holds: dict[Run, Hold] = {}

    def check(self, size: int, payer: Payer) -> None:
        """Raises Draining or Overloaded, both with Retry-After, if no run that holds `size` bytes can be started now.

        A run whose reader has left, and may come back, makes way: one of the caller's own, if there is any; of several
        the one whose reader left first.
        """
        if self.draining:
            raise Draining("The server is being stopped and takes no new run.", headers=RETRY_AFTER)
        while not (fewer := len(self.runs) < self._max_runs) or self._memory.held + size > self._memory.limit:
            if (left := self.lingering.oldest(payer.key)) is None:
                raise Overloaded(_ENOUGH_BYTES if fewer else _ENOUGH_RUNS, headers=RETRY_AFTER)
            self.remove(left)
            left.stop(Left("The caller left, and others needed the place."))
            left.release_request()
            left.release_log()
            if left.closing is not None:
                self.clean_up(left.closing)

    def add(self, run: Run, hold: Hold | None) -> None:
        """It is worked on from now on. `hold` is what it is charged for that long."""
        self.runs.add(run)
        if hold is not None:
            self._holds[run] = hold

    def remove(self, run: Run) -> None:
        """It is worked on no more."""
        self.runs.discard(run)
        if self._holds and (hold := self._holds.pop(run, None)) is not None:
            hold.release()

    def clean_up(self, closing: asyncio.Task[None]) -> None:
        """Keep the task that still ends the function of a run that was stopped."""
        self.closing.add(closing)
        closing.add_done_callback(self.closing.discard)
