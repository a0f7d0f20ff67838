"""What of a run one request's client wants to hear: the batches, without the entries that say nothing to it.

How long it is waited for, and what a message looks like, is not decided here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from ...middleware import Batch, Batches, Mark
from ...protocol.event import Entry, EventType
from ...protocol.mcp.exchange import Exchange

_PROGRESS = EventType.PROGRESS  # looked up once: an enum's metaclass does it, slowly


class Wanted:
    """Batches without the entries that this exchange says nothing of: a stream that writes nothing is quiet, and must
    get its heartbeats. What an entry became is kept for the rendering, as rendering it counts.

    The stream ends where the tool lets go of it, unless at `past` or before: then that is why the reader is back; and
    as soon as another comes for the rest: a message goes to one stream only (2025-11-25, Multiple Connections).
    """

    __slots__ = (
        *("_again", "_batches", "_clock", "_ear", "_exchange", "_let_go", "_past", "_ready"),
        *("rendered", "status"),
    )

    def __init__(self, batches: Batches, exchange: Exchange, clock: Callable[[], float], past: int = 0) -> None:
        self._batches = batches
        self._exchange = exchange
        self._ear = exchange.heard_by = object()
        self._clock = clock
        self._again: Exchange | None = None  # for entries that a reader before this one has had
        self._past, self._let_go = past, False
        self._ready: list[Entry | Mark] = []
        self.rendered: dict[int, bytes] = {}
        self.status = 200
        """Of the response, once it is rendered."""

    async def quick(self, until: float) -> bytes | None:
        """The response, if it comes before anything else is to be said and before `until`; else None."""
        while self._clock() < until:
            batch = await self._batches.next(until)
            if batch is None:
                return None
            said = self._said(batch)
            if self._exchange.handle is not None and until == math.inf:
                return self._exchange.handle
            last = said[-1] if said else None
            if isinstance(last, Entry) and last.event.last and (len(said) == 1 or until == math.inf):
                return self.rendered.pop(last.number)
            if until == math.inf:
                self.rendered.clear()  # to whoever takes only JSON nothing is said before the end
            elif said:
                self._ready = said
                return None
        return None

    async def next(self, until: float) -> Batch | None:
        if self._ready:
            ready, self._ready = self._ready, []
            return ready
        while True:
            batch = None if self._over() else await self._batches.next(until)
            if not batch:
                return batch
            if self._over():  # while it waited: the messages are another's
                return None
            said = self._said(batch)
            if said:
                return said
            if self._clock() >= until:
                return ()

    def close(self) -> None:
        self._batches.close()

    def _over(self) -> bool:
        return self._let_go or self._exchange.heard_by is not self._ear

    def _said(self, batch: Batch) -> list[Entry | Mark]:
        said: list[Entry | Mark] = []
        exchange = self._exchange
        for item in batch:
            if not isinstance(item, Entry):
                said.append(item)
                continue
            event = item.event
            if event.type is _PROGRESS and item.number > exchange.counted:  # nearly all are
                exchange.counted = item.number
                message = exchange.notification(event)
            elif event.type is EventType.LET_GO and item.number > self._past:
                self._let_go = True
                return [*said, Mark.CAP]  # the end of a stream, as at the cap
            elif event.last:
                self.status = exchange.status(event)
                message = exchange.response(event)
            else:
                message = self._notification(item)
            if message is not None:
                self.rendered[item.number] = message
                said.append(item)
        return said

    def _notification(self, entry: Entry) -> bytes | None:
        if entry.number <= self._exchange.counted:
            self._again = self._again or replace(self._exchange)
            return self._again.notification(entry.event)
        self._exchange.counted = entry.number
        return self._exchange.notification(entry.event)
