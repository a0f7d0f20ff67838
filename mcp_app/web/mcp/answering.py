"""A run as the answer to one JSON-RPC request: JSON when it is there at once, else a stream.

Accept decides what is possible, the run what is best (most tools answer within milliseconds, and JSON is cheaper for
everybody); which policy holds was decided before. No method and no revision is known here.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from ...middleware import Batch, Batches, Mark
from ...middleware.heartbeat import Heartbeat
from ...middleware.time_cap import TimeCap
from ...protocol import sse
from ...protocol.accept import Representation, quality
from ...protocol.errors import McpAppError, NotAcceptable
from ...protocol.event import Entry, EventType
from ...protocol.mcp import Exchange
from ...protocol.revision import OnCap
from ...protocol.rpc_error import rpc_error
from ...protocol.stream import Stream
from ...runs import Reader, Run
from ...settings import Settings
from ..calls import STREAM_HEADERS
from ..exchange import Answer, Request, json_answer
from ..frames import Frames, Rendering
from ..metrics import Metrics

GRACE_SECONDS = 0.1
"""How long an answer may take to be JSON if nothing is said before it: long enough for a database, too short to be felt
by whoever waits for the first byte."""


class Answering:
    """Answers requests with runs."""

    def __init__(self, settings: Settings, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock = clock

    async def answer(self, request: Request, run: Run, exchange: Exchange) -> Answer:
        """The run's answer. Whoever leaves while it is being worked on closes the reader."""
        acceptable_now = acceptable(request.headers.get("accept"))
        reader = run.attach()
        stream = self._stream(run)
        # Who takes only JSON gets one answer, and cannot come back for the rest of a stream.
        on_cap = OnCap.END_RUN if acceptable_now is Representation.JSON else run.policy.on_cap
        wanted = self._wanted(reader, run, exchange, stream, on_cap)
        handed_over = False
        try:
            last = await wanted.quick(self._patience(acceptable_now))
            if last is not None:
                return json_answer(wanted.status, last)
            handed_over = True
            return self._streamed(wanted, run, exchange, stream, 0)
        finally:
            if not handed_over:
                reader.close()

    def resume(self, run: Run, exchange: Exchange, after: int) -> Answer:
        """The rest of the stream of a request, for whoever had its events up to number `after`."""
        stream = self._stream(run)
        wanted = self._wanted(run.follow(after), run, exchange, stream, run.policy.on_cap, past=run.events)
        return self._streamed(wanted, run, exchange, stream, after)

    async def relay(self, run: Run, exchange: Exchange, send: Callable[[bytes], None]) -> None:
        """Every message of the request, the response last, for a stream that is not its own."""
        reader = run.attach()
        wanted = self._wanted(reader, run, exchange, self._stream(run), OnCap.END_RUN)
        try:
            while (batch := await wanted.next(math.inf)) is not None:
                for item in batch:
                    if isinstance(item, Entry):
                        send(wanted.rendered.pop(item.number))
        except McpAppError as error:  # it lost its place
            send(rpc_error(error, exchange.id).encode())
        finally:
            reader.close()

    async def whole(self, run: Run, exchange: Exchange) -> bytes:
        """The response alone."""
        last: deque[bytes] = deque(maxlen=1)  # what is said before it is not kept
        await self.relay(run, exchange, last.append)
        return last[0]

    def _stream(self, run: Run) -> Stream:
        return Stream(
            self._clock(),
            heartbeat=self._settings.heartbeat_seconds,
            cap=self._settings.cap_seconds,
            ends_by=run.deadline if run.policy.on_cap is OnCap.END_RUN else None,
        )

    def _wanted(
        self, reader: Reader, run: Run, exchange: Exchange, stream: Stream, on_cap: OnCap, *, past: int = 0
    ) -> Wanted:
        end_run = lambda: run.stop(run.cap_error(self._settings.cap_seconds))  # noqa: E731
        return Wanted(TimeCap(reader, stream, self._clock, on_cap, end_run), exchange, self._clock, past)

    def _streamed(self, wanted: Wanted, run: Run, exchange: Exchange, stream: Stream, after: int) -> Answer:
        self._metrics.streams.add()
        began = self._clock()
        age = lambda: self._clock() - began  # noqa: E731
        plain = RpcRendering(wanted, exchange, age, stream.cap_at - began, self._settings.heartbeat_seconds)
        rendering = Resumable(plain, run.id, after, run.policy.retry_ms) if run.policy.resumable else plain
        frames = Frames(
            Heartbeat(wanted, stream, self._clock, self._metrics.heartbeats.add),
            stream,
            self._clock,
            run=run.id,
            rendering=rendering,
            on_close=self._metrics.streams.ended.add,
        )
        return Answer(200, STREAM_HEADERS, frames)

    def _patience(self, acceptable_now: Representation | None) -> float:
        """Until when an answer as JSON is waited for, on the loop's clock."""
        match acceptable_now:
            case Representation.JSON:
                return math.inf
            case Representation.EVENT_STREAM:
                return -math.inf
            case None:
                return self._clock() + GRACE_SECONDS


