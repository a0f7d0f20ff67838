"""Stream middleware: each class wraps a `Batches`, is a `Batches` itself, and adds one behaviour.

`Batches` are pulled: `next(until)` returns what to write, an empty batch when there is nothing before `until`, and None
at the end. So each layer passes its own deadline down to the next one, and the whole stack waits with one timer,
without cancellation or tasks. protocol/stream.py computes the deadlines. Nothing here renders or writes bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import Protocol

from ..protocol.event import Entry


class Mark(Enum):
    """Something to write that is not an entry of the log."""

    HEARTBEAT = auto()
    CAP = auto()


Batch = Sequence[Entry | Mark]
"""Entries; a mark may only be the last item of its batch."""


class Batches(Protocol):
    """The interface of a reader, and of every middleware around it."""

    async def next(self, until: float) -> Batch | None:
        """The next batch to write; empty if there is none before `until` (loop clock, seconds); None at the end."""

    def close(self) -> None:
        """Called when the response has ended, for whatever reason."""
