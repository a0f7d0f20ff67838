"""The events of a run, in no dialect: `Event` is encoded JSON, `Entry` is an event with its position in the log.

Values are encoded here, once, at the time of the event: after that everything is bytes that can be counted, stored and
written. Events are not rendered for the wire here (the dialects do that), and nothing is validated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Any, Literal, get_args

from pydantic_core import PydanticSerializationError, from_json, to_json

from .error_kind import ErrorKind

MAX_EVENT_BYTES = 1024 * 1024
"""The default of MCP_APP_MAX_EVENT_BYTES. It bounds the bytes that one entry adds to a full window (which has the same
size), and is what a page or an agent can be expected to parse in one piece. A larger result is linked: linked.py."""


Level = Literal["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
"""The severity of a log line: RFC 5424, 6.2.1, spelled as in MCP."""

LEVELS: tuple[Level, ...] = get_args(Level)
"""Least severe first."""


class EventType(StrEnum):
    """The tutorial's types; `restarted`, after which the function works from its beginning again, as the process that
    worked on it is gone; `log`, `partial` and `step` (both sent as `progress` by the plain dialect), and three for MCP
    clients only: `ask`, a request to the caller; `input_required`, the end of a run that the caller retries with
    answers; and `let_go`, the end of a stream whose run continues. A `step` is a `partial` of a tool that this one
    called: its data is no part of this one's result."""

    STARTED = "started"
    RESTARTED = "restarted"
    PROGRESS = "progress"
    PARTIAL = "partial"
    STEP = "step"
    LOG = "log"
    ASK = "ask"
    LET_GO = "let_go"
    COMPLETE = "complete"
    INPUT_REQUIRED = "input_required"
    ERROR = "error"


class Shape(Enum):
    """The kind of data in `partial` and `complete`. It cannot be inferred from the JSON: a tool's own value may have
    any form."""

    VALUE = auto()
    """The tool's own value."""
    CONTENT = auto()
    """A list of MCP content blocks."""
    PARTS = auto()
    """Null: the result is the parts that have been streamed."""
    LINK = auto()
    """A list of one MCP content block, a link to the tool's own value, which is kept with the run."""
    LINKED = auto()
    """A list of MCP content blocks, some of which link to what is kept with the run."""
    PRIVATE = auto()
    """Between a tool and its MCP client: a question has an id that this client alone may answer."""


# Tuples, which compare by identity: a set would call a hash written in Python.
LINKS = (Shape.LINK, Shape.LINKED)
BLOCKS = (Shape.CONTENT, *LINKS)


@dataclass(slots=True, init=False)
class Event:
    """One event of a run. Immutable by convention: creating a frozen dataclass takes three times as long.

    `data` is one encoded JSON value: the tool's name for `started`, the error object for `error`, else the event's
    data. `metadata` is an encoded JSON object, or empty. `shape` is the kind of a tool's data, `error_kind` that of an
    error; it is None for all other events. `beside`: the metadata has what a result has beside its data (beside.py).
    """

    type: EventType
    data: bytes
    metadata: bytes
    shape: Shape
    error_kind: ErrorKind | None
    beside: bool
    size: int
    """The event's size in bytes, for the window, the log's limit and MCP_APP_MAX_EVENT_BYTES."""

    def __init__(
        self,
        type: EventType,  # noqa: A002 - the field's name
        data: bytes,
        metadata: bytes = b"",
        shape: Shape = Shape.VALUE,
        error_kind: ErrorKind | None = None,
        beside: bool = False,
    ) -> None:
        self.type = type
        self.data = data
        self.metadata = metadata
        self.shape = shape
        self.error_kind = error_kind
        self.beside = beside
        self.size = len(data) + len(metadata)

    @property
    def last(self) -> bool:
        """Whether this event ends its stream."""
        kind = self.type
        return kind is _COMPLETE or kind is _ERROR or kind is _INPUT_REQUIRED


# Looked up once: an enum's attribute access is slow, and a set of its members would call a hash written in Python.
_COMPLETE, _INPUT_REQUIRED, _ERROR = EventType.COMPLETE, EventType.INPUT_REQUIRED, EventType.ERROR


