"""Answers one JSON-RPC request with a run: as JSON if nothing can precede the response, or if the response is there at
once; else as an event stream.

The Accept header field decides which of them are possible, the run which is better: most tools return within
milliseconds, JSON is cheaper for both sides, and clients bound what an event has, not what a body has. The policy has
been chosen before. No method and no revision is known here.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial

from ...config.settings import Settings
from ...middleware import Batches
from ...middleware.heartbeat import Heartbeat
from ...middleware.time_cap import CappedBatches
from ...protocol.errors import McpAppError, NotAcceptable
from ...protocol.event import Entry, EventType
from ...protocol.http import sse
from ...protocol.http.accept import Representation, quality
from ...protocol.mcp.request_info import RequestInfo
from ...protocol.mcp.results import MAX_MESSAGE_BYTES, status
from ...protocol.mcp.rpc_error import rpc_error
from ...protocol.mcp.transcript import Transcript
from ...protocol.policy import OnCap
from ...protocol.stream import Stream
from ...runs import FoundRun, Reader, Run
from ...web.frames import Frames, Rendering
from ...web.messages import STREAM_HEADERS, WAITING_JSON_HEADERS, Answer, Request, json_answer
from ...web.metrics import Metrics
from .filtering import Filtered, Promote, Promotion
from .rendering import JsonRendering, Resumable, RpcRendering
from .request_record import write_request
from .restoring import restored

_PROGRESS, _PARTIAL = EventType.PROGRESS, EventType.PARTIAL

GRACE_SECONDS = 0.1
"""How long a response may take and still be sent as JSON, if no other message precedes it: long enough for a database
query, too short to be noticed as a delay of the first byte."""


class Answering:
    """Answers requests with runs."""

    def __init__(self, settings: Settings, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._on_beat = metrics.heartbeats.add
        self._on_close = metrics.streams.ended.add

    async def answer(
        self, request: Request, run: FoundRun, transcript: Transcript, promote: Promote | None = None
    ) -> Answer:
        """The answer to the run's request. If the client disconnects before it is returned, the reader is closed.

        `promote` is for runs whose policy allows promotion: it makes the last message of a stream whose run continues.
        """
        accepted = acceptable(request.headers.get("accept"))
        if accepted is Representation.JSON:
            transcript.mute()
        alone = accepted is not Representation.EVENT_STREAM and not transcript.info.listens
        reader = run.attach()
        streaming = False
        try:
            if accepted is not Representation.EVENT_STREAM:
                await asyncio.sleep(0)  # the tool's first turn: most runs end in it, without a timer or a stream
                if run.over and run.events == _STARTED_AND_ENDED:
                    return await _ended(reader, transcript)
            stream = self._stream(run)
            # A client that accepts only JSON gets a single answer: it cannot resume a stream.
            on_cap = run.policy.on_cap
            if on_cap is OnCap.END_STREAM and accepted is Representation.JSON:
                on_cap = OnCap.END_RUN
            filtered = self._filtered(reader, run, transcript, stream, on_cap, promote=promote)
            response = await filtered.response_only(stream.quiet_at if alone else self.json_deadline(accepted))
            if response is not None:
                return json_answer(filtered.status, response)
            if run.policy.resumable and not alone:
                await publish(run, transcript)
            streaming = True
            if alone:
                return self._framed(filtered, stream, JsonRendering(filtered), run.label, WAITING_JSON_HEADERS)
            return self._streamed(filtered, run, stream, 0)
        finally:
            if not streaming:
                reader.close()

    async def restored(self, run: FoundRun, info: RequestInfo, after: int) -> Transcript:
        """The transcript of a request that another process works on, behind its event with number `after`. Raises as
        `restoring.restored`."""
        beats = (time.time() - run.created) / self._settings.heartbeat_seconds
        return await restored(run, info, after, math.ceil(max(0.0, beats)))

    def resume(self, run: FoundRun, transcript: Transcript, after: int) -> Answer:
        """The rest of a request's stream, after the event with number `after`."""
        stream = self._stream(run)
        filtered = self._filtered(run.follow(after), run, transcript, stream, run.policy.on_cap, resumed_at=run.events)
        return self._streamed(filtered, run, stream, after, sse.OPEN_AGAIN)

    async def relay(
        self,
        run: FoundRun,
        transcript: Transcript,
        send: Callable[[bytes], Awaitable[None]],
        *,
        bound: int = MAX_MESSAGE_BYTES,
    ) -> bytes:
        """Send the messages before the response on a channel that is not the request's own, and return the response.

        A response of more than `bound` bytes is sent without what stands twice in it. While the tool is silent, a
        client that asked for progress gets some, as with the heartbeats of a stream. A caller that is cancelled leaves:
        what that means is the policy of the run.
        """
        reader = run.attach()
        stream = self._stream(run)
        filtered = self._filtered(reader, run, transcript, stream, OnCap.END_RUN)
        began, interval = self._clock(), self._settings.heartbeat_seconds
        progress_at = began
        try:
            while (batch := await filtered.next(progress_at + interval)) is not None:
                for item in batch:
                    if not isinstance(item, Entry):
                        continue
                    if item.event.last:
                        return filtered.message(item, bound)
                    if item.event.type is _PROGRESS or item.event.type is _PARTIAL:
                        progress_at = self._clock()
                    await send(filtered.message(item))
                now = self._clock()
                if now - progress_at >= interval:
                    progress_at = now
                    if (progress := transcript.keepalive(now - began, stream.cap_at - began)) is not None:
                        await send(progress)
        except McpAppError as error:  # the reader fell behind the log
            return rpc_error(error, transcript.info.id).encode()
        finally:
            reader.close()
        raise AssertionError("a run that is relayed ends with its last event")

    def _stream(self, run: FoundRun) -> Stream:
        cap = self._settings.cap_seconds
        seconds = run.policy.stream_seconds(cap)
        ends_by = run.deadline if run.policy.on_cap is OnCap.END_RUN else None
        if run.policy.on_cap is OnCap.PROMOTE:  # who repeats the call has come later than its run
            ends_by = run.deadline - run.cap + seconds
        return Stream(self._clock(), heartbeat=self._settings.heartbeat_seconds, cap=seconds, ends_by=ends_by)

    def _filtered(
        self,
        reader: Reader,
        run: FoundRun,
        transcript: Transcript,
        stream: Stream,
        on_cap: OnCap,
        *,
        resumed_at: int = 0,
        promote: Promote | None = None,
    ) -> Filtered:
        promotion = None if promote is None or on_cap is not OnCap.PROMOTE else Promotion(promote, reader)
        at_cap = promotion or partial(run.end_at_cap, self._settings.cap_seconds)
        batches = CappedBatches(reader, stream, self._clock, on_cap, at_cap)
        if transcript.info.repeats:  # whose stream cannot be come back to
            resumed_at = sys.maxsize
        return Filtered(batches, transcript, self._clock, resumed_at, promotion)

    def _streamed(
        self, filtered: Filtered, run: FoundRun, stream: Stream, after: int, opening: bytes = sse.OPEN
    ) -> Answer:
        plain = self._rendering(filtered, stream, opening)
        # "The event ID MUST be globally unique across all streams within that session" (2025-11-25, Resumability): who
        # repeats a request has no ids to come back with, and repeats it again.
        resumable = run.policy.resumable and not filtered.transcript.info.repeats
        rendering = Resumable(plain, run.id, after, run.policy.retry_ms) if resumable else plain
        return self._framed(filtered, stream, rendering, run.label)

    def _rendering(self, filtered: Filtered, stream: Stream, opening: bytes = sse.OPEN) -> RpcRendering:
        return RpcRendering(filtered, self._clock, stream.cap_at, self._settings.heartbeat_seconds, opening)

    def _framed(
        self,
        batches: Batches,
        stream: Stream,
        rendering: Rendering,
        name: str,
        headers: tuple[tuple[str, str], ...] = STREAM_HEADERS,
    ) -> Answer:
        self._metrics.streams.add()
        frames = Frames(
            Heartbeat(batches, stream, self._clock, self._on_beat),
            stream,
            self._clock,
            run=name,
            rendering=rendering,
            on_close=self._on_close,
        )
        return Answer(200, headers, frames)

    # --- several requests in one stream ------------------------------------------------------------------------------

    def member(self, run: FoundRun, transcript: Transcript, after: int) -> tuple[Filtered, RpcRendering]:
        """The messages of one request after number `after` of its run, and their rendering, for a shared stream."""
        stream = self._stream(run)
        reader = run.follow(after) if after else run.attach()
        filtered = self._filtered(reader, run, transcript, stream, run.policy.on_cap)
        return filtered, self._rendering(filtered, stream)

    def shared(self, batches: Batches, rendering: Rendering, name: str) -> Answer:
        """The stream that several requests share."""
        stream = Stream(self._clock(), heartbeat=self._settings.heartbeat_seconds, cap=self._settings.cap_seconds)
        return self._framed(batches, stream, rendering, name)

    def json_deadline(self, accepted: Representation | None) -> float:
        """The time, on the loop's clock, until which to wait for a response that can be sent as JSON."""
        match accepted:
            case Representation.JSON:
                return math.inf
            case Representation.EVENT_STREAM:
                return -math.inf
            case None:
                return self._clock() + GRACE_SECONDS


