"""One call in the plain dialect as one value: body or query, Accept and Last-Event-ID, read once and checked.

Nothing is started or answered here, and no run is looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...authoring.tool import Registry, Tool
from ...config.settings import Settings
from ...protocol import plain
from ...protocol.errors import InvalidRequest, NotAcceptable, NotReadOnly
from ...protocol.http.accept import Representation, choose
from ...web.messages import Request

MIN_HEARTBEAT_SECONDS = 0.1
"""A request may ask for more heartbeats than the server's; ten a second are a load, not a sign of life."""


class PlainCall(NamedTuple):
    """What a request asks for.

    `tool` is None for the way back to a run. `key` is the run key, `identity` what makes two calls with one key the
    same. `last_event` is the run and the number in Last-Event-ID. `heartbeat` is in seconds; `visible`: heartbeats are
    events. `cap` is what the request lowers the server's cap to, in seconds.
    """

    representation: Representation
    headers: Mapping[str, str]
    heartbeat: float
    visible: bool
    cap: float | None
    tool: Tool | None = None
    arguments: dict[str, Any] = {}  # noqa: RUF012 - a default that nobody changes
    key: str | None = None
    identity: Mapping[str, Any] | None = None
    last_event: tuple[str, int] | None = None


def posted(request: Request, registry: Registry, settings: Settings) -> PlainCall:
    """A call by POST. Raises InvalidRequest, NotAcceptable, UnknownTool, InvalidParams."""
    body = plain.parse_call(request.body)
    representation = _representation(request) if body.stream else Representation.JSON
    tool = registry.get(body.tool)
    return PlainCall(
        representation,
        request.headers,
        _heartbeat(settings, body.heartbeat_seconds),
        body.heartbeat == "event",
        body.cap_seconds,
        tool,
        tool.arguments(body.params),
    )


def queried(request: Request, registry: Registry, settings: Settings) -> PlainCall:
    """A call of a read-only tool by GET, or the way back to one.

    Raises InvalidRequest, NotAcceptable, UnknownTool, NotReadOnly, InvalidParams.
    """
    query = plain.parse_query(request.query)
    if query.tool is None and query.key is None:
        raise InvalidRequest(
            "The query names neither a tool nor a run.",
            hint="GET ?tool=NAME&run=KEY&param=value… with Accept: text/event-stream, or POST the call.",
        )
    call = _resuming(request, query, _representation(request), settings)
    if query.tool is None:
        return call._replace(last_event=_last_event(request))
    tool = registry.get(query.tool)
    if not tool.read_only:
        raise NotReadOnly(
            f"The tool {tool.name} may change something and is not started by GET.", headers={"Allow": "POST"}
        )
    arguments = tool.coerced(query.params, query.texts)
    return call._replace(tool=tool, arguments=arguments, last_event=_last_event(request))


def followed(request: Request, settings: Settings) -> PlainCall:
    """The way to a run that the path names. Raises InvalidRequest, NotAcceptable."""
    query = plain.parse_query(request.query)
    call = _resuming(request, query, _representation(request), settings)
    check_stream(call)
    return call._replace(last_event=_last_event(request))


def check_stream(call: PlainCall) -> None:
    """Raises NotAcceptable for who follows a run, and takes no stream."""
    if call.representation is not Representation.EVENT_STREAM:
        raise NotAcceptable("A run's events are an event stream.", hint="GET the run itself for its state as JSON.")


def _resuming(request: Request, query: plain.Query, representation: Representation, settings: Settings) -> PlainCall:
    return PlainCall(
        representation,
        request.headers,
        _heartbeat(settings, query.heartbeat_seconds),
        query.heartbeat == "event",
        query.cap_seconds,
        key=query.key,
        identity=None if query.key is None else query.identity,
    )


def _representation(request: Request) -> Representation:
    chosen = choose(request.headers.get("accept"))
    if chosen is None:
        raise NotAcceptable("Accept takes neither text/event-stream nor application/json.")
    return chosen


def _last_event(request: Request) -> tuple[str, int] | None:
    text = request.headers.get("last-event-id")
    return plain.parse_event_id(text) if text else None


def _heartbeat(settings: Settings, asked: float | None) -> float:
    server = settings.heartbeat_seconds
    return server if asked is None else lowered(server, max(MIN_HEARTBEAT_SECONDS, asked))


def lowered(server: float, asked: float | None) -> float:
    """What holds: a request may lower the server's number, never raise it."""
    return server if asked is None else min(server, asked)
