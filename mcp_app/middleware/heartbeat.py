"""Adds a heartbeat when nothing has been written for a while, so that proxies do not close a quiet stream.

The write also detects a peer that disappeared silently, or that disconnected after it pipelined a byte. The bytes of a
heartbeat are not decided here.
"""

from __future__ import annotations

from collections.abc import Callable

from ..protocol.stream import Input, Stream
from . import Batch, Batches, Mark


class Heartbeat:
    """Adds `Mark.HEARTBEAT` and maintains the stream's state: every batch passes through it."""

    __slots__ = ("_batches", "_clock", "_on_heartbeat", "_stream")

    def __init__(
        self, batches: Batches, stream: Stream, clock: Callable[[], float], on_heartbeat: Callable[[], None]
    ) -> None:
        self._batches = batches
        self._stream = stream
        self._clock = clock
        self._on_heartbeat = on_heartbeat

    async def next(self, until: float) -> Batch | None:
        batch = await self._batches.next(min(until, self._stream.quiet_at))
        if batch is None:
            return None
        now = self._clock()
        if batch:
            self._stream.step(_input(batch), now)
        elif now >= self._stream.quiet_at:
            self._stream.step(Input.QUIET, now)
            self._on_heartbeat()
            return (Mark.HEARTBEAT,)
        return batch

    def close(self) -> None:
        self._batches.close()


def _input(batch: Batch) -> Input:
    end = batch[-1]
    if isinstance(end, Mark):
        return Input.CAP
    return Input.LAST if end.event.last else Input.ENTRIES
