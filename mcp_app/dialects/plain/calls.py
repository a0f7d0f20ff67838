"""The SSE route and that of each tool: called by POST, or by a browser's EventSource with GET, answered as an event
stream or JSON.

The policy row determines the effects of leaving, resuming and the cap. Requests are parsed in call.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from functools import partial

from ...authoring.tool import Registry
from ...config.settings import Settings
from ...middleware import Batches
from ...middleware.heartbeat import Heartbeat
from ...middleware.json_fallback import collect
from ...middleware.time_cap import CappedBatches
from ...protocol import event_id
from ...protocol.errors import InvalidRequest, RequestError, RunConflict, UnknownRun
from ...protocol.event import number
from ...protocol.http.accept import Representation
from ...protocol.http.idempotency_key import RepeatableCall
from ...protocol.policy import PLAIN_EVENTSOURCE, PLAIN_POST, PLAIN_POST_KEYED, OnCap, OnLeave, Policy
from ...protocol.stream import Stream
from ...runs import FoundRun, Reader, Run, Runs
from ...runs.repeating import found_or_started, key_reused, started_once
from ...web.charging import take_place
from ...web.frames import Frames
from ...web.guard import Guard
from ...web.links import Links
from ...web.messages import NO_CONTENT, STREAM_HEADERS, Answer, Request, check_content_type, json_answer
from ...web.metrics import Metrics
from .call import (
    PlainCall,
    check_stream,
    lower_limit,
    parse_follow,
    parse_get,
    parse_last_event,
    parse_post,
    parse_tool_post,
)
from .rendering import PlainRendering
from .resuming import check_same, ended_by, resumed


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

    def post(self, request: Request) -> Awaitable[Answer]:
        """A call in the body."""
        self._guard.check_start(request)
        check_content_type(request)
        return self._posted(request, parse_post(request, self._registry, self._settings))

    def tool(self, request: Request, tool: str) -> Awaitable[Answer]:
        """A call at the tool's own route: the body is its parameters, and nothing at all where there are none."""
        self._guard.check_start(request)
        if request.body or "content-type" in request.headers:
            check_content_type(request)
        return self._posted(request, parse_tool_post(request, tool, self._registry, self._settings))

    async def _posted(self, request: Request, call: PlainCall) -> Answer:
        _take_place(call)
        if request.headers.get("last-event-id"):
            return await self._post_again(request, call)
        if call.key is not None:
            return await self._post_once(call)
        run = await self._start(call, PLAIN_POST)
        return await self._answer(run, run.attach(), call, self._settings.cap_seconds)

    async def _post_once(self, call: PlainCall) -> Answer:
        """The call of an Idempotency-Key: the run that it has started before, or starts now, from its beginning."""
        assert call.key is not None and call.tool is not None  # noqa: S101, PT018 - a POST names a tool
        repeatable = RepeatableCall(call.key, call.identity or {})
        start = partial(self._start, call, PLAIN_POST_KEYED)
        run = await started_once(self._runs, repeatable, call.request.principal, call.tool, start)
        return await self._answer(run, run.attach(), call, self._cap(call))

    async def _post_again(self, request: Request, call: PlainCall) -> Answer:
        """The rest of the run that the client has begun to read: it repeats its request, and means no second run."""
        try:
            call = call._replace(last_event=parse_last_event(request))
            found = await self._come_back(call)
        except RequestError as error:
            reused = call.key is not None and isinstance(error, RunConflict)
            return self._end(call, key_reused() if reused else error)
        if isinstance(found, Answer):
            return found
        if found.policy.on_leave is OnLeave.GO_ON:
            check_stream(call)
            return await self._answer_follower(found, call)
        return await self._answer(found, found.attach(call.after), call, self._cap(call))

    async def get(self, request: Request) -> Answer:
        """A call of a read-only tool, or the resumption of its run, in the query."""
        call = parse_get(request, self._registry, self._settings)
        _take_place(call)
        if call.representation is Representation.JSON and call.key is None and call.last_event is None:
            # This run cannot be resumed: it has no key, and no event whose id the client could send.
            self._guard.check_start(request)
            started = await self._start(call, PLAIN_POST)
            return await self._answer(started, started.attach(), call, self._settings.cap_seconds)
        async with nullcontext() if call.key is None else self._runs.lock(request.principal, call.key):
            start = partial(self._start, call, PLAIN_EVENTSOURCE)
            run: FoundRun | Answer = await found_or_started(partial(self._find, request, call), start)
        if isinstance(run, Answer):
            return run
        if run.policy.on_leave is not OnLeave.LINGER:
            return await self._answer_follower(run, call)
        return await self._answer(run, run.attach(call.after), call, self._cap(call))

    async def head(self, request: Request) -> Answer:
        """The status and header fields that GET would have (RFC 9110, 9.3.2), without starting a tool. The status of
        JSON is that of a run that does not fail, unless the run has ended already."""
        call = parse_get(request, self._registry, self._settings)
        found = await self._find(request, call)
        if isinstance(found, Answer):
            return found
        if found is None:
            self._runs.check()
        if call.representation is Representation.EVENT_STREAM:
            return _stream_head()
        if found is None or not found.over:
            return json_answer(200, b"")
        stream = Stream(self._clock(), heartbeat=call.heartbeat, cap=self._cap(call))
        rest = CappedBatches(found.follow(call.after), stream, self._clock, OnCap.END_STREAM, _no_effect)
        return json_answer(*await collect(rest, found.callee.name, found.id, partial(self.url, found, request)))

    async def follow(self, run: str, request: Request) -> Answer:
        """The events of any run of the principal, from the start or after Last-Event-ID. Raises UnknownRun."""
        found, call = await self._followed(run, request)
        return found if isinstance(found, Answer) else await self._answer_follower(found, call)

    async def follow_head(self, run: str, request: Request) -> Answer:
        """The header fields that `follow` would have."""
        found, _ = await self._followed(run, request)
        return found if isinstance(found, Answer) else _stream_head()

    async def _followed(self, run: str, request: Request) -> tuple[FoundRun | Answer, PlainCall]:
        """The run to follow, or the answer when there is nothing to follow."""
        call = parse_follow(request, self._settings)
        _take_place(call)
        if call.last_event is None:
            return await self._runs.find(run, request.principal), call
        if call.last_event.run != run:
            raise InvalidRequest("Last-Event-ID is of another run.", hint=event_id.HINT)
        return await self._come_back(call), call

    # --- finding or starting the run ---------------------------------------------------------------------------------

    async def _find(self, request: Request, call: PlainCall) -> FoundRun | Answer | None:
        """The run that a GET reads, the answer if there is nothing to read, or None if it starts a run."""
        if call.last_event is not None:
            found: FoundRun | Answer | None = await self._come_back(call)
        else:
            found = await self._find_by_key(call)
            if found is None and call.tool is None:
                raise UnknownRun("No run of this key is known, and the query names no tool to start.")
        if found is None:
            self._guard.check_start(request)
        elif not isinstance(found, Answer) and found.policy.on_leave is not OnLeave.LINGER:
            check_stream(call)  # not started by EventSource: this reader only follows it
        return found

    async def _come_back(self, call: PlainCall) -> FoundRun | Answer:
        """The run that goes on after Last-Event-ID, or the answer when none does. It never starts one.

        Raises RunConflict for a run of another call, InvalidRequest for an event that has not happened.
        """
        assert call.last_event is not None  # noqa: S101 - it has none to come back to
        try:
            tool = call.tool if call.key is None else None
            run = await resumed(self._runs, call.last_event, call.request.principal, tool)
            if run is not None and call.key is not None:
                check_same(run, await self._find_by_key(call))
        except UnknownRun as error:
            return self._end(call, error)
        return NO_CONTENT if run is None else run

    def _end(self, call: PlainCall, error: RequestError) -> Answer:
        """The error as the last event for a client that comes back. Raises it where JSON is asked for."""
        if call.representation is Representation.JSON:
            raise error
        self._metrics.count_refusal(error.code)
        return ended_by(error, call.last_event)

    async def _find_by_key(self, call: PlainCall) -> FoundRun | None:
        if call.key is None:
            return None
        return await self._runs.find_by_key(call.key, call.request.principal, call.tool, call.identity or {})

    async def _start(self, call: PlainCall, policy: Policy) -> Run:
        assert call.tool is not None  # noqa: S101 - a call without a tool never starts a run
        self._metrics.repairs.add(call.repaired)
        return await self._runs.start(
            call.tool,
            call.arguments,
            policy,
            access=call.request.access,
            payer=call.request.payer,
            headers=call.request.headers,
            body=call.request.body or call.request.query,
            cap_seconds=call.cap,
            key=call.key,
            identity=call.identity,
            metadata={"heartbeat_seconds": number(call.heartbeat)},
            params=call.params,
        )

    # --- answering ---------------------------------------------------------------------------------------------------

    async def _answer(self, run: FoundRun, reader: Reader, call: PlainCall, cap: float) -> Answer:
        stream = Stream(self._clock(), heartbeat=call.heartbeat, cap=cap, ends_by=run.deadline)
        capped = CappedBatches(reader, stream, self._clock, run.policy.on_cap, partial(run.end_at_cap, cap))
        handed_over = False
        try:
            await asyncio.sleep(0)  # the tool's first turn of the loop: most tools have ended after it
            if call.representation is Representation.EVENT_STREAM:
                if run.policy.resumable:
                    await run.publish()
                handed_over = True
                return self._answer_stream(run, capped, stream, call)
            url = partial(self.url, run, call.request)
            return json_answer(*await collect(capped, run.callee.name, run.id, url, reader.skip))
        finally:
            if not handed_over:
                capped.close()  # a client that leaves while the tool works cancels this task

    async def _answer_follower(self, run: FoundRun, call: PlainCall) -> Answer:
        if run.policy.resumable:
            await run.publish()
        stream = Stream(self._clock(), heartbeat=call.heartbeat, cap=self._cap(call))
        capped = CappedBatches(run.follow(call.after), stream, self._clock, OnCap.END_STREAM, _no_effect)
        return self._answer_stream(run, capped, stream, call)

    def url(self, run: FoundRun, request: Request) -> str:
        """The run's address, for who sent the request."""
        return self._links.path(request, f"{self._runs_path}/{run.id}")

    def _cap(self, call: PlainCall) -> float:
        return lower_limit(self._settings.cap_seconds, call.cap)

    def _answer_stream(self, run: FoundRun, capped: Batches, stream: Stream, call: PlainCall) -> Answer:
        batches = Heartbeat(capped, stream, self._clock, self._on_heartbeat)
        self._metrics.streams.add()
        frames = Frames(
            batches,
            stream,
            self._clock,
            run=run.label,
            rendering=PlainRendering(
                run.id,
                partial(self.url, run, call.request),
                call.after,
                call.opening,
                visible=call.visible,
                retry_ms=run.policy.retry_ms,
            ),
            on_close=self._on_close,
        )
        return Answer(200, STREAM_HEADERS, frames)


def _take_place(call: PlainCall) -> None:
    """Before anything is begun for it. Raises RateLimited."""
    if call.request.place is not None and call.representation is Representation.EVENT_STREAM:
        take_place(call.request, None if call.tool is None else call.tool.name)


def _stream_head() -> Answer:
    return Answer(200, STREAM_HEADERS)


def _no_effect() -> None:
    """The cap callback of followers: their cap does not affect the run."""