async def publish(run: FoundRun, transcript: Transcript) -> None:
    """Make the run known to other processes, of which one may go on with its stream. Raises LogUnavailable."""
    if isinstance(run, Run) and run.shares:
        await run.publish(write_request(transcript.info))


_STARTED_AND_ENDED = 2
"""The number of events of a run without any between `started` and the last one."""


async def _ended(reader: Reader, transcript: Transcript) -> Answer:
    """The answer of a run that is over and has no events before its last one."""
    while True:
        batch = await reader.next(-math.inf)
        if batch is None:
            raise AssertionError("a run that is over has a last event")
        last = batch[-1].event
        if last.last:
            return json_answer(status(transcript.info, last), transcript.response(last))


def may_stream(request: Request, name: str, *, listens: bool) -> None:
    """The answer to a call of that name may become an event stream, as its client `listens` to what precedes the
    response, or takes nothing else: take its place, before the call begins. Raises RateLimited, and NotAcceptable."""
    if request.place is None:
        return
    accepted = acceptable(request.headers.get("accept"))
    if accepted is Representation.EVENT_STREAM or (listens and accepted is None):
        request.place.take(name)


def acceptable(accept: str | None) -> Representation | None:
    """The only acceptable representation, or None if both are. Raises NotAcceptable if neither is."""
    return (_known if accept is None or len(accept) <= _CACHED_CHARACTERS else _acceptable)(accept)


def _acceptable(accept: str | None) -> Representation | None:
    stream = quality(accept, Representation.EVENT_STREAM.value).q
    json = quality(accept, Representation.JSON.value).q
    if not stream and not json:
        raise NotAcceptable("Accept takes neither application/json nor text/event-stream.")
    if stream and json:
        return Representation.JSON if json > stream else None
    return Representation.JSON if json else Representation.EVENT_STREAM


_CACHED_CHARACTERS = 256
"""Of an Accept that is kept with what it takes: clients send few different ones, and a call is asked for it twice."""
_known = lru_cache(maxsize=256)(_acceptable)