def acceptable(accept: str | None) -> Representation | None:
    """The one representation that may be sent, or None for both. Raises NotAcceptable when there is neither."""
    stream = quality(accept, Representation.EVENT_STREAM.value).q
    json = quality(accept, Representation.JSON.value).q
    if not stream and not json:
        raise NotAcceptable("Accept takes neither application/json nor text/event-stream.")
    if stream and json:
        return Representation.JSON if json > stream else None
    return Representation.JSON if json else Representation.EVENT_STREAM


class Wanted:
    """Batches without the entries that this exchange says nothing of: a stream that writes nothing is quiet, and must
    get its heartbeats. What an entry became is kept for the rendering, as rendering it counts.

    The stream ends where the tool lets go of it, unless at `past` or before: then that is why the reader is back; and
    as soon as another comes for the rest: a message goes to one stream only (2025-11-25, Multiple Connections).
    """

    def __init__(self, batches: Batches, exchange: Exchange, clock: Callable[[], float], past: int = 0) -> None:
        self._batches = batches
        self._exchange, exchange.heard_by = exchange, self
        self._clock = clock
        self._again = replace(exchange)  # for entries that a reader before this one has had
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
        return self._let_go or self._exchange.heard_by is not self

    def _said(self, batch: Batch) -> list[Entry | Mark]:
        said: list[Entry | Mark] = []
        for item in batch:
            if not isinstance(item, Entry):
                continue
            event = item.event
            if event.type is EventType.LET_GO and item.number > self._past:
                self._let_go = True
                return [*said, Mark.CAP]  # the end of a stream, as at the cap
            if event.last:
                self.status = self._exchange.status(event)
            message = self._exchange.response(event) if event.last else self._notification(item)
            if message is not None:
                self.rendered[item.number] = message
                said.append(item)
        return said

    def _notification(self, entry: Entry) -> bytes | None:
        if entry.number <= self._exchange.counted:
            return self._again.notification(entry.event)
        self._exchange.counted = entry.number
        return self._exchange.notification(entry.event)


class RpcRendering:
    """JSON-RPC messages as events; with a progress token, a heartbeat brings a sign of life that the client counts.

    So does any other message `often` seconds after the last progress: to many clients a log is no life.
    """

    def __init__(self, wanted: Wanted, exchange: Exchange, age: Callable[[], float], cap: float, often: float) -> None:
        self._wanted = wanted
        self._exchange = exchange
        self._age = age
        self._cap = cap
        self._often = often
        self._progress_at = 0.0

    def opening(self) -> bytes:
        return sse.OPEN

    def entry(self, entry: Entry) -> bytes:
        said = sse.frame(self._wanted.rendered.pop(entry.number))
        if entry.event.type is EventType.PROGRESS:
            self._progress_at = self._age()
        elif not entry.event.last and self._age() - self._progress_at >= self._often:
            said += self._silent_progress()
        return said

    def heartbeat(self) -> bytes:
        return sse.HEARTBEAT + self._silent_progress()

    def _silent_progress(self) -> bytes:
        self._progress_at = self._age()
        progress = self._exchange.silent_progress(self._progress_at, self._cap)
        return b"" if progress is None else sse.frame(progress)

    def cap(self) -> bytes:
        return sse.comment("cap")

    def error(self, error: McpAppError) -> bytes:
        return sse.frame(rpc_error(error, self._exchange.id).encode())


class Resumable:
    """A rendering whose events have ids, "as a cursor within that particular stream" (2025-11-25, Resumability).

    With `retry_ms` the stream may end early and be polled: it is primed "with an event ID and an empty data field", and
    ends with another of those (2025-11-25, Sending Messages to the Server, 6). Older clients would parse that.
    """

    def __init__(self, rendering: Rendering, stream: str, after: int, retry_ms: int | None) -> None:
        self._rendering = rendering
        self._stream = stream
        self._last = after
        self._retry_ms = retry_ms

    def opening(self) -> bytes:
        return self._rendering.opening() + self._primer()

    def entry(self, entry: Entry) -> bytes:
        self._last = entry.number
        return b"id: %b\n%b" % (self._id(), self._rendering.entry(entry))

    def heartbeat(self) -> bytes:
        return self._rendering.heartbeat()

    def cap(self) -> bytes:
        return self._rendering.cap() + self._primer()

    def error(self, error: McpAppError) -> bytes:
        return self._rendering.error(error)

    def _primer(self) -> bytes:
        if self._retry_ms is None:
            return b""
        return sse.frame(b"", id=self._id().decode(), retry=self._retry_ms)

    def _id(self) -> bytes:
        return b"%b/%d" % (self._stream.encode(), self._last)
