"""Filters a run's batches down to the entries that one request's client subscribed to (progress token, log level).

Deadlines and the format of messages are not decided here.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

from ...middleware import Batch, Batches, Mark
from ...protocol.event import Entry, EventType
from ...protocol.mcp.notifications import Notifications
from ...protocol.mcp.results import MAX_MESSAGE_BYTES, status
from ...protocol.mcp.transcript import Transcript
from ...runs import Reader

_PROGRESS, _LET_GO = EventType.PROGRESS, EventType.LET_GO  # looked up once: an enum's attribute access is slow

Promote = Callable[[Reader], Awaitable[bytes | None]]
"""Detaches the run from a reader, and returns the response that tells the client how to follow it; None for a run that
has ended, whose own response is about to be read."""


class Promotion:
    """Called at the cap of a reader. Afterwards `response` is the response that ends it, or None if the run had ended
    and was not promoted."""

    __slots__ = ("_promote", "_reader", "response")

    def __init__(self, promote: Promote, reader: Reader) -> None:
        self._promote = promote
        self._reader = reader
        self.response: bytes | None = None

    async def __call__(self) -> bool:
        """Promote the run. Returns whether it continues without this reader."""
        self.response = await self._promote(self._reader)
        return self.response is not None


class Filtered:
    """Batches without the entries that this client does not get: the middleware around it sends heartbeats while
    nothing is left to write. Each message is rendered once, here, and kept in `rendered` for the stream's rendering,
    because rendering updates the transcript.

    The stream ends at the tool's `let_go`, unless its number is at most `resumed_at`: the client has reconnected since.
    It also ends once another reader has taken over: each message is sent on one stream only (2025-11-25, Multiple
    Connections).
    """

    __slots__ = (
        *("_batches", "_clock", "_let_go", "_promotion", "_ready", "_replay", "_resumed_at", "_token"),
        *("rendered", "status", "transcript"),
    )

    def __init__(
        self,
        batches: Batches,
        transcript: Transcript,
        clock: Callable[[], float],
        resumed_at: int = 0,
        promotion: Promotion | None = None,
    ) -> None:
        self._batches = batches
        self.transcript = transcript
        self._token = transcript.acquire()
        self._clock = clock
        self._promotion = promotion
        self._replay: Notifications | None = None  # for entries that an earlier reader has received
        self._resumed_at, self._let_go = resumed_at, False
        self._ready: list[Entry | Mark] = []
        self.rendered: dict[int, bytes] = {}
        """Messages by the number of their entry, until they are written."""
        self.status = 200
        """The HTTP status of the response, once it has been rendered."""

    @property
    def promoted(self) -> bytes | None:
        """The response of a promoted run, which tells the client how to follow it; None if it was not promoted."""
        return None if self._promotion is None else self._promotion.response

    async def response_only(self, until: float) -> bytes | None:
        """The response, if it comes before `until` and no other message precedes it; else None."""
        while self._clock() < until:
            batch = await self._batches.next(until)
            if batch is None:
                return None
            kept = self._filter(batch)
            if self.promoted is not None and until == math.inf:
                return self.promoted
            last = kept[-1] if kept else None
            if isinstance(last, Entry) and last.event.last and (len(kept) == 1 or until == math.inf):
                return self.rendered.pop(last.number)
            if until == math.inf:
                self.rendered.clear()  # a client that accepts only JSON gets the response alone
            elif kept:
                self._ready = kept
                return None
        return None

    def message(self, entry: Entry, bound: int = MAX_MESSAGE_BYTES) -> bytes:
        """The entry's message; a response of more than `bound` bytes is shortened. It can be taken once."""
        message = self.rendered.pop(entry.number)
        if len(message) > bound and entry.event.last:
            return self.transcript.short_response(entry.event)
        return message

    async def next(self, until: float) -> Batch | None:
        if self._ready:
            ready, self._ready = self._ready, []
            return ready
        while True:
            batch = None if self._ended() else await self._batches.next(until)
            if not batch:
                return batch
            if self._ended():  # another reader took over during the await, and sends these messages
                return None
            kept = self._filter(batch)
            if kept:
                return kept
            if self._clock() >= until:
                return ()

    def close(self) -> None:
        self._batches.close()

    def _ended(self) -> bool:
        return self._let_go or self.transcript.owner is not self._token

    def _filter(self, batch: Batch) -> list[Entry | Mark]:
        kept: list[Entry | Mark] = []
        transcript = self.transcript
        for item in batch:
            if not isinstance(item, Entry):
                kept.append(item)
                continue
            event = item.event
            message: bytes | None
            if event.type is _PROGRESS and item.number > transcript.last_number:  # nearly all entries, never a part
                transcript.last_number = item.number
                message = transcript.notification(event)
            elif event.last:
                self.status = status(transcript.info, event)
                message = transcript.response(event)
            elif event.type is _LET_GO and item.number > self._resumed_at:
                self._let_go = True
                return [*kept, Mark.CAP]  # the stream ends as at the cap
            elif item.number > transcript.last_number:
                message = transcript.add(item)
            else:
                self._replay = self._replay or Notifications(transcript.info)
                message = self._replay.notification(event)
            if message is not None:
                self.rendered[item.number] = message
                kept.append(item)
        return kept
