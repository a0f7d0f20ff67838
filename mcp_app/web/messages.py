"""One HTTP exchange as plain values: what the endpoint is given, and what it gives back.

Neither Quart nor ASGI is known here: the lane and the blueprint's view make a `Request` and write an `Answer`, and so
could anything else that speaks HTTP.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..protocol.errors import McpAppError, UnsupportedMediaType
from ..protocol.event import encode

if TYPE_CHECKING:
    from .frames import Frames

JSON = "application/json"

_JSON_HEADERS = (
    ("Content-Type", JSON),
    ("Cache-Control", "no-store"),  # RFC 9111, 5.2.2.5: an answer about a run is of its moment
    ("X-Content-Type-Options", "nosniff"),
)

STREAM_HEADERS = (
    ("Content-Type", "text/event-stream"),
    # no-transform: a proxy that compresses also buffers (RFC 9111, 5.2.2.6).
    ("Cache-Control", "no-cache, no-transform"),
    ("X-Accel-Buffering", "no"),  # nginx: pass each write on
    ("X-Content-Type-Options", "nosniff"),
)

PRINCIPAL = "anonymous"
"""Who calls, as long as nobody is asked for credentials."""


@dataclass(slots=True)
class Request:
    """A request whose body has been read. Nobody changes it: it is not frozen only because that is three times as dear.

    `headers` has names in lower case, and the values of a repeated field joined by ", " (RFC 9110, 5.3). `server` is
    the local address of the connection, which no peer can choose; its port is 0 where there is none.
    """

    method: str
    path: str
    query: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    peer: str = ""
    scheme: str = "http"
    server: tuple[str, int] = ("127.0.0.1", 80)
    http_version: str = "1.1"


@dataclass(slots=True)
class Answer:
    """A status, header fields, and a body: bytes, or frames that come one by one."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | Frames = b""


Respond = Callable[[Request, McpAppError | None], Awaitable[Answer]]
"""What both ways in know of the server: `Endpoint.answer`. The error is why the request's body could not be read."""

NO_CONTENT = Answer(204, (("Cache-Control", "no-store"),))
"""The one answer after which an EventSource does not come back (WHATWG HTML 9.2.3)."""


def json_answer(status: int, body: bytes, *headers: tuple[str, str]) -> Answer:
    """JSON that no cache may keep."""
    return Answer(status, (*_JSON_HEADERS, *headers), body)


def error_answer(error: McpAppError) -> Answer:
    """A refusal as JSON, with the status and the header fields that the error knows."""
    body = b'{"type":"error","error":%s}' % encode(error.object())
    return json_answer(error.status, body, *error.headers.items())


def check_content_type(request: Request) -> None:
    """Raises UnsupportedMediaType for a body that does not say it is JSON, which a form of another site cannot say."""
    given = request.headers.get("content-type", "")
    if given.partition(";")[0].strip().lower() != JSON:
        raise UnsupportedMediaType(
            f"The Content-Type is {given[:100]!r}, not {JSON}." if given else f"There is no Content-Type; it is {JSON}."
        )
