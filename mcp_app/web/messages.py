"""One HTTP exchange as plain values: the endpoint's argument and its return value.

Neither Quart nor ASGI is known here: the lane and the blueprint's view make a `Request` and write an `Answer`, and so
could anything else that speaks HTTP.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from ..protocol.access import ANONYMOUS, Access
from ..protocol.errors import McpAppError, UnsupportedMediaType
from ..protocol.event import encode
from ..protocol.payer import NOBODY, Payer

if TYPE_CHECKING:
    from .charging import StreamPlace
    from .frames import Frames

JSON = "application/json"

NOT_A_PAGE = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
"""Of what is data, errors too: opened in a browser it loads and runs nothing, and no page may frame it."""

_JSON_HEADERS = (
    ("Content-Type", JSON),
    ("Cache-Control", "no-store"),  # RFC 9111, 5.2.2.5: the state of a run is outdated at once
    ("X-Content-Type-Options", "nosniff"),
    NOT_A_PAGE,
)

STREAM_HEADERS = (
    ("Content-Type", "text/event-stream"),
    # no-transform: a proxy that compresses also buffers (RFC 9111, 5.2.2.6).
    ("Cache-Control", "no-cache, no-transform"),
    ("X-Accel-Buffering", "no"),  # nginx: forward each write at once
    ("X-Content-Type-Options", "nosniff"),
)

WAITING_JSON_HEADERS = (
    ("Content-Type", JSON),
    ("Cache-Control", "no-store, no-transform"),
    ("X-Accel-Buffering", "no"),
    ("X-Content-Type-Options", "nosniff"),
    NOT_A_PAGE,
)
"""Those of a JSON body that is sent as a stream, whose first bytes come before its value is there."""


@dataclass(slots=True)
class Request:
    """A request whose body has been read. What stands before the handlers (mcp_app/access_control.py) fills in who
    calls, from where, and who pays, and takes out the query's ticket and credentials that must not count; after that
    nothing modifies it. A frozen dataclass would cost three times as much.

    `headers` has names in lower case, and the values of a repeated field joined by ", " (RFC 9110, 5.3). `server` is
    the local address of the connection, which the peer cannot choose; its port is 0 if there is none. `root_path` is
    what stood before `path` in the target (ASGI), decoded. `certificate` is the client's own, as text (PEM), where TLS
    has verified one. `access` is who calls: runs, sessions, tasks and states are found again by its principal. `payer`
    is who is charged for it, and `place` what its stream takes, where callers are limited.
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
    root_path: str = ""
    certificate: str | None = None
    access: Access = ANONYMOUS
    payer: Payer = NOBODY
    place: StreamPlace | None = None

    @property
    def principal(self) -> str:
        """Who calls."""
        return self.access.principal

    @property
    def url(self) -> str:
        """The URL that was asked for, by the Host field."""
        query = f"?{self.query.decode('latin-1')}" if self.query else ""
        return f"{self.scheme}://{self.headers.get('host', '')}{quote(self.root_path + self.path)}{query}"


@dataclass(slots=True)
class Answer:
    """A status, header fields, and a body: bytes, or a stream of frames."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | Frames = b""


Respond = Callable[[Request, McpAppError | None], Awaitable[Answer]]
"""What both ways in know of the server: `Endpoint.answer`. The error is why the request's body could not be read."""

NO_CONTENT = Answer(204, (("Cache-Control", "no-store"),))
"""The only answer after which an EventSource does not reconnect (WHATWG HTML 9.2.3)."""


def json_answer(status: int, body: bytes, *headers: tuple[str, str]) -> Answer:
    """A JSON answer that caches must not store."""
    return Answer(status, (*_JSON_HEADERS, *headers), body)


def error_answer(error: McpAppError) -> Answer:
    """An error as a JSON answer, with its status and its header fields."""
    body = b'{"type":"error","error":%s}' % encode(error.object())
    return json_answer(error.status, body, *error.headers.items())


def check_content_type(request: Request) -> None:
    """Raises UnsupportedMediaType unless the Content-Type is JSON, which a form of another site cannot send."""
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != JSON:
        problem = f"The Content-Type is {content_type[:100]!r}, not {JSON}."
        raise UnsupportedMediaType(problem if content_type else f"There is no Content-Type; it is {JSON}.")
