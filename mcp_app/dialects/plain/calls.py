"""The SSE route: a tool called by POST, or by a browser's EventSource with GET, answered as an event stream or JSON.

The policy row determines the effects of leaving, resuming and the cap. Requests are parsed in call.py.
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
from ...protocol.http import sse
from ...protocol.http.accept import Representation
from ...protocol.policy import PLAIN_EVENTSOURCE, PLAIN_POST, OnCap, OnLeave, Policy
from ...protocol.stream import Stream
from ...runs import Reader, Run, Runs
from ...web.frames import Frames
from ...web.guard import Guard
from ...web.links import Links
from ...web.messages import NO_CONTENT, PRINCIPAL, STREAM_HEADERS, Answer, Request, check_content_type, json_answer
from ...web.metrics import Metrics
from .call import PlainCall, check_stream, lower_limit, parse_follow, parse_get, parse_post
from .rendering import PlainRendering


class Calls:
    """Answers calls in the plain dialect."""

    def __init__(
        self,
        runs_path: str,
        links: Links,
        settings: Settings,
        registry: Registry,
        runs: Runs,
        guard: Guard,
        metrics: Metrics,
    ) -> None:
        self._runs_path = runs_path
        self._links = links
        self._settings = settings
        self._registry = registry
        self._runs = runs
        self._guard = guard
        self._metrics = metrics
        self._on_heartbeat = metrics.heartbeats.add
        self._on_close = metrics.streams.ended.add
        self._clock: Callable[[], float] = asyncio.get_running_loop().time
        self._key_lock = asyncio.Lock()

    async def post(self, request: Request) -> Answer:
        """A call in the body."""
        self._guard.check_start(request)
        check_content_type(request)
        call = parse_post(request, self._registry, self._settings)
        run = await self._start(call, PLAIN_POST)
        return await self._answer(run, run.attach(), call, self._settings.cap_seconds)

    async def get(self, request: Request) -> Answer:
        """A call of a read-only tool, or the resumption of its run, in the query."""
        call = parse_get(request, self._registry, self._settings)
        if call.representation is Representation.JSON and call.key is None and call.last_event is None:
            # This run cannot be resumed: it has no key, and no event whose id the client could send.
            self._guard.check_start(request)
            run = await self._start(call, PLAIN_POST)
            return await self._answer(run, run.attach(), call, self._settings.cap_seconds)
        async with self._key_lock:  # two requests with one key start one run
            if call.last_event is None:
                run, after = await self._find_or_start(request, call), 0
            else:
                after = call.last_event[1]
                resumed = self._find_resumed(call, call.last_event[0])
                if resumed is None or _is_exhausted(resumed, after):
                    return NO_CONTENT
                run = resumed
            if run.policy.on_leave is not OnLeave.LINGER:
                check_stream(call)  # not started by EventSource: this reader only follows it
                return self._answer_follower(run, call)
            reader = run.attach(after)
        return await self._answer(run, reader, call, lower_limit(self._settings.cap_seconds, call.cap))

    async def head(self, request: Request) -> Answer:
        """The header fields that GET would have, without starting a tool (RFC 9110, 9.3.2)."""
        call = parse_get(request, self._registry, self._settings)
        return _stream_head() if call.representation is Representation.EVENT_STREAM else json_answer(200, b"")

    async def follow(self, run: Run, request: Request) -> Answer:
        """The events of any run of the principal, from the start or after Last-Event-ID."""
        return self._answer_follower(run, parse_follow(request, self._settings))

    async def follow_head(self, run: Run, request: Request) -> Answer:
        """The header fields that `follow` would have."""
        after = _position(run, parse_follow(request, self._settings))
        return NO_CONTENT if _is_exhausted(run, after) else _stream_head()

    # --- finding or starting the run ---------------------------------------------------------------------------------

    def _find_resumed(self, call: PlainCall, run_id: str) -> Run | None:
        """The run of a Last-Event-ID; None when it cannot be resumed. A resumption never starts a new run."""
        try:
            run = self._runs.find(run_id, PRINCIPAL)
        except UnknownRun:
            return None
        if call.key is not None:
            return run if self._find_by_key(call) is run else None
        if call.tool is not None and run.callee is not call.tool:
            raise RunConflict("Last-Event-ID is of a run of another tool.")
        return run

    def _find_by_key(self, call: PlainCall) -> Run | None:
        if call.key is None:
            return None
        return self._runs.find_by_key(call.key, PRINCIPAL, call.tool, call.identity or {})

    async def _find_or_start(self, request: Request, call: PlainCall) -> Run:
        known = self._find_by_key(call)
        if known is not None:
            return known
        if call.tool is None:
            raise UnknownRun("No run of this key is known, and the query names no tool to start.")
        self._guard.check_start(request)
        return await self._start(call, PLAIN_EVENTSOURCE)

    async def _start(self, call: PlainCall, policy: Policy) -> Run:
        assert call.tool is not None  # noqa: S101 - a call without a tool never starts a run
        self._metrics.repairs.add(call.repaired)
        return await self._runs.start(
            call.tool,
            call.arguments,
            policy,
            principal=PRINCIPAL,
            headers=call.request.headers,
            body=call.request.body,
            cap_seconds=call.cap,
            key=call.key,
            identity=call.identity,
            metadata={"heartbeat_seconds": number(call.heartbeat)},
        )

    # --- answering ---------------------------------------------------------------------------------------------------

    async def _answer(self, run: Run, reader: Reader, call: PlainCall, cap: float) -> Answer:
        stream = Stream(self._clock(), heartbeat=call.heartbeat, cap=cap, ends_by=run.deadline)
        capped = CappedBatches(reader, stream, self._clock, run.policy.on_cap, partial(run.end_at_cap, cap))
        handed_over = False
        try:
            await asyncio.sleep(0)  # the tool's first turn of the loop: most tools have ended after it
            if call.representation is Representation.EVENT_STREAM:
                handed_over = True
                return self._answer_stream(run, capped, stream, call)
            return json_answer(*await collect(capped, run.callee.name, run.id, self._url(run, call.request)))
        finally:
            if not handed_over:
                capped.close()  # a client that leaves while the tool works cancels this task

    def _answer_follower(self, run: Run, call: PlainCall) -> Answer:
        after = _position(run, call)
        if _is_exhausted(run, after):
            return NO_CONTENT
        cap = lower_limit(self._settings.cap_seconds, call.cap)
        stream = Stream(self._clock(), heartbeat=call.heartbeat, cap=cap)
        capped = CappedBatches(run.follow(after), stream, self._clock, OnCap.END_STREAM, _no_effect)
        return self._answer_stream(run, capped, stream, call)

    def _url(self, run: Run, request: Request) -> str:
        return self._links.path(request, f"{self._runs_path}/{run.id}")

    def _answer_stream(self, run: Run, capped: Batches, stream: Stream, call: PlainCall) -> Answer:
        batches = Heartbeat(capped, stream, self._clock, self._on_heartbeat)
        opening = sse.OPEN if call.last_event is None else sse.OPEN_AGAIN
        self._metrics.streams.add()
        frames = Frames(
            batches,
            stream,
            self._clock,
            run=run.label,
            rendering=PlainRendering(
                run.id, self._url(run, call.request), opening, visible=call.visible, retry_ms=run.policy.retry_ms
            ),
            on_close=self._on_close,
        )
        return Answer(200, STREAM_HEADERS, frames)


def _stream_head() -> Answer:
    return Answer(200, STREAM_HEADERS)


def _is_exhausted(run: Run, after: int) -> bool:
    """Whether the run has ended and `after` is its last event. Raises InvalidRequest for a number that does not exist
    yet."""
    if after > run.events:
        raise InvalidRequest(f"Last-Event-ID is {after}; this run has had {run.events} events.", hint=plain.ID_HINT)
    return run.over and after == run.events


def _position(run: Run, call: PlainCall) -> int:
    """The number of the event after which to continue."""
    if call.last_event is None:
        return 0
    run_id, after = call.last_event
    if run_id != run.id:
        raise InvalidRequest("Last-Event-ID is of another run.", hint=plain.ID_HINT)
    return after


def _no_effect() -> None:
    """The cap callback of followers: their cap does not affect the run."""
