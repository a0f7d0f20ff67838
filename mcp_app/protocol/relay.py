"""What packets mean: what a server and a process that works for it say to each other. Events, results and errors.

The caller's data are encoded where the work is done; here they stay bytes. Who sends a packet, and when, is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from .asking import Declined, NoAnswer
from .error_kind import ErrorKind
from .errors import McpAppError, ToolError
from .event import Event, EventType, Shape, encode
from .linked import too_large
from .packets import MAX_BODY_BYTES, Packet, PacketError


class PacketKind(StrEnum):
    """All that is said. A process works on one call at a time, so that no packet names its call."""

    START = "start"
    """By the server, first: what holds for all calls."""
    CALL = "call"
    TAKEN = "taken"
    """By the server: so many events, and bytes of events, were taken, for which others may come."""
    CANCEL = "cancel"
    """By the server: the call is to end, for a reason."""
    STOP = "stop"
    """By the server, last, between two calls."""
    EVENT = "event"
    """By the process, as what follows."""
    RESULT = "result"
    """What a call ends with, as ERROR is."""
    ERROR = "error"
    FREE = "free"
    """The last of a call: all that it took was given back."""
    LINE = "line"
    """A line of its log, at any time."""
    REQUESTS = "requests"
    """By either, as what follows: something is asked of the other side, within a call."""
    RESPONSE = "response"
    WITHDRAWN = "withdrawn"


_FROM_A_TOOL = (EventType.PROGRESS, EventType.PARTIAL, EventType.LOG, EventType.LET_GO)
"""What a tool can say of its run. All else is said by the run itself."""

_SHAPES = (Shape.VALUE, Shape.CONTENT, Shape.PRIVATE)


def event_packet(event: Event) -> Packet:
    """Raises EventTooLarge for what is neither sent nor kept."""
    check_size("An event", event.size)
    fields = {"type": event.type.value, "shape": event.shape.name, "data": len(event.data)}
    return Packet(PacketKind.EVENT, fields, event.data + event.metadata)


def event_of(packet: Packet) -> Event:
    """Raises PacketError for what a tool cannot say."""
    fields, length = packet.fields, packet.number("data")
    kind = next((each for each in _FROM_A_TOOL if each.value == fields.get("type")), None)
    shape = next((each for each in _SHAPES if each.name == fields.get("shape")), None)
    if kind is None or shape is None or length > len(packet.body) or b"\n" in packet.body:
        raise PacketError("an event that no tool can send")
    return Event(kind, packet.body[:length], packet.body[length:], shape)


class Returned(NamedTuple):
    """A result, as JSON: `content` where it is MCP content blocks, `beside` what it has beside it, as an object, or
    empty; `items` how many were sent before, where that is all of the result."""

    data: bytes
    content: bool
    beside: bytes
    items: int | None


def result_packet(result: Returned) -> Packet:
    """Raises EventTooLarge for what is neither sent nor kept."""
    body = result.data + result.beside
    check_size("A result", len(body))
    fields = {"content": result.content, "data": len(result.data), "items": result.items}
    return Packet(PacketKind.RESULT, fields, body)


def result_of(packet: Packet) -> Returned:
    """Raises PacketError."""
    items = None if packet.fields.get("items") is None else packet.number("items")
    length = packet.number("data")
    if not 0 < length <= len(packet.body) or b"\n" in packet.body:
        raise PacketError("a result that is not one line of JSON")
    return Returned(packet.body[:length], packet.fields.get("content") is True, packet.body[length:], items)


def check_size(what: str, size: int) -> None:
    """Raises EventTooLarge for what no packet can carry."""
    if size > MAX_BODY_BYTES:
        raise too_large(what, size, MAX_BODY_BYTES)


class RelayedError(McpAppError):
    """An error that another process made for the caller of a run: it is sent as it is."""

    def __init__(self, sent: Mapping[str, Any], error_kind: ErrorKind) -> None:
        super().__init__(sent["message"], hint=sent.get("hint", ""), error_id=sent.get("error_id"))
        self._sent = dict(sent)
        self._error_kind = error_kind

    @property
    def code(self) -> str:  # type: ignore[override]
        code: str = self._sent["code"]
        return code

    @property
    def error_kind(self) -> ErrorKind:  # type: ignore[override]
        return self._error_kind

    status = 500
    """As it ends a run, the dialects derive the status of an answer from its code."""

    def object(self) -> dict[str, Any]:
        return self._sent


class RelayedToolError(RelayedError, ToolError):  # type: ignore[override]
    """One that an author raised, for whoever called the tool to catch as such."""


def error_packet(error: McpAppError) -> Packet:
    return Packet(PacketKind.ERROR, error_fields(error), encode(error.object()))


def error_of(packet: Packet) -> RelayedError:
    """Raises PacketError."""
    if b"\n" in packet.body:
        raise PacketError("an error of several lines")
    return relayed(packet.value(), packet.fields)


def error_fields(error: McpAppError) -> dict[str, Any]:
    """What is said of an error beside its object."""
    return {"kind": error.error_kind.name, "of_author": isinstance(error, ToolError)}


def relayed(sent: Any, fields: Mapping[str, Any]) -> RelayedError:
    """The error of an object and what was said beside it. Raises PacketError."""
    kind = next((each for each in ErrorKind if each.name == fields.get("kind")), None)
    texts = (sent.get("code"), sent.get("message")) if isinstance(sent, dict) else (None,)
    if kind is None or not all(isinstance(text, str) for text in texts):
        raise PacketError("an error that is none")
    return (RelayedToolError if fields.get("of_author") is True else RelayedError)(sent, kind)


class KeptThere(Exception):
    """What was asked of the other side raised what only that side knows, and keeps."""


def failure(error: BaseException) -> dict[str, Any]:
    """What a request over the wire ended with, where both sides know what it means; else that it failed."""
    if isinstance(error, Declined):
        return {"failed": "declined", "action": error.action, "message": error.message}
    if isinstance(error, NoAnswer):
        return {"failed": "no_answer", "message": error.message, "hint": error.hint}
    if isinstance(error, ValueError):
        return {"failed": "invalid", "message": str(error)}
    return {"failed": "kept"}


def failure_of(sent: Any) -> Exception:
    """The error to raise where the request was made."""
    match sent:
        case {"failed": "declined", "action": "decline" | "cancel" as action, "message": str(message)}:
            return Declined(action, message)
        case {"failed": "no_answer", "message": str(message), "hint": str(hint)}:
            return NoAnswer(message, hint=hint)
        case {"failed": "invalid", "message": str(message)}:
            return ValueError(message)
        case _:
            return KeptThere("it failed on the other side")
