"""A heartbeat whenever nothing was written for a while, so that no proxy takes a quiet stream for a dead one.

Under it, a pipelined byte or a peer that went without a word is noticed too: by the write. What a heartbeat looks like
on the wire is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable

from ..protocol.stream import Input, Stream
from . import Batch, Batches, Mark


class Heartbeat:
    """Adds `Mark.HEARTBEAT`, and keeps the stream's state: it sees all that is written."""

    __slots__ = ("_batches", "_clock", "_on_beat", "_stream")

    def __init__(
        self, batches: Batches, stream: Stream, clock: Callable[[], float], on_beat: Callable[[], None]
    ) -> None:
        self._batches = batches
        self._stream = stream
        self._clock = clock
        self._on_beat = on_beat

    async def next(self, until: float) -> Batch | None:
        batch = await self._batches.next(min(until, self._stream.quiet_at))
        if batch is None:
            return None
        now = self._clock()
        if batch:
            self._stream.step(_input(batch), now)
        elif now >= self._stream.quiet_at:
            self._stream.step(Input.QUIET, now)
            self._on_beat()
            return (Mark.HEARTBEAT,)
        return batch

    def close(self) -> None:
        self._batches.close()


def _input(batch: Batch) -> Input:
    end = batch[-1]
    if isinstance(end, Mark):
        return Input.CAP
    return Input.LAST if end.event.last else Input.ENTRIES
