"""Filters a run's batches down to the entries that one request's client asked for (progress token, log level).

How long it is waited for, and what a message looks like, is not decided here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ...middleware import Batch, Batches, Mark
from ...protocol.event import Entry, EventType
from ...protocol.mcp.notifications import Notifications
from ...protocol.mcp.results import status
from ...protocol.mcp.transcript import Transcript
from ...runs import Reader

_PROGRESS, _LET_GO = EventType.PROGRESS, EventType.LET_GO  # looked up once: an enum's metaclass does it, slowly

Promote = Callable[[Reader], bytes | None]
"""Lets the run of a reader go on without it, and makes the response that says how to follow it: None for a run that has
ended, whose own response is about to come."""


class Promotion:
    """The end of a reader at the cap; `handle` is the response then, None before and where there was no promotion."""

    __slots__ = ("_promote", "_reader", "handle")

    def __init__(self, promote: Promote, reader: Reader) -> None:
        self._promote = promote
        self._reader = reader
        self.handle: bytes | None = None

    def __call__(self) -> bool:
        """Whether the run goes on without this reader."""
        self.handle = self._promote(self._reader)
        return self.handle is not None


class Filtered:
    """Batches without the entries that say nothing to this client: a stream that writes nothing is quiet, and must get
    its heartbeats. What an entry became is kept for the rendering, as rendering it counts.

    The stream ends where the tool lets go of it, unless at `past` or before: then that is why the reader is back; and
    as soon as another comes for the rest: a message goes to one stream only (2025-11-25, Multiple Connections).
    """

    __slots__ = (
        *("_batches", "_clock", "_let_go", "_past", "_promotion", "_ready", "_replay", "_token"),
        *("rendered", "status", "transcript"),
    )

    def __init__(
        self,
        batches: Batches,
        transcript: Transcript,
        clock: Callable[[], float],
        past: int = 0,
        promotion: Promotion | None = None,
    ) -> None:
        self._batches = batches
        self.transcript = transcript
        self._token = transcript.hand_over()
        self._clock = clock
        self._promotion = promotion
        self._replay: Notifications | None = None  # for entries that a reader before this one has had
        self._past, self._let_go = past, False
        self._ready: list[Entry | Mark] = []
        self.rendered: dict[int, bytes] = {}
        self.status = 200
        """Of the response, once it is rendered."""

    @property
    def handle(self) -> bytes | None:
        """The response, when it does not tell what became of the run but how to follow it."""
        return None if self._promotion is None else self._promotion.handle

    async def quick(self, until: float) -> bytes | None:
        """The response, if it comes before anything else is to be sent and before `until`; else None."""
        while self._clock() < until:
            batch = await self._batches.next(until)
            if batch is None:
                return None
            kept = self._filter(batch)
            if self.handle is not None and until == math.inf:
                return self.handle
            last = kept[-1] if kept else None
            if isinstance(last, Entry) and last.event.last and (len(kept) == 1 or until == math.inf):
                return self.rendered.pop(last.number)
            if until == math.inf:
                self.rendered.clear()  # whoever takes only JSON gets nothing before the end
            elif kept:
                self._ready = kept
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
            kept = self._filter(batch)
            if kept:
                return kept
            if self._clock() >= until:
                return ()

    def close(self) -> None:
        self._batches.close()

    def _over(self) -> bool:
        return self._let_go or self.transcript.holder is not self._token

    def _filter(self, batch: Batch) -> list[Entry | Mark]:
        kept: list[Entry | Mark] = []
        transcript = self.transcript
        for item in batch:
            if not isinstance(item, Entry):
                kept.append(item)
                continue
            event = item.event
            message: bytes | None
            if event.type is _PROGRESS and item.number > transcript.counted:  # nearly all are
                message = transcript.add(item)
            elif event.last:
                self.status = status(transcript.asked, event)
                message = transcript.response(event)
            elif event.type is _LET_GO and item.number > self._past:
                self._let_go = True
                return [*kept, Mark.CAP]  # the end of a stream, as at the cap
            elif item.number > transcript.counted:
                message = transcript.add(item)
            else:
                self._replay = self._replay or Notifications(transcript.asked)
                message = self._replay.notification(event)
            if message is not None:
                self.rendered[item.number] = message
                kept.append(item)
        return kept
