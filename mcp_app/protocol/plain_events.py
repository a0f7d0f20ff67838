"""The plain dialect's events: one line of JSON, one frame of a stream, or a complete run as one JSON object.

    data: {"type":"progress","data":{…},"metadata":{…}}

What callers send is in plain.py. No run is known here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .beside import NAME as BESIDE
from .caller_errors import CREDENTIALS_ENDED
from .errors import McpAppError
from .event import LINKS, Entry, Event, EventType, Shape, decode, encode
from .event_id import EventId
from .http import sse

_VALUE_NAME = {EventType.STARTED: b"tool", EventType.ERROR: b"error"}
WORDS = {
    kind: (EventType.PROGRESS if kind in (EventType.PARTIAL, EventType.STEP) else kind).value for kind in EventType
}
"""The `type` of each kind of event: to a person who watches, a part is progress."""

_PREFIX = {
    kind: b'{"type":"%s","%s":' % (word.encode(), _VALUE_NAME.get(kind, b"data")) for kind, word in WORDS.items()
}

HEARTBEAT_EVENT = sse.frame(b'{"type":"heartbeat"}')
"""The heartbeat of `heartbeat=event`: visible to scripts. It has no id, as there is nothing to resume after it."""


_VALUE = Shape.VALUE  # looked up once: an enum's attribute access is slow


def addressed(event: Event, url: Callable[[], str]) -> Event:
    """The event with the `url` of each result that it links to; `url()`, that of its run, ends with the run's id."""
    links = event.shape is not _VALUE and event.shape in LINKS
    if not links and not event.beside:
        return event
    data, metadata, run_url = event.data, event.metadata, url()
    if links:
        data = encode(_addressed(decode(data), run_url))
    if event.beside:
        said = decode(metadata)
        if "content" in said[BESIDE]:
            said[BESIDE]["content"] = _addressed(said[BESIDE]["content"], run_url)
            metadata = encode(said)
    return Event(event.type, data, metadata, event.shape, beside=event.beside)


def _addressed(blocks: list[dict[str, Any]], run_url: str) -> list[dict[str, Any]]:
    own = f"run://{run_url.rpartition('/')[2]}/"
    for block in blocks:
        uri = block.get("uri", "")
        if block["type"] == "resource_link" and uri.startswith(own):
            block["url"] = f"{run_url}/{uri.removeprefix(own)}"
    return blocks


def event_json(event: Event) -> bytes:
    """The event as one line of JSON: `type`, its value, then `metadata` if there is any."""
    if event.metadata:
        return b'%s%s,"metadata":%s}' % (_PREFIX[event.type], event.data, event.metadata)
    return b"%s%s}" % (_PREFIX[event.type], event.data)


# Templates for frame(), one for each event type; the run, the number and the JSON (one line) are filled in.
_ID = {kind: "%b/0%d" if Event(kind, b"").last else "%b/%d" for kind in EventType}  # as EventId writes them
_FRAME = {kind: sse.frame(b"%b%%b}" % prefix, id=_ID[kind]) for kind, prefix in _PREFIX.items()}
_FRAME_WITH_METADATA = {
    kind: sse.frame(b'%b%%b,"metadata":%%b}' % prefix, id=_ID[kind]) for kind, prefix in _PREFIX.items()
}


def frame(run: bytes, entry: Entry, retry_ms: int | None = None) -> bytes:
    """The entry as one frame of an event stream (WHATWG HTML 9.2.5). No `event:` field, so that `onmessage` gets it.

    `run` is a run id: hexadecimal digits.
    """
    event = entry.event
    if retry_ms is not None:
        id_ = EventId(run.decode(), entry.number, event.last)
        return sse.frame(event_json(event), id=str(id_), retry=retry_ms)
    if event.metadata:
        return _FRAME_WITH_METADATA[event.type] % (run, entry.number, event.data, event.metadata)
    return _FRAME[event.type] % (run, entry.number, event.data)


def error_frame(error: McpAppError, after: EventId) -> bytes:
    """The last event of a stream that ends without its run's, after the event `after`. Nothing follows its id, unless
    who comes back with other credentials may go on: then it has the id before, or none."""
    event = Event(EventType.ERROR, encode(error.object()))
    if isinstance(error, CREDENTIALS_ENDED):
        return sse.frame(event_json(event), id=str(after) if after.number else None)
    return sse.frame(event_json(event), id=str(after._replace(last=True)))


def json_answer(tool: str, end: Event, progress: Sequence[Event], metadata: dict[str, Any]) -> bytes:
    """A complete run as one JSON object: its last event with `tool` and `progress` added.

    `metadata` is merged with the last event's own, which takes precedence.
    """
    merged = {**metadata, **(decode(end.metadata) if end.metadata else {})}
    return b'{"type":"%s","tool":%s,"%s":%s,"progress":[%s],"metadata":%s}' % (
        end.type.value.encode(),
        encode(tool),
        _VALUE_NAME.get(end.type, b"data"),
        end.data,
        b",".join(map(event_json, progress)),
        encode(merged),
    )
