"""The plain dialect of a client: its requests, and a call as a conversation. Which answers are errors of a command, and
how events are shown, is not known here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urlencode

from mcp_app.client import message as wire
from mcp_app.client.address import Address
from mcp_app.client.message import ServerMessage
from mcp_app.client.wire import outgoing, raised
from mcp_app.client.wire.conversation import NotSpoken
from mcp_app.client.wire.outgoing import EVENT_STREAM, JSON, Outgoing
from mcp_app.client.wire.question import Question
from mcp_app.client.wire.run_events import (
    CompleteEvent,
    ErrorEvent,
    LogEvent,
    ProgressEvent,
    RunEvent,
    StartedEvent,
    UnknownEvent,
)
from mcp_app.protocol.http.sse import ServerSentEvent

By = Literal["post", "get", "detached"]
"""How a call is made: by POST, by GET as an EventSource does, or as a detached run that is followed."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The tool to call and its complete params. Seconds that are None are the server's to choose."""

    tool: str
    params: Mapping[str, Any]
    cap_seconds: float | None = None
    heartbeat_seconds: float | None = None

    def body(self) -> bytes:
        """The request body in the plain dialect."""
        return json.dumps({"tool": self.tool, "params": self.params, **self._seconds()}, allow_nan=False).encode()

    def query(self, key: str) -> str:
        """The query of a GET that starts the run of that key, or finds it again."""
        params = {"params": json.dumps(self.params, allow_nan=False)} if self.params else {}
        return urlencode({"tool": self.tool, "run": key, **params, **self._seconds()})

    def _seconds(self) -> dict[str, float]:
        seconds = {"cap_seconds": self.cap_seconds, "heartbeat_seconds": self.heartbeat_seconds}
        return {name: value for name, value in seconds.items() if value is not None}


# --- requests --------------------------------------------------------------------------------------------------------


def call_request(route: Address, call: ToolCall, accept: str = EVENT_STREAM) -> Outgoing:
    """The call by POST."""
    return outgoing.post_json(route.target, call.body(), accept)


def event_source_request(route: Address, call: ToolCall, key: str, last_event_id: str = "") -> Outgoing:
    """The call of a read-only tool by GET, or with the id of an event the rest of it."""
    query = "&".join(filter(None, (route.query, call.query(key))))
    return outgoing.get(f"{route.path}?{query}", EVENT_STREAM, Last_Event_ID=last_event_id)


def detach_request(route: Address, call: ToolCall) -> Outgoing:
    """The call as a detached run."""
    return outgoing.post_json(route.runs().target, call.body(), JSON)


def follow_request(
    route: Address, run: str, last_event_id: str = "", heartbeat_seconds: float | None = None
) -> Outgoing:
    """The events of a run, from its start or after an event."""
    query = "" if heartbeat_seconds is None else f"?heartbeat_seconds={heartbeat_seconds}"
    return outgoing.get(route.events(run).target + query, EVENT_STREAM, Last_Event_ID=last_event_id)


def cancel_request(route: Address, run: str) -> Outgoing:
    return Outgoing("DELETE", route.run(run).target)


def document_request(address: Address) -> Outgoing:
    """A document of JSON: the manifest, or the list of tools."""
    return outgoing.get(address.target, JSON)


# --- what comes ------------------------------------------------------------------------------------------------------


def answered(answer: Mapping[str, Any]) -> list[ServerMessage]:
    """The events in a JSON answer: progress and log, then the last one. Empty if it is not one of this dialect."""
    last = wire.message_of(answer)
    if last is None or not last.is_last:
        return []
    progress = answer.get("progress")
    before = [wire.message_of(each) for each in (progress if isinstance(progress, list) else [])]
    return [*(each for each in before if each is not None), last]


