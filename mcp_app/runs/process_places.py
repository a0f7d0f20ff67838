"""Places for processes: so many at once. One whose process waits for a tool that it called is lent to that tool.

Else all places could be of tools that wait for a place. Processes are not known here.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from .fair_places import PAYER, FairPlaces


class ProcessPlaces:
    """At most `limit` places that are not lent, of which no caller has all."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._free = FairPlaces(limit)

    @property
    def full(self) -> bool:
        """Whether no place is free, but for those that are lent."""
        return self._free.all_taken

    @property
    def whose(self) -> str:
        """Whose bound holds up who waits: `FairPlaces.whose`."""
        return self._free.whose

    async def take(self, wait: Callable[[FairPlaces | asyncio.Semaphore], Awaitable[None]]) -> ProcessPlace:
        """A free place, else that of the process which waits for this task, else one that `wait` acquires."""
        lender = _LENDER.get()
        if lender is not None and (lender.over or lender.places is not self):
            lender = None
        semaphore: FairPlaces | asyncio.Semaphore = self._free
        if self._free.locked() and lender is not None:
            semaphore = lender.lent
        else:
            lender = None
        if semaphore.locked():
            await wait(semaphore)
        else:
            await semaphore.acquire()
        return ProcessPlace(self, lender)


class ProcessPlace:
    """One of the places. It is free when both have left it: who took it, and who borrowed it."""

    def __init__(self, places: ProcessPlaces, lender: ProcessPlace | None) -> None:
        self.places = places
        self.lent = asyncio.Semaphore(1)
        self.over = False
        self._lender = lender
        self._payer = PAYER.get()

    @contextmanager
    def being_lent(self) -> Iterator[None]:
        """To what this task begins meanwhile."""
        before = _LENDER.get()
        _LENDER.set(self)
        try:
            yield
        finally:
            _LENDER.set(before)

    def leave(self) -> None:
        """Once."""
        self.over = True
        if not self.lent.locked():
            self._give_back()

    def _give_back(self) -> None:
        if self._lender is None:
            self.places._free.release(self._payer)
        elif self._lender.over:
            self._lender._give_back()
        else:
            self._lender.lent.release()


_LENDER: contextvars.ContextVar[ProcessPlace | None] = contextvars.ContextVar("mcp_app.process_lender", default=None)
"""The place of the process that this task works for."""
