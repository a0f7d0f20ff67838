"""The plain dialect's formats: the tutorial's request body, the query of a GET, and the events.

    POST  {"tool": "scan_domain", "params": {"domain": "example.com"}}
    GET   ?tool=scan_domain&domain=example.com&run=KEY
    data: {"type":"progress","data":{…},"metadata":{…}}

A tool's parameters are not validated here (the tool validates them against its schema), and no run is started.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .beside import NAME as BESIDE
from .errors import InvalidRequest, McpAppError
from .event import LINKS, Entry, Event, EventType, Shape, decode, encode, normalised
from .event_id import EventId
from .http import sse, strict_json
from .problems import problems

RESERVED = frozenset({"tool", "run", "heartbeat", "heartbeat_seconds", "cap_seconds", "params"})
"""Names in a GET query that belong to the dialect: a read-only tool must not have a parameter of such a name."""

KEY = re.compile(r"[A-Za-z0-9_-]{16,128}", re.ASCII)
"""A run key, chosen by the caller: 16 characters of this alphabet are 96 bits, too many to guess or to collide."""

_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)  # float() accepts more: 1_0, nan, spaces
_MAX_QUERY_FIELDS = 1000  # far more than a form has; parse_qsl itself is linear

_QUERY_HINT = "GET ?tool=NAME&run=KEY&param=value…; objects go into params= as JSON."

_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


_Model = TypeVar("_Model", bound=BaseModel)


class StartBody(BaseModel):
    """The part of a body that starts a run. Strict: unknown names and numbers in strings are rejected."""

    # defer_build: the model is built at the first call in this dialect; MCP clients never make one.
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)

    tool: str
    params: dict[str, Any] = Field(default_factory=dict)
    cap_seconds: _Seconds | None = None


class CallBody(StartBody):
    """A call of one tool: what starts the run, and how it is answered."""

    stream: bool = True
    heartbeat: Literal["comment", "event"] = "comment"
    heartbeat_seconds: _Seconds | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """The query of a GET, with the same fields as a body. `key` is the run key, `texts` the unconverted parameters."""

    tool: str | None = None
    key: str | None = None
    heartbeat: Literal["comment", "event"] = "comment"
    heartbeat_seconds: float | None = None
    cap_seconds: float | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)

    @property
    def identity(self) -> dict[str, str]:
        """All parameters as texts, sorted by name: two queries with equal identities are the same call, whether a
        parameter stood in `params` or in the query itself. The validated arguments are not part of it: they can be
        any object, and secret."""
        texts_by_name = {
            name: value if isinstance(value, str) else encode(normalised(value)).decode()
            for name, value in self.params.items()
        }
        for name, texts in self.texts.items():
            texts_by_name[name] = texts[0] if len(texts) == 1 else encode(texts).decode()
        return dict(sorted(texts_by_name.items()))


def parse_call(body: bytes) -> CallBody:
    """Parse the body of a POST. Raises InvalidRequest, which names the field and what is expected there."""
    return _parsed(body, CallBody)


def parse_start(body: bytes) -> StartBody:
    """The same for a detached run, which has no options for the answer. Raises InvalidRequest."""
    return _parsed(body, StartBody)


def _parsed(body: bytes, model: type[_Model]) -> _Model:
    value = strict_json.loads(body)
    if not isinstance(value, dict):
        raise InvalidRequest("The body is not a JSON object.")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        details = problems(error)
        raise InvalidRequest(_first_problem(details), details=details) from None


def parse_query(query: bytes) -> Query:
    """Parse the query of a GET (percent-encoded UTF-8): a call, or a run to resume.

    Raises InvalidRequest, which names the field and what is expected there.
    """
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_QUERY_FIELDS
        )
    except (UnicodeDecodeError, ValueError):
        raise InvalidRequest(
            f"The query is not percent-encoded UTF-8 of at most {_MAX_QUERY_FIELDS} fields.", hint=_QUERY_HINT
        ) from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    reserved = {name: _single(name, fields.pop(name)) for name in list(fields) if name in RESERVED}
    params = _params(reserved.get("params"))
    for name in fields:
        if name in params:
            raise InvalidRequest(
                f"The parameter {json.dumps(name)} stands in params and in the query.", hint=_QUERY_HINT
            )
    return Query(
        tool=reserved.get("tool"),
        key=_key(reserved.get("run")),
        heartbeat=_heartbeat(reserved.get("heartbeat")),
        heartbeat_seconds=_seconds("heartbeat_seconds", reserved.get("heartbeat_seconds")),
        cap_seconds=_seconds("cap_seconds", reserved.get("cap_seconds")),
        params=params,
        texts=fields,
    )


def _single(name: str, values: Sequence[str]) -> str:
    if len(values) > 1:
        raise InvalidRequest(f"{name} stands {len(values)} times in the query.", hint=_QUERY_HINT)
    return values[0]


def _key(text: str | None) -> str | None:
    if text is not None and not KEY.fullmatch(text):
        raise InvalidRequest("run is not a key: 16 to 128 characters of A-Z, a-z, 0-9, _ and -.", hint=_QUERY_HINT)
    return text


def _heartbeat(text: str | None) -> Literal["comment", "event"]:
    match text:
        case None | "comment":
            return "comment"
        case "event":
            return "event"
        case _:
            raise InvalidRequest('heartbeat is neither "comment" nor "event".', hint=_QUERY_HINT)


def _seconds(name: str, text: str | None) -> float | None:
    if text is None:
        return None
    seconds = float(text) if _DECIMAL.fullmatch(text) else 0.0
    if seconds == 0:
        raise InvalidRequest(f"{name} is not a positive number of seconds.", hint=_QUERY_HINT)
    return seconds


def _params(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    value = strict_json.loads(text.encode(), "params")
    if not isinstance(value, dict):
        raise InvalidRequest("params is not a JSON object.", hint=_QUERY_HINT)
    return value


def _first_problem(details: Sequence[dict[str, str]]) -> str:
    return f"{details[0]['field'] or 'body'}: {details[0]['problem']}."


# --- the wire --------------------------------------------------------------------------------------------------------

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
    """The last event of a stream that ends without its run's, after the event `after`. Nothing follows its id."""
    event = Event(EventType.ERROR, encode(error.object()))
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
