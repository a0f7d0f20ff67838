"""One reader of a run: where in the log it is, and what it acknowledges by reading on.

How what it reads is rendered, and to whom it is sent, is not known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..protocol.errors import Fenced, UnknownRun
from ..protocol.event import Entry

if TYPE_CHECKING:
    from .found import FoundRun


class Reader:
    """Follows a run's log from number `after` on, in batches: one response. It knows no heartbeat, cap or format: those
    are the middleware around it, which has the same two methods."""

    __slots__ = ("_ended", "after", "end", "run")

    def __init__(self, run: FoundRun, after: int, end: int = 0) -> None:
        self.run = run
        self.after = after
        self.end = end
        self._ended = False

    async def next(self, until: float) -> list[Entry] | None:
        """The next entries; an empty list when there are none before the loop's clock says `until`; None at the end.

        Asking for the next batch acknowledges the one before as written: only then may the function go on.
        Raises Purged when the entries to come are no longer kept, UnknownRun when the run was forgotten, Fenced when
        another process has it now, where the reader may go on.
        """
        if self._ended:
            return None
        self.run.acknowledge(self)
        try:
            batch = await self.run.log.read(self.run.id, self.after, until)
        except UnknownRun:
            if self.run.abandoned:
                raise Fenced(f"run {self.run.id} is not worked on here any more") from None
            raise
        if batch:
            self.after = batch[-1].number
            self.end = batch[-1].end
            self._ended = batch[-1].event.last
        return batch

    async def skip(self) -> int:
        """Go on with what is still to come, or with the last event, where those before are no longer kept. Returns how
        many events of the run it will not have read. Raises UnknownRun, LogUnavailable."""
        await self.run.refresh()
        self.after = self.run.events - 1 if self.run.over else self.run.events
        return self.after

    def close(self) -> None:
        """The response is over, however it ended. Closing twice does nothing."""
        self._ended = True
        self.run.detach(self)
