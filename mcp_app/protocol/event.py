"""What a run says, in no dialect yet: an `Event` of encoded JSON, and an `Entry`, the event with its place in the log.

Values are encoded here, once, when they happen: from here on everything is bytes that can be counted, stored and
written. No event is rendered for a wire here (that is the dialects' work), and nothing is validated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Any, Literal, get_args

from pydantic_core import PydanticSerializationError, from_json, to_json

from .error_kind import ErrorKind

MAX_EVENT_BYTES = 1024 * 1024
"""An event larger than this ends its run with `event_too_large`. It bounds what one entry adds to a full window
(which is as large), and is what a page or an agent can be expected to parse in one piece."""


Level = Literal["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
"""Of a log line: RFC 5424, 6.2.1, as MCP has them."""

LEVELS: tuple[Level, ...] = get_args(Level)
"""Least severe first."""


class EventType(StrEnum):
    """The tutorial's words, `log`, `partial` (which the plain dialect calls `progress`, too), and three that are only
    for MCP clients: a question to the caller, questions as the end of a run that is to be started again with the
    answers, and the end of a stream before that of its run."""

    STARTED = "started"
    PROGRESS = "progress"
    PARTIAL = "partial"
    LOG = "log"
    ASK = "ask"
    LET_GO = "let_go"
    COMPLETE = "complete"
    INPUT_REQUIRED = "input_required"
    ERROR = "error"


class Shape(Enum):
    """What the data of `partial` and `complete` is. The JSON does not tell: a tool's own value may look like any."""

    VALUE = auto()
    """A value of the tool's own."""
    CONTENT = auto()
    """A list of MCP's content blocks."""
    PARTS = auto()
    """Null: the result is the parts that were streamed before."""


@dataclass(slots=True, init=False)
class Event:
    """One thing that happened in a run. Nobody changes it; it is not frozen only because that is three times as dear.

    `data` is one encoded JSON value: the tool's name for `started`, the error object for `error`, else the event's
    data. `metadata` is an encoded JSON object, or empty when there is none. `shape` says what a tool's data is,
    `error_kind` whose an error is; it is None for what is no error.
    """

    type: EventType
    data: bytes
    metadata: bytes
    shape: Shape
    error_kind: ErrorKind | None
    size: int
    """Bytes that this event counts against a window, a log's bound and `MAX_EVENT_BYTES`."""

    def __init__(
        self,
        type: EventType,  # noqa: A002 - the field's name
        data: bytes,
        metadata: bytes = b"",
        shape: Shape = Shape.VALUE,
        error_kind: ErrorKind | None = None,
    ) -> None:
        self.type = type
        self.data = data
        self.metadata = metadata
        self.shape = shape
        self.error_kind = error_kind
        self.size = len(data) + len(metadata)

    @property
    def last(self) -> bool:
        """Whether a stream ends with this event."""
        kind = self.type
        return kind is _COMPLETE or kind is _ERROR or kind is _INPUT_REQUIRED


# Looked up once: an enum's metaclass does it slowly, and its hash, for a set of them, is written in Python.
_COMPLETE, _INPUT_REQUIRED, _ERROR = EventType.COMPLETE, EventType.INPUT_REQUIRED, EventType.ERROR


@dataclass(slots=True)
class Entry:
    """One numbered line of the event log: `number` counts from 1 without holes. Nobody changes it either.

    `end` is the sum of the sizes of all entries up to and with this one, in bytes: the difference of two of them is
    how far a reader is behind.
    """

    number: int
    event: Event
    end: int


def number(value: float) -> float | int:
    """The same number as people write it: 15, not 15.0; 1e300 stays, which in digits would be 301 of them."""
    return int(value) if abs(value) < 2**53 and value == int(value) else value


def encode(value: Any) -> bytes:
    """One line of JSON (RFC 8259) for `value`: anything that pydantic can serialise.

    NaN and the infinities, which JSON does not have, become null, as in a browser's JSON.stringify.

    Raises ValueError when the value cannot be serialised; the message names the type at fault.
    """
    try:
        return to_json(value, inf_nan_mode="null")
    except (PydanticSerializationError, UnicodeError, RecursionError) as error:
        raise ValueError(f"not serialisable as JSON: {error}") from error


def decode(data: bytes) -> Any:
    """The value that `encode` wrote as `data`, for nothing else: a stranger's JSON is strict_json's."""
    try:
        return from_json(data)
    except ValueError:  # it goes 200 levels deep, and `encode` some more
        return json.loads(data)
