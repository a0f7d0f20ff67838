"""The messages of several calls as one stream, as batches.py needs it: whoever has something to say is next.

An event's id is the position in every call's log, so that nothing is kept for whoever comes back but those logs. What a
message looks like is answering.py's; how the calls began is not known here.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence

from ....middleware import Batch
from ....protocol.errors import McpAppError, UnknownRun
from ....protocol.event import Entry, Event, EventType
from ....protocol.http import sse
from ....protocol.mcp.jsonrpc import Id
from ....protocol.mcp.rpc_error import rpc_error
from ....runs import Run
from ..failures import as_rpc_error
from ..filtering import Filtered
from ..rendering import RpcRendering


class BatchedCall:
    """One call of several, read from its number `at` on."""

    def __init__(self, run: Run, request: Id, filtered: Filtered, rendering: RpcRendering, at: int) -> None:
        self.run = run
        self.request = request
        self.at = at
        self._filtered = filtered
        self._rendering = rendering
        self._reading: asyncio.Task[Batch | None] | None = None

    async def quick(self, until: float) -> bytes | None:
        """The response, if it is there before anything else is to be said, and before `until`; else None."""
        try:
            last = await self._filtered.quick(until)
        except Exception as error:
            return as_rpc_error(error, self.request).encode()
        if last is None and until == math.inf:
            return rpc_error(UnknownRun("The response went another way."), self.request).encode()
        return last

    def reading(self) -> asyncio.Task[Batch | None]:
        """Done when there is something to be said, or nothing any more."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._filtered.next(math.inf), name=f"reading {self.run.id}")
        return self._reading

    def said(self) -> tuple[list[tuple[int, bytes]], bool]:
        """What was read, as frames with their numbers, and whether that was all."""
        reading, self._reading = self.reading(), None
        try:
            batch = reading.result()
        except Exception as error:  # it lost its place, or we did
            return [(self.at, sse.frame(as_rpc_error(error, self.request).encode()))], True
        if batch is None:
            return [], True
        entries = [each for each in batch if isinstance(each, Entry)]
        frames = self._rendering.entries(entries)
        said = [(entry.number, frame) for entry, frame in zip(entries, frames, strict=True)]
        return said, any(each.event.last for each in entries)

    def heartbeat(self) -> bytes:
        return self._rendering.heartbeat()

    def close(self) -> None:
        """Closing twice does nothing."""
        if self._reading is not None and not self._reading.cancel() and not self._reading.cancelled():
            self._reading.exception()  # that nobody asks for any more
        self._reading = None
        self._filtered.close()


class MergedStream:
    """Batches of all the calls, and how they look. `said` are responses that are there already: they are one event."""

    def __init__(
        self, name: str, calls: Sequence[BatchedCall], said: Sequence[bytes], clock: Callable[[], float]
    ) -> None:
        self._name = name
        self._calls = calls
        self._open = list(calls)
        self._said = said
        self._clock = clock
        self._number = 0
        self._cursors: dict[int, bytes] = {}

    # --- as batches --------------------------------------------------------------------------------------------------

    async def next(self, until: float) -> list[Entry] | None:
        if not self._open:
            return None
        seconds = None if until == math.inf else max(0.0, until - self._clock())
        await asyncio.wait(
            [each.reading() for each in self._open], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        batch = [self._entry(frame) for each in list(self._open) for frame in self._taken(each)]
        if self._open:
            return batch
        if not batch:
            return None
        end = batch[-1]
        return [*batch[:-1], Entry(end.number, Event(EventType.COMPLETE, end.event.data), end.end)]

    def close(self) -> None:
        for each in self._calls:
            each.close()
        self._open.clear()

    def _taken(self, call: BatchedCall) -> list[tuple[BatchedCall, int, bytes]]:
        if not call.reading().done():
            return []
        frames, over = call.said()
        if over:
            self._open.remove(call)
        return [(call, number, frame) for number, frame in frames]

    def _entry(self, said: tuple[BatchedCall, int, bytes]) -> Entry:
        call, number, frame = said
        call.at = number
        self._number += 1
        self._cursors[self._number] = self._cursor()
        return Entry(self._number, Event(EventType.LOG, frame), 0)

    def _cursor(self) -> bytes:
        return b"%b/%b" % (self._name.encode(), b".".join(b"%d" % each.at for each in self._calls))

    # --- as a rendering ----------------------------------------------------------------------------------------------

    def opening(self) -> bytes:
        if not self._said:
            return sse.OPEN
        return sse.OPEN + b"id: %b\n%b" % (self._cursor(), sse.frame(array(self._said)))

    def entries(self, entries: Sequence[Entry]) -> list[bytes]:
        return [b"id: %b\n%b" % (self._cursors.pop(each.number), each.event.data) for each in entries]

    def heartbeat(self) -> bytes:
        return b"".join(each.heartbeat() for each in self._open) or sse.HEARTBEAT

    def cap(self) -> bytes:
        return sse.comment("cap")

    def error(self, error: McpAppError) -> bytes:
        return sse.frame(rpc_error(error).encode())


def array(messages: Sequence[bytes]) -> bytes:
    """Messages as a batch."""
    return b"[%b]" % b",".join(messages)
