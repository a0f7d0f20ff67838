"""A reader: one response that follows a run from some position in its log.

It has no opinion on heartbeats, caps or formats: those are the middleware around it, which has the same two methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..protocol.event import Entry

if TYPE_CHECKING:
    from .run import Run


class Reader:
    """Gives out a run's entries after number `after`, in batches."""

    __slots__ = ("_ended", "after", "end", "run")

    def __init__(self, run: Run, after: int, end: int = 0) -> None:
        self.run = run
        self.after = after
        self.end = end
        self._ended = False

    async def next(self, until: float) -> list[Entry] | None:
        """The next entries; an empty list when there are none before the loop's clock says `until`; None at the end.

        Asking for the next batch says that the one before was written: only then may the tool go on.
        Raises Purged when the entries to come are no longer kept, UnknownRun when the run was forgotten.
        """
        if self._ended:
            return None
        self.run.taken_by(self)
        batch = await self.run.log.read(self.run.id, self.after, until)
        if batch:
            self.after = batch[-1].number
            self.end = batch[-1].end
            self._ended = batch[-1].event.last
        return batch

    def close(self) -> None:
        """The response is over, however it ended. Closing twice does nothing."""
        self._ended = True
        self.run.left_by(self)
