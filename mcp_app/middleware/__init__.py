"""Stream middleware: each wraps batches and gives batches, and adds one thing.

A `Batches` is pulled: `next(until)` gives a list of what to write, an empty list when there is nothing before `until`,
None at the end. So each layer can ask the one below to be back by its own deadline, and the whole stack waits with one
timer, cancels nothing and needs no task. protocol/stream.py decides *when*. Nothing here renders or writes bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import Protocol

from ..protocol.event import Entry


class Mark(Enum):
    """Something to write that is no entry of the log."""

    HEARTBEAT = auto()
    CAP = auto()


Batch = Sequence[Entry | Mark]
"""Entries; or a mark, which is the last of its batch."""


class Batches(Protocol):
    """What a reader is, and what every middleware around it is."""

    async def next(self, until: float) -> Batch | None:
        """What to write next; empty when there is nothing before the loop's clock says `until`; None at the end."""

    def close(self) -> None:
        """The response is over, however it ended."""
