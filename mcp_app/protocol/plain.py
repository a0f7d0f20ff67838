"""What callers send in the plain dialect: the tutorial's request body, a tool's parameters, the query of a GET.

    POST  {"tool": "scan_domain", "params": {"domain": "example.com"}}
    POST  {"domain": "example.com"}, at the tool's own route
    GET   ?tool=scan_domain&domain=example.com&run=KEY

A tool's parameters are not validated here (the tool validates them against its schema), and no run is started. The
events are in plain_events.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import InvalidRequest
from .event import encode, normalised
from .http import strict_json
from .problems import problems

RESERVED = frozenset({"tool", "run", "heartbeat", "heartbeat_seconds", "cap_seconds", "params", "access_ticket"})
"""Names in a GET query that belong to the dialect: a read-only tool must not have a parameter of such a name."""

KEY = re.compile(r"[A-Za-z0-9_-]{16,128}", re.ASCII)
"""A run key, chosen by the caller: 16 characters of this alphabet are 96 bits, too many to guess or to collide."""

_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)  # float() accepts more: 1_0, nan, spaces
_MAX_QUERY_FIELDS = 1000  # far more than a form has; parse_qsl itself is linear

_QUERY_HINT = "GET ?tool=NAME&run=KEY&param=value…; objects go into params= as JSON."

_PARAMS_HINT = "Send the tool's parameters as one JSON object, without the tool's name: that is in the path."

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


def parse_params(body: bytes) -> dict[str, Any]:
    """Parse the body of a POST to a tool's own route: its parameters. An empty one is none. Raises InvalidRequest."""
    if not body:
        return {}
    try:
        value = strict_json.loads(body)
    except InvalidRequest as error:
        raise InvalidRequest(error.message, hint=_PARAMS_HINT) from None
    if not isinstance(value, dict):
        raise InvalidRequest("The body is not a JSON object.", hint=_PARAMS_HINT)
    return value


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
