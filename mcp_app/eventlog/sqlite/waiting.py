"""Who waits in this process for a change of a run, or for messages of a node. What changes is not known here."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from ...aio.deadlines import Deadlines


class Waiter:
    """Waits for one id. A change since it was made, or since it was waited last, is not missed."""

    __slots__ = ("_deadlines", "_future", "_woken")

    def __init__(self, deadlines: Deadlines[Waiter]) -> None:
        self._deadlines = deadlines
        self._future: asyncio.Future[None] | None = None
        self._woken = False

    async def wait(self, until: float) -> None:
        """Return at a change, or when the event loop's clock says `until`."""
        if not self._woken:
            self._future = asyncio.get_running_loop().create_future()
            self._deadlines.at(self, until)
            try:
                await self._future
            finally:
                self._deadlines.cancel(self)
                self._future = None
        self._woken = False

    def wake(self) -> None:
        self._woken = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)


class Waiting:
    """All of them, by what they wait for."""

    def __init__(self) -> None:
        self._by_id: dict[str, set[Waiter]] = {}
        self._deadlines: Deadlines[Waiter] = Deadlines(Waiter.wake)

    @contextmanager
    def at(self, changing: str) -> Iterator[Waiter]:
        """From now on no change of this id is missed."""
        waiter = Waiter(self._deadlines)
        waiters = self._by_id.setdefault(changing, set())
        waiters.add(waiter)
        try:
            yield waiter
        finally:
            waiters.discard(waiter)
            if not waiters and self._by_id.get(changing) is waiters:
                del self._by_id[changing]

    def wake(self, changed: Collection[str] | None) -> None:
        """Those who wait for one of these ids; None is for any."""
        for each in tuple(self._by_id) if changed is None else changed:
            for waiter in tuple(self._by_id.get(each, ())):
                waiter.wake()

    def close(self) -> None:
        """Wake all, and end the timer."""
        self.wake(None)
        self._deadlines.close()
