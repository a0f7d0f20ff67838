"""The cap: no stream grows older than this, whatever its tool does.

What the cap means is the policy row's: the run ends, and its last event `time_cap` is the stream's last; or only the
stream ends, and its reader comes back for the rest, or follows what the run has become. When it is reached is decided
in protocol/stream.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ..protocol.policy import OnCap
from ..protocol.stream import Stream
from . import Batch, Batches, Mark


class CappedBatches:
    """Ends what it wraps at `stream.cap_at`; `at_cap` is called for policies that do something to the run as well.

    Of a run that is promoted it says whether it was: one that has just ended has a last event of its own.
    """

    __slots__ = ("_at_cap", "_batches", "_clock", "_ended", "_on_cap", "_stream")

    def __init__(
        self,
        batches: Batches,
        stream: Stream,
        clock: Callable[[], float],
        on_cap: OnCap,
        at_cap: Callable[[], bool | None],
    ) -> None:
        self._batches = batches
        self._stream = stream
        self._clock = clock
        self._on_cap = on_cap
        self._at_cap = at_cap
        self._ended = False

    async def next(self, until: float) -> Batch | None:
        if self._ended:
            return None
        # Asked before reading: a tool that floods always has a next batch.
        if self._clock() >= self._stream.cap_at:
            return await self._reached(until)
        batch = await self._batches.next(min(until, self._stream.cap_at))
        if batch is None or batch or self._clock() < self._stream.cap_at:
            return batch
        return await self._reached(until)

    async def _reached(self, until: float) -> Batch | None:
        self._stream.cap_at = math.inf
        if self._on_cap is OnCap.END_STREAM or self._at_cap():
            self._ended = True
            return (Mark.CAP,)
        # The run's last event is what comes next from below, behind what was queued before.
        return await self._batches.next(until)

    def close(self) -> None:
        self._batches.close()
