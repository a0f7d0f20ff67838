"""The cap: ends a stream at its maximum age, whatever its tool does.

The policy row determines the effect. Either the run ends, and its last event `time_cap` is the last of the stream; or
only the stream ends, and its reader comes back for the rest or follows the task that the run has become. The time of
the cap is computed in protocol/stream.py.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

from ..protocol.errors import Fenced
from ..protocol.policy import OnCap
from ..protocol.stream import Stream
from . import Batch, Batches, Mark


class CappedBatches:
    """Ends the wrapped batches at `stream.cap_at`.

    `callback` is called at the cap, except for OnCap.END_STREAM, to apply the cap to the run. Where it returns an
    awaitable of true (the run was promoted), the stream ends with `Mark.CAP`; otherwise with the run's own last event.
    """

    __slots__ = ("_batches", "_callback", "_clock", "_ended", "_on_cap", "_stream")

    def __init__(
        self,
        batches: Batches,
        stream: Stream,
        clock: Callable[[], float],
        on_cap: OnCap,
        callback: Callable[[], Awaitable[bool] | None],
    ) -> None:
        self._batches = batches
        self._stream = stream
        self._clock = clock
        self._on_cap = on_cap
        self._callback = callback
        self._ended = False

    async def next(self, until: float) -> Batch | None:
        if self._ended:
            return None
        # Checked before reading: a tool that floods always has a next batch.
        if self._clock() >= self._stream.cap_at:
            return await self._end_at_cap(until)
        try:
            batch = await self._batches.next(min(until, self._stream.cap_at))
        except Fenced:  # the run goes on, or ends, at another process, where the reader finds it
            self._ended = True
            return (Mark.CAP,)
        if batch is None or batch or self._clock() < self._stream.cap_at:
            return batch
        return await self._end_at_cap(until)

    async def _end_at_cap(self, until: float) -> Batch | None:
        self._stream.cap_at = math.inf
        if self._on_cap is OnCap.END_STREAM or ((promoted := self._callback()) is not None and await promoted):
            self._ended = True
            return (Mark.CAP,)
        # The run's last event is the next one in the wrapped batches, after the entries already queued.
        return await self._batches.next(until)

    def close(self) -> None:
        self._batches.close()
