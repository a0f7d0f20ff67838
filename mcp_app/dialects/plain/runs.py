"""A run as a resource: start it detached, get its state, cancel it, follow its events.

The events themselves are served by calls.py. Neither Quart nor ASGI is known here.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import partial
from typing import Any

from ...authoring.signature import Validated
from ...authoring.tool import Registry, Tool
from ...eventlog import EventLog
from ...protocol import plain, plain_events
from ...protocol.errors import Cancelled
from ...protocol.event import EventType, encode
from ...protocol.http.idempotency_key import RepeatableCall
from ...protocol.policy import PLAIN_DETACHED
from ...runs import FoundRun, Run, Runs
from ...runs.repeating import started_once
from ...web.guard import Guard
from ...web.messages import NO_CONTENT, Answer, Request, check_content_type, json_answer
from ...web.metrics import Metrics
from .call import parse_key, parse_last_event
from .calls import Calls
from .kept import kept_answer
from .resuming import resumed

_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


class RunRoutes:
    """Answers requests at and below the runs route."""

    def __init__(
        self, registry: Registry, runs: Runs, log: EventLog, guard: Guard, calls: Calls, metrics: Metrics
    ) -> None:
        self._registry = registry
        self._runs = runs
        self._log = log
        self._guard = guard
        self._calls = calls
        self._metrics = metrics

    async def create(self, request: Request) -> Answer:
        """Start a detached run: 202 with its Location (RFC 9110, 15.3.3)."""
        self._guard.check_start(request)
        check_content_type(request)
        call = plain.parse_start(request.body)
        tool = self._registry.get(call.tool, request.access)
        validated = tool.validated(call.params)
        event = parse_last_event(request)
        if event is not None:
            return await self._created(request, await resumed(self._runs, event, request.principal, tool))
        repeatable = parse_key(request, PLAIN_DETACHED, validated)
        start = partial(self._start, request, call, tool, validated, repeatable)
        if repeatable is None:
            return await self._created(request, await start())
        return await self._created(request, await started_once(self._runs, repeatable, request.principal, tool, start))

    async def _start(
        self,
        request: Request,
        call: plain.StartBody,
        tool: Tool,
        validated: Validated,
        repeatable: RepeatableCall | None,
    ) -> Run:
        self._metrics.repairs.add(validated.repaired)
        return await self._runs.start(
            tool,
            validated.arguments,
            PLAIN_DETACHED,
            access=request.access,
            payer=request.payer,
            headers=request.headers,
            body=request.body,
            cap_seconds=call.cap_seconds,
            key=None if repeatable is None else repeatable.key,
            identity=None if repeatable is None else repeatable.identity,
            params=validated.params if tool.restarts else None,
        )

    async def _created(self, request: Request, run: FoundRun | None) -> Answer:
        """The same for who asks again with a Last-Event-ID of that run, of which nothing may be left."""
        if run is None:
            return NO_CONTENT
        await run.publish()
        return json_answer(202, encode(await self._state(run, request)), ("Location", self._calls.url(run, request)))

    async def show(self, request: Request, run: str) -> Answer:
        """The run's state, and after its end the result or the error."""
        return json_answer(200, encode(await self._state(await self._find(run, request), request)))

    async def cancel(self, request: Request, run: str) -> Answer:
        """Cancel the run; no effect on a run that has ended (RFC 9110, 9.3.5: DELETE is idempotent)."""
        found = await self._find(run, request)
        await found.cancel(Cancelled("The run was cancelled by a caller."))
        return json_answer(202 if not found.over else 200, encode(await self._state(found, request)))

    async def events(self, request: Request, run: str) -> Answer:
        """Follow the run's events."""
        return await self._calls.follow(run, request)

    async def events_head(self, request: Request, run: str) -> Answer:
        """The header fields that `events` would have."""
        return await self._calls.follow_head(run, request)

    async def result(self, request: Request, run: str, result: str) -> Answer:
        """A result that was too large for an event: whole, or the range that was asked for."""
        found = await self._find(run, request)
        number = int(result) if _NUMBER.fullmatch(result) else 0
        return kept_answer(request, await found.result(number), number)

    async def _find(self, run: str, request: Request) -> FoundRun:
        return await self._runs.find(run, request.principal)

    async def _state(self, run: FoundRun, request: Request) -> dict[str, Any]:
        url = self._calls.url(run, request)
        state: dict[str, Any] = {
            "id": run.id,
            "tool": run.callee.name,
            "state": "working" if not run.over else "complete" if run.code == "complete" else "error",
            "created": datetime.fromtimestamp(run.created, UTC).isoformat(timespec="milliseconds"),
            "url": url,
            "events_url": f"{url}/events",
        }
        if not run.over:
            return {**state, "metadata": {"events": run.events}}
        end = plain_events.addressed(await run.end_event(), lambda: url)
        value = json.loads(end.data)
        result = {"data": value} if end.type is EventType.COMPLETE else {"error": value}
        return {**state, **result, "metadata": json.loads(end.metadata)}
