"""One request and its answer, in the place of Hypercorn's HTTPStream and StreamBuffer: what ASGI says, in fewer pieces.

How a piece is written is HTTP/1.1's (`http1`) and HTTP/2's (`http2`).

**The last piece.** Released, the end of a body is an event of its own: over HTTP/2 it becomes an empty DATA frame,
which another task sends while the application's waits for it. Here the last bytes and the end are one event,
`LastBody`. 0.90 x the CPU of an h2 echo; ten events 0.90.

**The first piece** (HTTP/1.1). Released, head and body are written one after the other. An application that has the
first bytes at hand says so (BODY_FOLLOWS), and the head waits for them: both are one event, `Opening`.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import time

from hypercorn.protocol.events import Event, Response, StreamClosed
from hypercorn.protocol.h2 import BUFFER_HIGH_WATER, BUFFER_LOW_WATER, BufferCompleteError
from hypercorn.protocol.h2 import StreamBuffer as ReleasedBuffer
from hypercorn.protocol.http_stream import ASGIHTTPState, HTTPStream
from hypercorn.typing import ASGISendEvent, HTTPResponseStartEvent
from hypercorn.utils import build_and_validate_headers, suppress_body

from . import http1_lines

BODY_FOLLOWS = "mcp_app.body_follows"
"""In a message `http.response.start`: the next message is a part of the body, and is sent without waiting for anything.
Ours says so in web/asgi."""

_FINAL = 200
"""From here on a status is that of an answer, and not of what comes before it (RFC 9110, 15.2)."""

_LENGTH = b"content-length"


@dataclass(frozen=True)
class LastBody(Event):
    """The last bytes of a body: a Body and the EndBody after it."""

    data: bytes


@dataclass(frozen=True)
class Head(Event):
    """A Response whose fields h11 would send as `lines`. `length` is what it says of its body, if it does."""

    response: Response
    lines: bytes
    length: bytes | None


@dataclass(frozen=True)
class Opening(Event):
    """A head, and the first bytes of its body; `last`: these are all."""

    head: Head
    data: bytes
    last: bool


class Stream(HTTPStream):
    """One request. What is neither the first piece of an answer nor the last goes upstream's way."""

    _held: Head | None = None
    """A head that waits for its first bytes."""

    async def app_send(self, message: ASGISendEvent | None) -> None:
        """What the application says; None when it is over."""
        if self._held is not None:
            await self._send_held(self._held, message)
        elif message is None:
            await super().app_send(None)
        elif self.state is ASGIHTTPState.REQUEST:
            if not self._hold(message):
                await super().app_send(message)
        elif self._is_last_piece(message):
            await self.send(LastBody(self.stream_id, bytes(message["body"])))  # type: ignore[typeddict-item]
            self.state = ASGIHTTPState.CLOSED
            await self._end()
        else:
            await super().app_send(message)

    def _hold(self, message: ASGISendEvent) -> bool:
        """Whether it is a head that now waits for its body. Raises what upstream does for one that is none."""
        if (
            message["type"] != "http.response.start"
            or BODY_FOLLOWS not in message
            or self.scope["http_version"] != "1.1"
            or (head := _read(self.stream_id, message)) is None
        ):
            return False
        self.response = message
        self._held = head
        return True

    async def _send_held(self, head: Head, message: ASGISendEvent | None) -> None:
        self._held = None
        if (
            message is None
            or message["type"] != "http.response.body"
            or not message.get("body")
            or suppress_body(self.scope["method"], head.response.status_code)
        ):
            await super().app_send(self.response)
            await super().app_send(message)
            return
        last = not message.get("more_body", False)
        self.state = ASGIHTTPState.RESPONSE
        await self.send(Opening(self.stream_id, head, bytes(message["body"]), last))
        if last:
            self.state = ASGIHTTPState.CLOSED
            await self._end()

    def _is_last_piece(self, message: ASGISendEvent) -> bool:
        return (
            message["type"] == "http.response.body"
            and not message.get("more_body", False)
            and bool(message.get("body"))
            and self.state is ASGIHTTPState.RESPONSE
            and not self.response.get("trailers", False)
            and not suppress_body(self.scope["method"], int(self.response["status"]))
        )

    async def _end(self) -> None:
        await self.config.log.access(self.scope, self.response, time() - self.start_time)
        await self.send(StreamClosed(self.stream_id))


def _read(stream_id: int, message: HTTPResponseStartEvent) -> Head | None:
    """The head of a final answer that h11 would leave as it is."""
    fields = build_and_validate_headers(message.get("headers", []))
    status = int(message["status"])
    if status < _FINAL or not http1_lines.are_plain(tuple([name for name, _ in fields])):
        return None
    length = next((value for name, value in fields if name.lower() == _LENGTH), None)
    return Head(stream_id, Response(stream_id, fields, status), http1_lines.lines(fields), length)


class StreamBuffer(ReleasedBuffer):
    """What an HTTP/2 stream has yet to send. A client that stops reading makes its application wait.

    Released, `pop` wakes a waiting `push` whenever few bytes were *popped*; with a shut flow-control window that is
    always, and the server holds everything: 1.07 GB within 2 s (https://github.com/davidbrochart/anycorn/pull/61, in a
    fork). Here `push` waits until the *buffer* is below the low-water mark.
    """

    is_dead = False
    """Nobody will write to it any more, although its end was never written."""

    async def push(self, data: bytes) -> None:
        """Take `data`, then wait while the buffer is full. Raises BufferCompleteError after the end, as upstream."""
        if self._complete:
            raise BufferCompleteError
        self.buffer.extend(data)
        await self._is_empty.clear()
        if len(self.buffer) >= BUFFER_HIGH_WATER:
            # Cleared before the wait: a mark left over from an earlier pop would let one more push of any size through.
            await self._paused.clear()
            await self._paused.wait()

    async def pop(self, max_length: int) -> bytes:
        """Give at most `max_length` bytes; wake `push` only when what remains is below the low-water mark."""
        data = bytes(self.buffer[:max_length])
        del self.buffer[:max_length]
        if len(self.buffer) < BUFFER_LOW_WATER:
            await self._paused.set()
        if not self.buffer:
            await self._is_empty.set()
        return data
