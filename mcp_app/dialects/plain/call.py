"""A call in the plain dialect as one value: body or query, Accept and Last-Event-ID, parsed and validated once.

Nothing is started or answered here, and no run is looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ...authoring.signature import Validated
from ...authoring.tool import Registry, Tool
from ...config.settings import Settings
from ...protocol import plain
from ...protocol.errors import InvalidRequest, NotAcceptable, NotReadOnly
from ...protocol.event_id import EventId, parse_event_id
from ...protocol.http import idempotency_key, sse
from ...protocol.http.accept import Representation, choose
from ...protocol.http.idempotency_key import RepeatableCall
from ...protocol.policy import PLAIN_POST_KEYED, Policy
from ...web.messages import Request

MIN_HEARTBEAT_SECONDS = 0.1
"""Lower bound of the interval that a request may ask for: more than ten heartbeats a second are only load."""


class PlainCall(NamedTuple):
    """The parsed request.

    `tool` is None when the request only resumes a run. `key` is the run key, or the Idempotency-Key of a POST; calls
    with the same key must have equal `identity`. `params` are the arguments as JSON, of a tool that may begin again.
    `last_event` is what Last-Event-ID says, parsed later of a POST. `heartbeat` is its interval in seconds; `visible`
    means that heartbeats are events. `cap` is the request's own cap in seconds, None for the server's. `repaired` is
    how many values were repaired in the arguments. `opening` are the first bytes of a stream.
    """

    representation: Representation
    request: Request
    heartbeat: float
    visible: bool
    cap: float | None
    tool: Tool | None = None
    arguments: dict[str, Any] = {}  # noqa: RUF012 - a default that is never modified
    repaired: int = 0
    key: str | None = None
    identity: Mapping[str, Any] | None = None
    params: Mapping[str, Any] | None = None
    last_event: EventId | None = None
    opening: bytes = sse.OPEN

    @property
    def after(self) -> int:
        """The number of the event after which to go on."""
        return 0 if self.last_event is None else self.last_event.number


def parse_post(request: Request, registry: Registry, settings: Settings) -> PlainCall:
    """Parse a call by POST. Raises InvalidRequest, NotAcceptable, UnknownTool, InsufficientScope, InvalidParams."""
    body = plain.parse_call(request.body)
    representation = _representation(request) if body.stream else Representation.JSON
    tool = registry.get(body.tool, request.access)
    validated = tool.validated(body.params)
    call = PlainCall(
        representation,
        request,
        _heartbeat_seconds(settings, body.heartbeat_seconds),
        body.heartbeat == "event",
        body.cap_seconds,
        tool,
        validated.arguments,
        validated.repaired,
    )
    return _keyed(call, validated) if idempotency_key.FIELD in request.headers else call


def parse_tool_post(request: Request, name: str, registry: Registry, settings: Settings) -> PlainCall:
    """Parse a POST to the route of the tool `name`, whose body is the parameters. JSON is what most clients of OpenAPI
    read, and they do not say so. With an Idempotency-Key it is the same call as one to the SSE route.

    Raises InvalidRequest, NotAcceptable, UnknownTool, InvalidParams.
    """
    params = plain.parse_params(request.body)
    representation = _representation(request, Representation.JSON)
    tool = registry.get(name, request.access)
    validated = tool.validated(params)
    call = PlainCall(
        representation,
        request,
        settings.heartbeat_seconds,
        False,
        None,
        tool,
        validated.arguments,
        validated.repaired,
    )
    return _keyed(call, validated) if idempotency_key.FIELD in request.headers else call


def _keyed(call: PlainCall, validated: Validated) -> PlainCall:
    repeatable = parse_key(call.request, PLAIN_POST_KEYED, validated)
    if call.tool is not None and call.tool.restarts:
        call = call._replace(params=validated.params)
    return call if repeatable is None else call._replace(key=repeatable.key, identity=repeatable.identity)


def parse_key(request: Request, policy: Policy, validated: Validated) -> RepeatableCall | None:
    """The call under its Idempotency-Key, which a request repeats that is made in the way of that row; None without a
    key. Raises InvalidRequest."""
    field = request.headers.get(idempotency_key.FIELD)
    if field is None:
        return None
    return idempotency_key.repeatable(idempotency_key.parse_field(field), policy, validated.params)


def parse_get(request: Request, registry: Registry, settings: Settings) -> PlainCall:
    """Parse a GET: a call of a read-only tool, or the resumption of its run.

    Raises InvalidRequest, NotAcceptable, UnknownTool, InsufficientScope, NotReadOnly, InvalidParams.
    """
    query = plain.parse_query(request.query)
    if query.tool is None and query.key is None:
        raise InvalidRequest(
            "The query names neither a tool nor a run.",
            hint="GET ?tool=NAME&run=KEY&param=value… with Accept: text/event-stream, or POST the call.",
        )
    call = _from_query(request, query, _representation(request), settings)
    if query.tool is None:
        return _returning(call, request)
    tool = registry.get(query.tool, request.access)
    if not tool.read_only:
        raise NotReadOnly(
            f"The tool {tool.name} may change something and is not started by GET.", headers={"Allow": "POST"}
        )
    validated = tool.from_query(query.params, query.texts)
    values = _values(tool, query, validated) if query.key is not None or tool.restarts else None
    return _returning(call, request)._replace(
        tool=tool,
        arguments=validated.arguments,
        repaired=validated.repaired,
        identity=None if query.key is None or values is None else values.identity,
        params=values.params if values is not None and tool.restarts else None,
    )


def _values(tool: Tool, query: plain.Query, validated: Validated) -> plain.Query:
    """The query with JSON values for its texts: `n=5`, `n=5.0` and `params={"n":5}` are one call."""
    texts = {name: items for name, items in query.texts.items() if name not in validated.params}
    return replace(query, params={**validated.params, **tool.query_values(texts)}, texts={})


def parse_follow(request: Request, settings: Settings) -> PlainCall:
    """Parse a request for the events of the run in its path. Raises InvalidRequest, NotAcceptable."""
    query = plain.parse_query(request.query)
    call = _from_query(request, query, _representation(request), settings)
    check_stream(call)
    return _returning(call, request)


def check_stream(call: PlainCall) -> None:
    """Raises NotAcceptable when the request does not accept an event stream, the only format for followers."""
    if call.representation is not Representation.EVENT_STREAM:
        raise NotAcceptable("A run's events are an event stream.", hint="GET the run itself for its state as JSON.")


def _from_query(request: Request, query: plain.Query, representation: Representation, settings: Settings) -> PlainCall:
    return PlainCall(
        representation,
        request,
        _heartbeat_seconds(settings, query.heartbeat_seconds),
        query.heartbeat == "event",
        query.cap_seconds,
        key=query.key,
    )


def _representation(request: Request, own: Representation = Representation.EVENT_STREAM) -> Representation:
    representation = choose(request.headers.get("accept"), own)
    if representation is None:
        raise NotAcceptable("Accept takes neither text/event-stream nor application/json.")
    return representation


def _returning(call: PlainCall, request: Request) -> PlainCall:
    event = parse_last_event(request)
    return call if event is None else call._replace(last_event=event, opening=sse.OPEN_AGAIN)


def parse_last_event(request: Request) -> EventId | None:
    """What Last-Event-ID says; an empty one is none. Raises InvalidRequest."""
    text = request.headers.get("last-event-id")
    return parse_event_id(text) if text else None


def _heartbeat_seconds(settings: Settings, requested: float | None) -> float:
    server = settings.heartbeat_seconds
    return server if requested is None else lower_limit(server, max(MIN_HEARTBEAT_SECONDS, requested))


def lower_limit(server: float, requested: float | None) -> float:
    """The effective limit: a request may lower the server's, never raise it."""
    return server if requested is None else min(server, requested)