@dataclass(slots=True)
class Entry:
    """One numbered line of the event log: `number` counts from 1 without gaps. Immutable by convention, like `Event`.

    `end` is the total size in bytes of all entries up to and including this one: the difference of two ends is how far
    a reader is behind.
    """

    number: int
    event: Event
    end: int


class NotJson(ValueError):
    """A value cannot be serialised as JSON. The message says why, and the type at fault, not the value."""

    @classmethod
    def of(cls, value: Any, error: Exception) -> NotJson:
        found = _at_fault(value)
        reason = str(error).removeprefix("Error serializing to JSON: ")
        named = "" if "<class" in reason else f", in a value of type {type(found).__qualname__}"
        return cls(f"not serialisable as JSON: {reason}{named}")


_MAX_STEPS = 200  # as deep as to_json goes; a value may hold itself


def _at_fault(value: Any) -> Any:
    """The innermost value in dicts, lists, tuples and sets that cannot be serialised by itself."""
    for _ in range(_MAX_STEPS):
        inner = [*value, *value.values()] if isinstance(value, dict) else value
        if not isinstance(inner, list | tuple | set | frozenset):
            break
        wrong = [each for each in inner if not _is_json(each)]
        if not wrong:
            break
        value = wrong[0]
    return value


def _is_json(value: Any) -> bool:
    try:
        to_json(value, inf_nan_mode="null")
    except (PydanticSerializationError, UnicodeError, RecursionError):
        return False
    return True


def number(value: float) -> float | int:
    """The number without a redundant fraction: 15 for 15.0. 1e300 stays a float, as it would have 301 digits."""
    return int(value) if abs(value) < 2**53 and value == int(value) else value


def normalised(value: Any) -> Any:
    """The JSON value with each number in one notation: 1 for 1.0."""
    if isinstance(value, dict):
        return {name: normalised(each) for name, each in value.items()}
    if isinstance(value, list):
        return [normalised(each) for each in value]
    return number(value) if isinstance(value, float) else value


def encode(value: Any) -> bytes:
    """Encode `value`, anything that pydantic can serialise, as one line of JSON (RFC 8259), whoever splits lines.

    NaN and the infinities, which JSON lacks, become null, as in JSON.stringify.

    Raises NotJson when the value cannot be serialised; the message names the type at fault.
    """
    try:
        data = to_json(value, inf_nan_mode="null")
    except (PydanticSerializationError, UnicodeError, RecursionError) as error:
        raise NotJson.of(value, error) from error
    return data if data.isascii() else escape_line_ends(data)  # 0.05 µs where there is nothing to escape


_SURROGATE = re.compile("[\ud800-\udfff]")


def sendable_text(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair: os.fsdecode makes one of a byte in a file's name."""
    return _SURROGATE.sub("\ufffd", text)


def encode_message(line: Mapping[str, Any]) -> bytes:
    """Encode an object whose `message` is for people: a name of a file in it must not end the run. Raises NotJson."""
    try:
        data = to_json(line, inf_nan_mode="null")  # as encode() does, which would be one call more for each event
    except (PydanticSerializationError, UnicodeError, RecursionError):
        message = line["message"]
        return encode({**line, "message": sendable_text(message)} if isinstance(message, str) else line)
    return data if data.isascii() else escape_line_ends(data)


_UNICODE_LINE_ENDS = {each.encode(): b"\\u%04x" % ord(each) for each in "\u0085\u2028\u2029"}


def escape_line_ends(data: bytes) -> bytes:
    """The same JSON without the line ends that only Unicode knows, which JSON leaves as they are.

    Event streams and JSON have other line ends, but clients that split text by `str.splitlines` (httpx, requests) cut
    an event there. In JSON they stand in strings only, where the escape is the same character (RFC 8259, 7).
    """
    for raw, escape in _UNICODE_LINE_ENDS.items():
        # One byte is found by memchr, in 0.03 ms a MiB; three take 0.8 ms, longer than it takes to make the JSON.
        if raw[-1:] in data and raw in data:
            data = data.replace(raw, escape)
    return data


def decode(data: bytes) -> Any:
    """Decode what `encode` wrote. Only for our own JSON: JSON from clients is parsed by strict_json."""
    try:
        return from_json(data)
    except ValueError:  # from_json stops at 200 levels of nesting, `encode` allows more
        return json.loads(data)