def event_of(message: ServerMessage, id_: str = "") -> RunEvent:
    """The message as a typed event."""
    content = message.content
    match message.type:
        case "started":
            cap, heartbeat = message.number("cap_seconds"), message.number("heartbeat_seconds")
            return StartedEvent(id=id_, raw=content, run=message.run_id, cap_seconds=cap, heartbeat_seconds=heartbeat)
        case "progress":
            return ProgressEvent(
                id=id_,
                raw=content,
                data=message.data,
                progress=message.number("progress"),
                total=message.number("total"),
                path=_path(message),
            )
        case "log" if isinstance(line := message.data, Mapping):
            return LogEvent(
                id=id_,
                raw=content,
                level=str(line.get("level")),
                message=str(line.get("message")),
                data=line.get("data"),
                path=_path(message),
            )
        case "complete":
            return CompleteEvent(
                id=id_, raw=content, data=message.data, content=_content(message), metadata=message.metadata
            )
        case "error":
            found = content.get("error")
            return ErrorEvent(id=id_, raw=content, error=raised.from_object(found if isinstance(found, dict) else {}))
        case _:
            return UnknownEvent(id=id_, raw=content)


def _path(message: ServerMessage) -> tuple[str, ...]:
    path = message.metadata.get("path")
    return tuple(map(str, path)) if isinstance(path, list) else ()


def _content(message: ServerMessage) -> list[Mapping[str, Any]]:
    """The content of a result as MCP has it: the text that stands for the data, data that is content, and what is
    beside the data."""
    data, beside = message.data, message.beside.get("content")
    text = [] if message.text is None else [{"type": "text", "text": message.text}]
    own = data if message.metadata.get("content") is True and isinstance(data, list) else []
    blocks = [*text, *own, *(beside if isinstance(beside, list) else [])]
    return [each for each in blocks if isinstance(each, dict)]


class PlainConversation:
    """One call. `key` is the run's key of a call by GET."""

    def __init__(
        self, route: Address, call: ToolCall, by: By = "post", *, accept: str = EVENT_STREAM, key: str = ""
    ) -> None:
        self.over = False
        self.run: str | None = None
        """The run's id, once the server has said it."""
        self.last_event_id = ""
        self._nothing_follows = False
        self._route = route
        self._call = call
        self._by = by
        self._accept = accept
        self._key = key

    def begin(self) -> Outgoing:
        if self._by == "get":
            return event_source_request(self._route, self._call, self._key)
        if self._by == "detached":
            # How its events are sent is asked for where they are followed.
            return detach_request(self._route, replace(self._call, heartbeat_seconds=None))
        return call_request(self._route, self._call, self._accept)

    def event(self, event: ServerSentEvent) -> list[RunEvent]:
        message = wire.parse_message(event.data)
        if message is None:
            raise NotSpoken("an event without a type", event.data)
        self.last_event_id = event.id
        return self._given([message], event.id)

    def answer(self, status: int, body: bytes) -> list[RunEvent]:
        if status == 204:  # nothing follows what was seen: WHATWG HTML 9.2.3
            self._nothing_follows = True
            return []
        answer = wire.parse_answer(body) or {}
        if status in (200, 202) and self._by == "detached" and self.run is None and wire.is_run_id(answer.get("id")):
            self.run = answer["id"]
            return []
        found = answered(answer)
        if not found:
            raise NotSpoken(f"an answer of status {status} that is no event", body)
        return self._given(found)

    def _given(self, messages: list[ServerMessage], id_: str = "") -> list[RunEvent]:
        events = []
        for message in messages:
            if message.type == "heartbeat" or self.over:
                continue
            self.run = self.run or message.run_id
            self.over = message.is_last
            events.append(event_of(message, id_))
        return events

    def proceed(self) -> Outgoing | None:
        if self.over or self._nothing_follows:
            return None
        if self._by == "get":  # by its key the run is found, also before its first event
            return event_source_request(self._route, self._call, self._key, self.last_event_id)
        if self._by == "detached" and self.run is not None:
            return follow_request(self._route, self.run, self.last_event_id, self._call.heartbeat_seconds)
        return None

    def reply(self, question: Question, result: Mapping[str, Any]) -> Outgoing | None:
        raise NotSpoken("a question, which the plain dialect does not have", question.method)

    def cancel(self) -> Outgoing | None:
        return None if self.run is None else cancel_request(self._route, self.run)
