"""The SSE route: a tool called by POST, or by a browser's EventSource with GET, answered as stream or as JSON.

Which dialect and revision a call is of was decided before; what leaving, resuming and the cap mean stands in the policy
row. Nothing of Quart or ASGI is known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from ...authoring.tool import Registry, Tool
from ...config.settings import Settings
from ...middleware import Batches
from ...middleware.heartbeat import Heartbeat
from ...middleware.json_fallback import collect
from ...middleware.time_cap import TimeCap
from ...protocol import plain
from ...protocol.errors import (
    InvalidRequest,
    NotAcceptable,
    NotReadOnly,
    RunConflict,
    UnknownRun,
)
from ...protocol.event import number
from ...protocol.http.accept import Representation, choose
from ...protocol.policy import PLAIN_EVENTSOURCE, PLAIN_POST, OnCap, OnLeave, Policy
from ...protocol.stream import Stream
from ...runs import Reader, Run, Runs
from ...web.frames import Frames
from ...web.guard import Guard
from ...web.messages import (
    GONE,
    PRINCIPAL,
    STREAM_HEADERS,
    Answer,
    Request,
    check_content_type,
    json_answer,
)
from ...web.metrics import Metrics
from .rendering import PlainRendering

MIN_HEARTBEAT_SECONDS = 0.1
"""A request may ask for more heartbeats than the server's; ten a second are a load, not a sign of life."""


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
        call = plain.parse_call(request.body)
        representation = _representation(request) if call.stream else Representation.JSON
        tool = self._registry.get(call.tool)
        arguments = tool.arguments(call.params)
        heartbeat = self._heartbeat(call.heartbeat_seconds)
        run = await self._runs.start(
            tool,
            arguments,
            PLAIN_POST,
            principal=PRINCIPAL,
            headers=request.headers,
            cap_seconds=call.cap_seconds,
            metadata={"heartbeat_seconds": number(heartbeat)},
        )
        return await self._answer(run, run.attach(), representation, heartbeat, call.heartbeat)

    async def get(self, request: Request) -> Answer:
        """A call of a read-only tool, or the way back to one, in the query."""
        query, tool, arguments, representation = self._asked(request)
        heartbeat = self._heartbeat(query.heartbeat_seconds)
        last_event_id = request.headers.get("last-event-id")
        if representation is Representation.JSON and query.key is None and not last_event_id and tool is not None:
            # Nobody can come back to it: there is no key, and no event whose id could be sent.
            run = await self._start(request, query, tool, arguments, heartbeat, PLAIN_POST)
            return await self._answer(run, run.attach(), representation, heartbeat, query.heartbeat)
        async with self._keyed:  # two requests with one key start one run
            after = 0
            if last_event_id:
                run_id, after = plain.parse_event_id(last_event_id)
                resumed = self._resumed(run_id, query, tool)
                if resumed is None or (resumed.over and after == resumed.events):
                    return GONE
                if after > resumed.events:
                    raise _beyond(after, resumed)
                run = resumed
            else:
                run = await self._known_or_started(request, query, tool, arguments, heartbeat)
            if run.policy.on_leave is not OnLeave.LINGER:
                return await self.follow(run, request)  # not a run of an EventSource: its life is not this reader's
            reader = run.attach(after)
        return await self._answer(run, reader, representation, heartbeat, query.heartbeat, query.cap_seconds)

    async def head(self, request: Request) -> Answer:
        """What GET would answer with, without starting a tool (RFC 9110, 9.3.2)."""
        _, _, _, representation = self._asked(request)
        if representation is Representation.EVENT_STREAM:
            return Answer(200, STREAM_HEADERS)
        return json_answer(200, b"")

    async def follow(self, run: Run, request: Request) -> Answer:
        """The events of a run that somebody else may have started, from the start or after Last-Event-ID."""
        query, after = self._place(run, request)
        if run.over and after == run.events:
            return GONE
        stream = Stream(
            self._clock(),
            heartbeat=self._heartbeat(query.heartbeat_seconds),
            cap=_lowered(self._settings.cap_seconds, query.cap_seconds),
        )
        capped = TimeCap(run.follow(after), stream, self._clock, OnCap.END_STREAM, _nothing)
        return self._streamed(run, capped, stream, query.heartbeat)

    async def follow_head(self, run: Run, request: Request) -> Answer:
        """What following would answer with."""
        _, after = self._place(run, request)
        return GONE if run.over and after == run.events else Answer(200, STREAM_HEADERS)

    # --- what is asked for -------------------------------------------------------------------------------------------

    def _asked(self, request: Request) -> tuple[plain.Query, Tool | None, dict[str, Any], Representation]:
        query = plain.parse_query(request.query)
        if query.tool is None and query.key is None:
            raise InvalidRequest(
                "The query names neither a tool nor a run.",
                hint="GET ?tool=NAME&run=KEY&param=value… with Accept: text/event-stream, or POST the call.",
            )
        representation = _representation(request)
        tool = None if query.tool is None else self._registry.get(query.tool)
        if tool is None:
            return query, None, {}, representation
        if not tool.read_only:
            raise NotReadOnly(
                f"The tool {tool.name} may change something and is not started by GET.", headers={"Allow": "POST"}
            )
        return query, tool, tool.coerced(query.params, query.texts), representation

    def _place(self, run: Run, request: Request) -> tuple[plain.Query, int]:
        """How the run is to be followed, and after which of its events."""
        query = plain.parse_query(request.query)
        if _representation(request) is not Representation.EVENT_STREAM:
            raise NotAcceptable("A run's events are an event stream.", hint="GET the run itself for its state as JSON.")
        last_event_id = request.headers.get("last-event-id")
        if not last_event_id:
            return query, 0
        run_id, after = plain.parse_event_id(last_event_id)
        if run_id != run.id:
            raise InvalidRequest("Last-Event-ID is of another run.", hint=plain.ID_HINT)
        if after > run.events:
            raise _beyond(after, run)
        return query, after

    def _resumed(self, run_id: str, query: plain.Query, tool: Tool | None) -> Run | None:
        """The run of a Last-Event-ID; None when there is nothing to come back to, which never starts a new one."""
        try:
            run = self._runs.find(run_id, PRINCIPAL)
        except UnknownRun:
            return None
        if query.key is not None:
            known = self._runs.find_by_key(query.key, PRINCIPAL, tool, query.said)
            return run if known is run else None
        if tool is not None and run.callee is not tool:
            raise RunConflict("Last-Event-ID is of a run of another tool.")
        return run

    async def _known_or_started(
        self, request: Request, query: plain.Query, tool: Tool | None, arguments: dict[str, Any], heartbeat: float
    ) -> Run:
        if query.key is not None:
            known = self._runs.find_by_key(query.key, PRINCIPAL, tool, query.said)
            if known is not None:
                return known
        if tool is None:
            raise UnknownRun("No run of this key is known, and the query names no tool to start.")
        return await self._start(request, query, tool, arguments, heartbeat, PLAIN_EVENTSOURCE)

    async def _start(
        self,
        request: Request,
        query: plain.Query,
        tool: Tool,
        arguments: dict[str, Any],
        heartbeat: float,
        policy: Policy,
    ) -> Run:
        self._guard.check_start(request)
        return await self._runs.start(
            tool,
            arguments,
            policy,
            principal=PRINCIPAL,
            headers=request.headers,
            cap_seconds=query.cap_seconds,
            key=query.key,
            said=query.said,
            metadata={"heartbeat_seconds": number(heartbeat)},
        )

    def _heartbeat(self, asked: float | None) -> float:
        server = self._settings.heartbeat_seconds
        return server if asked is None else _lowered(server, max(MIN_HEARTBEAT_SECONDS, asked))

    # --- what is answered --------------------------------------------------------------------------------------------

    async def _answer(
        self,
        run: Run,
        reader: Reader,
        representation: Representation,
        heartbeat: float,
        visible: str,
        cap: float | None = None,
    ) -> Answer:
        cap = _lowered(self._settings.cap_seconds, cap)
        stream = Stream(self._clock(), heartbeat=heartbeat, cap=cap, ends_by=run.deadline)
        capped = TimeCap(reader, stream, self._clock, run.policy.on_cap, partial(run.end_at_cap, cap))
        handed_over = False
        try:
            await asyncio.sleep(0)  # the tool's first turn: most have ended after it, and need nobody to wait
            if representation is Representation.EVENT_STREAM:
                handed_over = True
                return self._streamed(run, capped, stream, visible)
            return json_answer(*await collect(capped, run.callee.name, run.id))
        finally:
            if not handed_over:
                capped.close()  # whoever leaves while the tool works cancels us here

    def _streamed(self, run: Run, capped: Batches, stream: Stream, visible: str) -> Answer:
        batches = Heartbeat(capped, stream, self._clock, self._on_beat)
        self._metrics.streams.add()
        frames = Frames(
            batches,
            stream,
            self._clock,
            run=run.label,
            rendering=PlainRendering(run.id, visible=visible == "event", retry_ms=run.policy.retry_ms),
            on_close=self._on_close,
        )
        return Answer(200, STREAM_HEADERS, frames)


def _representation(request: Request) -> Representation:
    chosen = choose(request.headers.get("accept"))
    if chosen is None:
        raise NotAcceptable("Accept takes neither text/event-stream nor application/json.")
    return chosen


def _beyond(after: int, run: Run) -> InvalidRequest:
    return InvalidRequest(f"Last-Event-ID is {after}; this run has had {run.events} events.", hint=plain.ID_HINT)


def _lowered(server: float, asked: float | None) -> float:
    """What holds: a request may lower the server's number, never raise it."""
    return server if asked is None else min(server, asked)


def _nothing() -> None:
    """What the cap of a follower does to the run."""
