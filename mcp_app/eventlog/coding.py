"""Entries and records as bytes, for logs that write them down. Nothing is stored, encrypted or validated here.

Both begin with their format. What a newer release has written is not guessed at: it raises LogUnavailable, as the
release that knows it shares the log and can answer.
"""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from dataclasses import asdict
from typing import Any

from ..protocol.error_kind import ErrorKind
from ..protocol.errors import LogUnavailable
from ..protocol.event import Event, EventType, Shape, decode, encode
from .records import RECORD_FORMAT, RunRecord

EVENT_FORMAT = 1
"""The format of events that this release writes; it reads this one and the one before."""

# What each byte means belongs to the format: a line may be added, none may change.
_TYPES = {
    1: EventType.STARTED,
    2: EventType.PROGRESS,
    3: EventType.PARTIAL,
    4: EventType.STEP,
    5: EventType.LOG,
    6: EventType.ASK,
    7: EventType.LET_GO,
    8: EventType.COMPLETE,
    9: EventType.INPUT_REQUIRED,
    10: EventType.ERROR,
    11: EventType.RESTARTED,
}
_SHAPES = {
    1: Shape.VALUE,
    2: Shape.CONTENT,
    3: Shape.PARTS,
    4: Shape.LINK,
    5: Shape.LINKED,
    6: Shape.PRIVATE,
}
_ERROR_KINDS = {
    0: None,
    1: ErrorKind.SERVER,
    2: ErrorKind.TOOL,
    3: ErrorKind.MISSING_CAPABILITY,
    4: ErrorKind.URL_REQUIRED,
    5: ErrorKind.UNKNOWN_RESOURCE,
}
_BYTE_OF_TYPE = {kind: byte for byte, kind in _TYPES.items()}
_BYTE_OF_SHAPE = {kind: byte for byte, kind in _SHAPES.items()}
_BYTE_OF_ERROR_KIND = {kind: byte for byte, kind in _ERROR_KINDS.items()}

_HEAD = struct.Struct("!BBBB?I")
"""Format, type, shape, kind of error, whether something is beside the result, and the bytes of the metadata, which
come next. The rest is the data."""

_BYTES = ("digest", "arguments", "extra")
"""The fields of a record that are bytes: in JSON they are Base64."""


def encode_event(event: Event) -> bytes:
    """The event in the format of this release: 9 bytes more than its size."""
    head = _HEAD.pack(
        EVENT_FORMAT,
        _BYTE_OF_TYPE[event.type],
        _BYTE_OF_SHAPE[event.shape],
        _BYTE_OF_ERROR_KIND[event.error_kind],
        event.beside,
        len(event.metadata),
    )
    return b"".join((head, event.metadata, event.data))


def decode_event(data: bytes) -> Event:
    """What `encode_event` wrote, here or in the release before. Raises LogUnavailable for a newer format, ValueError
    for what is no event."""
    if data[:1] > bytes([EVENT_FORMAT]):
        raise _newer()
    try:
        written, kind, shape, error_kind, beside, length = _HEAD.unpack_from(data)
        event = _TYPES[kind], _SHAPES[shape], _ERROR_KINDS[error_kind]
    except (struct.error, KeyError) as error:
        raise _unreadable("event", data) from error
    end = _HEAD.size + length
    if written != EVENT_FORMAT or end > len(data):
        raise _unreadable("event", data)
    return Event(event[0], data[end:], data[_HEAD.size : end], event[1], event[2], beside)


def encode_record(record: RunRecord) -> bytes:
    """The whole record, as one JSON object. A log that keeps the fields which change apart puts them back by
    `dataclasses.replace`."""
    fields = asdict(record)
    for name in _BYTES:
        if fields[name] is not None:
            fields[name] = b64encode(fields[name]).decode()
    return encode(fields)


def decode_record(data: bytes) -> RunRecord:
    """What `encode_record` wrote, here or in the release before. Raises LogUnavailable for a newer format, ValueError
    for what is no record."""
    fields: Any = decode(data)
    written = fields.get("format") if isinstance(fields, dict) else None
    if type(written) is int and written > RECORD_FORMAT:
        raise _newer()
    if type(written) is not int or written != RECORD_FORMAT:
        raise _unreadable("record of a run", data)
    try:
        for name in _BYTES:
            if fields[name] is not None:
                fields[name] = b64decode(fields[name], validate=True)
        return RunRecord(**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable("record of a run", data) from error


def _newer() -> LogUnavailable:
    return LogUnavailable(
        "A newer release of the server works on this run, and this process cannot read what it has written.",
        headers={"Retry-After": "1"},
    )


def _unreadable(what: str, data: bytes) -> ValueError:
    return ValueError(f"{len(data)} bytes that are no {what}")
