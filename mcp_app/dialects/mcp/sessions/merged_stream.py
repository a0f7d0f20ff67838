"""Merges the messages of several calls into one stream, for batches.py, in order of their arrival.

The id of an event contains the position in each call's log, so that resuming needs no state but those logs. Messages
are rendered by the calls' own renderings (answering.py); how the calls were started is not known here.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence

from ....middleware import Batch
from ....protocol.caller_errors import CREDENTIALS_ENDED
from ....protocol.errors import McpAppError, UnknownRun
from ....protocol.event import Entry, Event, EventType
from ....protocol.http import sse
from ....protocol.mcp.jsonrpc import Id
from ....protocol.mcp.rpc_error import rpc_error
from ....runs import FoundRun
from ..failures import as_rpc_error
from ..filtering import Filtered
from ..rendering import RpcRendering


class BatchedCall:
    """One of the calls, read after number `at`."""

    def __init__(self, run: FoundRun, request: Id, filtered: Filtered, rendering: RpcRendering, at: int) -> None:
        self.run = run
        self.request = request
        self.at = at
        self._filtered = filtered
        self._rendering = rendering
        self._read_task: asyncio.Task[Batch | None] | None = None

    @property
    def repeats(self) -> bool:
        """Whether it reads the run of an earlier call."""
        return self._filtered.transcript.info.repeats

    async def response_only(self, until: float) -> bytes | None:
        """The response, if it comes before `until` and no other message precedes it; else None."""
        try:
            response = await self._filtered.response_only(until)
        except Exception as error:
            return as_rpc_error(error, self.request).encode()
        if response is None and until == math.inf:
            return rpc_error(UnknownRun("The response went another way."), self.request).encode()
        return response

    def read_task(self) -> asyncio.Task[Batch | None]:
        """The task that reads the next batch; started if there is none."""
        if self._read_task is None:
            self._read_task = asyncio.create_task(self._filtered.next(math.inf), name=f"reading {self.run.id}")
        return self._read_task

    def take(self) -> tuple[list[tuple[int, bytes]], bool]:
        """The batch that `read_task` has read, as frames with their numbers, and whether it is the last one."""
        task, self._read_task = self.read_task(), None
        try:
            batch = task.result()
        except Exception as error:  # the reader fell behind the log, or a defect of ours
            return [(self.at, sse.frame(as_rpc_error(error, self.request).encode()))], True
        if batch is None:
            return [], True
        entries = [each for each in batch if isinstance(each, Entry)]
        frames = self._rendering.entries(entries)
        numbered = [(entry.number, frame) for entry, frame in zip(entries, frames, strict=True)]
        return numbered, any(each.event.last for each in entries)

    def heartbeat(self) -> bytes:
        return self._rendering.heartbeat()

    def close(self) -> None:
        """Stop reading. Idempotent."""
        if self._read_task is not None and not self._read_task.cancel() and not self._read_task.cancelled():
            self._read_task.exception()  # marks it as retrieved, or asyncio would log it
        self._read_task = None
        self._filtered.close()


class MergedStream:
    """The batches of all calls, and their rendering. `responses` are complete already: they are sent as one event."""

    def __init__(
        self,
        name: str,
        calls: Sequence[BatchedCall],
        responses: Sequence[bytes],
        clock: Callable[[], float],
        opening: bytes,
    ) -> None:
        self._opening = opening
        self._name = name
        self._calls = calls
        self._open = list(calls)
        self._responses = responses
        self._clock = clock
        self._number = 0
        self._cursors: dict[int, bytes] = {}

    # --- as batches --------------------------------------------------------------------------------------------------

    async def next(self, until: float) -> list[Entry] | None:
        if not self._open:
            return None
        seconds = None if until == math.inf else max(0.0, until - self._clock())
        await asyncio.wait(
            [each.read_task() for each in self._open], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        batch = [self._entry(*frame) for each in list(self._open) for frame in self._frames(each)]
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

    def _frames(self, call: BatchedCall) -> list[tuple[BatchedCall, int, bytes]]:
        if not call.read_task().done():
            return []
        frames, ended = call.take()
        if ended:
            self._open.remove(call)
        return [(call, number, frame) for number, frame in frames]

    def _entry(self, call: BatchedCall, number: int, frame: bytes) -> Entry:
        call.at = number
        self._number += 1
        self._cursors[self._number] = self._cursor()
        return Entry(self._number, Event(EventType.LOG, frame), 0)

    def _cursor(self) -> bytes:
        return b"%b/%b" % (self._name.encode(), b".".join(b"%d" % each.at for each in self._calls))

    # --- as a rendering ----------------------------------------------------------------------------------------------

    def opening(self) -> bytes:
        if not self._responses:
            return self._opening
        return self._opening + b"id: %b\n%b" % (self._cursor(), sse.frame(array(self._responses)))

    def entries(self, entries: Sequence[Entry]) -> list[bytes]:
        return [b"id: %b\n%b" % (self._cursors.pop(each.number), each.event.data) for each in entries]

    def heartbeat(self) -> bytes:
        return b"".join(each.heartbeat() for each in self._open) or sse.HEARTBEAT

    def cap(self) -> bytes:
        return sse.comment("cap")

    def error(self, error: McpAppError) -> bytes:
        if isinstance(error, CREDENTIALS_ENDED):  # it is resumable: a response would end what goes on
            return sse.comment(error.code)
        return sse.frame(rpc_error(error).encode())


def array(messages: Sequence[bytes]) -> bytes:
    """Messages as a batch."""
    return b"[%b]" % b",".join(messages)
