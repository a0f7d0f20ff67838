"""The SSE route: a tool called by POST, or by a browser's EventSource with GET, answered as stream or as JSON.

What leaving, resuming and the cap mean stands in the policy row. How a request is read is call.py's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from ...authoring.tool import Registry
from ...config.settings import Settings
from ...middleware import Batches
from ...middleware.heartbeat import Heartbeat
from ...middleware.json_fallback import collect
from ...middleware.time_cap import CappedBatches
from ...protocol import plain
from ...protocol.errors import InvalidRequest, RunConflict, UnknownRun
from ...protocol.event import number
from ...protocol.http.accept import Representation
from ...protocol.policy import PLAIN_EVENTSOURCE, PLAIN_POST, OnCap, OnLeave, Policy
from ...protocol.stream import Stream
from ...runs import Reader, Run, Runs
from ...web.frames import Frames
from ...web.guard import Guard
from ...web.messages import NO_CONTENT, PRINCIPAL, STREAM_HEADERS, Answer, Request, check_content_type, json_answer
from ...web.metrics import Metrics
from .call import PlainCall, check_stream, followed, lowered, posted, queried
from .rendering import PlainRendering


class Calls:
    """Answers calls in the plain dialect."""

    def __init__(self, settings: Settings, registry: Registry, runs: Runs, guard: Guard, metrics: Metrics) -> None:
        self._settings = settings
        self._registry = registry
        self._runs = runs
        self._guard = guard
        self._metrics = metrics
        self._on_beat = metrics.heartbeats.add
        self._on_close = metrics.streams.ended.add
        self._clock: Callable[[], float] = asyncio.get_running_loop().time
        self._keyed = asyncio.Lock()

    async def post(self, request: Request) -> Answer:
        """One call, in the body."""
        self._guard.check_start(request)
        check_content_type(request)
        call = posted(request, self._registry, self._settings)
        run = await self._start(call, PLAIN_POST)
        return await self._answer(run, run.attach(), call, self._settings.cap_seconds)

    async def get(self, request: Request) -> Answer:
        """A call of a read-only tool, or the way back to one, in the query."""
        call = queried(request, self._registry, self._settings)
        if call.representation is Representation.JSON and call.key is None and call.last_event is None:
            # Nobody can come back to it: there is no key, and no event whose id could be sent.
            self._guard.check_start(request)
            run = await self._start(call, PLAIN_POST)
            return await self._answer(run, run.attach(), call, self._settings.cap_seconds)
        async with self._keyed:  # two requests with one key start one run
            if call.last_event is None:
                run, after = await self._known_or_started(request, call), 0
            else:
                after = call.last_event[1]
                resumed = self._resumed(call, call.last_event[0])
                if resumed is None or _is_read(resumed, after):
                    return NO_CONTENT
                run = resumed
            if run.policy.on_leave is not OnLeave.LINGER:
                check_stream(call)  # not a run of an EventSource: its life is not this reader's
                return self._followed(run, call)
            reader = run.attach(after)
        return await self._answer(run, reader, call, lowered(self._settings.cap_seconds, call.cap))

    async def head(self, request: Request) -> Answer:
        """What GET would answer with, without starting a tool (RFC 9110, 9.3.2)."""
        call = queried(request, self._registry, self._settings)
        return _stream_head() if call.representation is Representation.EVENT_STREAM else json_answer(200, b"")

    async def follow(self, run: Run, request: Request) -> Answer:
        """The events of a run that somebody else may have started, from the start or after Last-Event-ID."""
        return self._followed(run, followed(request, self._settings))

    async def follow_head(self, run: Run, request: Request) -> Answer:
        """What following would answer with."""
        return NO_CONTENT if _is_read(run, _place(run, followed(request, self._settings))) else _stream_head()

    # --- which run ---------------------------------------------------------------------------------------------------

    def _resumed(self, call: PlainCall, run_id: str) -> Run | None:
        """The run of a Last-Event-ID; None when there is nothing to come back to, which never starts a new one."""
        try:
            run = self._runs.find(run_id, PRINCIPAL)
        except UnknownRun:
            return None
        if call.key is not None:
            return run if self._known(call) is run else None
        if call.tool is not None and run.callee is not call.tool:
            raise RunConflict("Last-Event-ID is of a run of another tool.")
        return run

    def _known(self, call: PlainCall) -> Run | None:
        if call.key is None:
            return None
        return self._runs.find_by_key(call.key, PRINCIPAL, call.tool, call.identity or {})

    async def _known_or_started(self, request: Request, call: PlainCall) -> Run:
        known = self._known(call)
        if known is not None:
            return known
        if call.tool is None:
            raise UnknownRun("No run of this key is known, and the query names no tool to start.")
        self._guard.check_start(request)
        return await self._start(call, PLAIN_EVENTSOURCE)

    async def _start(self, call: PlainCall, policy: Policy) -> Run:
        assert call.tool is not None  # noqa: S101 - what is read without a tool has a key
        return await self._runs.start(
            call.tool,
            call.arguments,
            policy,
            principal=PRINCIPAL,
            headers=call.headers,
            cap_seconds=call.cap,
            key=call.key,
            identity=call.identity,
            metadata={"heartbeat_seconds": number(call.heartbeat)},
        )

    # --- what is answered --------------------------------------------------------------------------------------------

    async def _answer(self, run: Run, reader: Reader, call: PlainCall, cap: float) -> Answer:
        stream = Stream(self._clock(), heartbeat=call.heartbeat, cap=cap, ends_by=run.deadline)
        capped = CappedBatches(reader, stream, self._clock, run.policy.on_cap, partial(run.end_at_cap, cap))
        handed_over = False
        try:
            await asyncio.sleep(0)  # the tool's first turn: most have ended after it, and need nobody to wait
            if call.representation is Representation.EVENT_STREAM:
                handed_over = True
                return self._streamed(run, capped, stream, call)
            return json_answer(*await collect(capped, run.callee.name, run.id))
        finally:
            if not handed_over:
                capped.close()  # whoever leaves while the tool works cancels us here

    def _followed(self, run: Run, call: PlainCall) -> Answer:
        after = _place(run, call)
        if _is_read(run, after):
            return NO_CONTENT
        cap = lowered(self._settings.cap_seconds, call.cap)
        stream = Stream(self._clock(), heartbeat=call.heartbeat, cap=cap)
        capped = CappedBatches(run.follow(after), stream, self._clock, OnCap.END_STREAM, _nothing)
        return self._streamed(run, capped, stream, call)

    def _streamed(self, run: Run, capped: Batches, stream: Stream, call: PlainCall) -> Answer:
        batches = Heartbeat(capped, stream, self._clock, self._on_beat)
        self._metrics.streams.add()
        frames = Frames(
            batches,
            stream,
            self._clock,
            run=run.label,
            rendering=PlainRendering(run.id, visible=call.visible, retry_ms=run.policy.retry_ms),
            on_close=self._on_close,
        )
        return Answer(200, STREAM_HEADERS, frames)


def _stream_head() -> Answer:
    return Answer(200, STREAM_HEADERS)


def _is_read(run: Run, after: int) -> bool:
    """Whether whoever had the run's events up to number `after` has had them all. Raises InvalidRequest for a number
    that is still to come."""
    if after > run.events:
        raise InvalidRequest(f"Last-Event-ID is {after}; this run has had {run.events} events.", hint=plain.ID_HINT)
    return run.over and after == run.events


def _place(run: Run, call: PlainCall) -> int:
    """After which of the run's events to go on."""
    if call.last_event is None:
        return 0
    run_id, after = call.last_event
    if run_id != run.id:
        raise InvalidRequest("Last-Event-ID is of another run.", hint=plain.ID_HINT)
    return after


def _nothing() -> None:
    """What the cap of a follower does to the run."""
