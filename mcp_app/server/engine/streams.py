"""One request and its response, in place of Hypercorn's HTTPStream and StreamBuffer: ASGI messages become fewer events.

How an event is written to the connection belongs to HTTP/1.1 (`http1`) and HTTP/2 (`http2_sending`).

**The end of the body.** As released, the end of a body is a separate event: over HTTP/2 it becomes an empty DATA frame,
which another task sends while the application's task waits for it. Here the last bytes and the end are one event,
`FinalBody`. 0.90 x the CPU of an h2 echo; ten events 0.90.

**The start of the body** (HTTP/1.1). As released, head and body are written separately. An application that has its
first bytes ready sets BODY_FOLLOWS, and the head is held back until they arrive: both are one event, `HeadWithBody`.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import time

from hypercorn.protocol.events import Event, Response, StreamClosed
from hypercorn.protocol.h2 import BUFFER_HIGH_WATER, BUFFER_LOW_WATER, BufferCompleteError
from hypercorn.protocol.h2 import StreamBuffer as HypercornStreamBuffer
from hypercorn.protocol.http_stream import ASGIHTTPState, HTTPStream
from hypercorn.typing import ASGISendEvent, HTTPResponseStartEvent
from hypercorn.utils import build_and_validate_headers, suppress_body

from . import http1_lines

BODY_FOLLOWS = "mcp_app.body_follows"
"""A key of the message `http.response.start`: the next message is `http.response.body`, and is sent without awaiting
anything in between. web/asgi/answer.py sets it."""

_FIRST_FINAL_STATUS = 200
"""Lower statuses are of interim responses (RFC 9110, 15.2)."""

_LENGTH = b"content-length"


@dataclass(frozen=True)
class FinalBody(Event):
    """The last bytes of a body: a Body and its EndBody in one event."""

    data: bytes


@dataclass(frozen=True)
class ResponseHead(Event):
    """A Response, and its header fields as h11 would serialize them. `length` is the Content-Length, if there is
    one."""

    response: Response
    lines: bytes
    length: bytes | None


@dataclass(frozen=True)
class HeadWithBody(Event):
    """A response head and the first bytes of the body; `is_final` if they are the whole body."""

    head: ResponseHead
    data: bytes
    is_final: bool


class RequestStream(HTTPStream):
    """One request. The first and the last message of a response body are sent here, everything else by upstream."""

    _pending_head: ResponseHead | None = None
    """A head that is held back until its first body bytes arrive."""

    async def app_send(self, message: ASGISendEvent | None) -> None:
        """Send a message of the application; None when the application has returned."""
        if self._pending_head is not None:
            await self._send_deferred_head(self._pending_head, message)
        elif message is None:
            await super().app_send(None)
        elif self.state is ASGIHTTPState.REQUEST:
            if not self._defer_head(message):
                await super().app_send(message)
        elif self._is_final_body(message):
            await self.send(FinalBody(self.stream_id, bytes(message["body"])))  # type: ignore[typeddict-item]
            self.state = ASGIHTTPState.CLOSED
            await self._log_and_close()
        else:
            await super().app_send(message)

    def _defer_head(self, message: ASGISendEvent) -> bool:
        """Hold the head back until its body arrives; False if it cannot be. Raises what upstream raises for an invalid
        head."""
        if (
            message["type"] != "http.response.start"
            or BODY_FOLLOWS not in message
            or self.scope["http_version"] != "1.1"
            or (head := _plain_head(self.stream_id, message)) is None
        ):
            return False
        self.response = message
        self._pending_head = head
        return True

    async def _send_deferred_head(self, head: ResponseHead, message: ASGISendEvent | None) -> None:
        self._pending_head = None
        if (
            message is None
            or message["type"] != "http.response.body"
            or not message.get("body")
            or suppress_body(self.scope["method"], head.response.status_code)
        ):
            await super().app_send(self.response)
            await super().app_send(message)
            return
        is_final = not message.get("more_body", False)
        self.state = ASGIHTTPState.RESPONSE
        await self.send(HeadWithBody(self.stream_id, head, bytes(message["body"]), is_final))
        if is_final:
            self.state = ASGIHTTPState.CLOSED
            await self._log_and_close()

    def _is_final_body(self, message: ASGISendEvent) -> bool:
        return (
            message["type"] == "http.response.body"
            and not message.get("more_body", False)
            and bool(message.get("body"))
            and self.state is ASGIHTTPState.RESPONSE
            and not self.response.get("trailers", False)
            and not suppress_body(self.scope["method"], int(self.response["status"]))
        )

    async def _log_and_close(self) -> None:
        await self.config.log.access(self.scope, self.response, time() - self.start_time)
        await self.send(StreamClosed(self.stream_id))


def _plain_head(stream_id: int, message: HTTPResponseStartEvent) -> ResponseHead | None:
    """The head of a final response that h11 would serialize unchanged; None for any other."""
    fields = build_and_validate_headers(message.get("headers", []))
    status = int(message["status"])
    if status < _FIRST_FINAL_STATUS or not http1_lines.are_sent_unchanged(tuple([name for name, _ in fields])):
        return None
    length = next((value for name, value in fields if name.lower() == _LENGTH), None)
    return ResponseHead(stream_id, Response(stream_id, fields, status), http1_lines.serialize_fields(fields), length)


class StreamBuffer(HypercornStreamBuffer):
    """The unsent bytes of an HTTP/2 stream. Backpressure: a client that stops reading suspends its application.

    As released, `pop` wakes a waiting `push` whenever few bytes were *popped*; with a closed flow-control window that
    is always the case, and the server buffers everything: 1.07 GB within 2 s
    (https://github.com/davidbrochart/anycorn/pull/61, in a fork). Here `push` waits until the *buffer* is below the
    low-water mark.
    """

    is_abandoned = False
    """The application has returned without ending the body: no more data will be pushed."""

    async def push(self, data: bytes) -> None:
        """Append `data`, then wait while the buffer is full. Raises BufferCompleteError after the end, as upstream."""
        if self._complete:
            raise BufferCompleteError
        self.buffer.extend(data)
        await self._is_empty.clear()
        if len(self.buffer) >= BUFFER_HIGH_WATER:
            # Cleared before the wait: a flag left set by an earlier pop would let one more push of any size through.
            await self._paused.clear()
            await self._paused.wait()

    async def pop(self, max_length: int) -> bytes:
        """Remove and return up to `max_length` bytes; wake `push` only if the remainder is below the low-water mark."""
        data = bytes(self.buffer[:max_length])
        del self.buffer[:max_length]
        if len(self.buffer) < BUFFER_LOW_WATER:
            await self._paused.set()
        if not self.buffer:
            await self._is_empty.set()
        return data
