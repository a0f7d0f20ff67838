"""HTTP/1.1 of one connection, in the place of Hypercorn's H11Protocol.

Each difference from the released class is told where it is. What an answer's head looks like is in `http1_lines`.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.events import Body, EndBody, Request, Response
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol

from . import http1_lines, waiting
from .streams import LastBody, Opening, Stream

DRAINED_BYTES = 64 * 1024
"""What is taken of a body after its answer: all of it for a request of ordinary size, and no help for one that wants to
burden us."""

LINGER_SECONDS = 2.0
"""How long the client has to read an early answer: several round trips to the far side of the world."""


class Http1(H11Protocol):
    """One connection. `handle` is what comes in, `stream_send` what a request's stream has to say."""

    def __init__(self, *of_connection: Any) -> None:
        super().__init__(*of_connection)
        self.can_read = self._pause = _Pause(self)
        self._lingering: _Lingering | None = None

    async def handle(self, event: Event) -> None:
        """What arrives while lingering goes nowhere; the end of the connection ends the lingering, and the pause."""
        if self._lingering is not None:
            if isinstance(event, RawData) and isinstance(self.connection, h11.Connection):
                await self._lingering.drop(self.connection, event.data)
                return
            self._lingering.over.set()
        try:
            await super().handle(event)
        except _EndOfPause:
            return
        if isinstance(event, Closed):
            await self._pause.end()

    async def stream_send(self, event: StreamEvent) -> None:
        """As upstream, but for pieces that are two of its own (`streams`), and for an early answer.

        Released, a connection whose answer precedes the end of its request is closed at once. The body that arrives
        then makes the kernel answer with a TCP reset, which can throw the answer away before the client has read it
        (RFC 9112, 9.6). Here the answer says `connection: close`, a little of the body is taken and dropped while the
        client reads it, and only then the connection is closed.
        """
        if isinstance(event, Opening):
            await self._send_opening(event)
        elif isinstance(event, LastBody):
            await self._send_last(event.data)
        else:
            if isinstance(event, Response) and event.status_code >= 200 and self._body_is_coming():
                kept = [(name, value) for name, value in event.headers if name.lower() != b"connection"]
                event = Response(event.stream_id, [*kept, (b"connection", b"close")], event.status_code)
            await super().stream_send(event)

    async def _send_opening(self, event: Opening) -> None:
        head = event.head
        connection = self._between_whole_messages()
        if connection is None:
            await self.stream_send(head.response)
            await self.stream_send(Body(event.stream_id, event.data))
            if event.last:
                await self.stream_send(EndBody(event.stream_id))
            return
        status = head.response.status_code
        piece = http1_lines.begin(connection, status, head.length, head.lines, self.config.response_headers("h11"))
        try:
            piece += connection.send(h11.Data(data=event.data)) or b""
            if event.last:
                piece += connection.send(h11.EndOfMessage()) or b""
        finally:  # where a body is not as long as its head says, what is right of it goes out, as upstream
            await self.send(RawData(piece))

    def _between_whole_messages(self) -> h11.Connection | None:
        """The connection, if its request is whole and another may follow: h11 leaves DONE where it is otherwise."""
        connection = self.connection
        if (
            isinstance(connection, h11.Connection)
            and connection.their_state is h11.DONE
            and connection.our_state is h11.SEND_RESPONSE
            and connection.their_http_version == b"1.1"
            and self.keep_alive_requests < self.config.keep_alive_max_requests
        ):
            return connection
        return None

    async def _send_last(self, data: bytes) -> None:
        """Its bytes and the end, written together."""
        try:
            piece = self.connection.send(h11.Data(data=data)) or b""
            piece += self.connection.send(h11.EndOfMessage()) or b""
        except h11.LocalProtocolError:
            if self.connection.their_state is not h11.ERROR:
                raise
        else:
            await self.send(RawData(piece))

    async def _maybe_recycle(self) -> None:
        """After an early answer, instead of the close: a task of the connection that closes it later, so that the
        application ends now."""
        if not (self._body_is_coming() and self.connection.our_state in (h11.DONE, h11.MUST_CLOSE)):
            await super()._maybe_recycle()
            return
        self._lingering = lingering = _Lingering()
        await self._close_stream()
        self.task_group.spawn(self._close_later, lingering)

    async def _close_later(self, lingering: _Lingering) -> None:
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                await lingering.over.wait()
        except TimeoutError:
            lingering.over.set()  # the reader may be waiting for it
        await self.send(Closed())

    def _body_is_coming(self) -> bool:
        """Whether the client is still sending its request (or has yet to be told to: 100-continue)."""
        return isinstance(self.connection, h11.Connection) and self.connection.their_state is h11.SEND_BODY

    async def _check_protocol(self, event: h11.Request) -> None:
        """Released, each request's fields are decoded, stripped and compared twice, here and in `_create_stream`, to
        find out whether it wants a WebSocket or HTTP/2. Here only that of a request with an Upgrade field, or of the
        first line of HTTP/2, are. 0.95 x the CPU of an h1 echo."""
        if event.method == b"PRI" or _wants_upgrade(event):
            await super()._check_protocol(event)

    async def _create_stream(self, request: h11.Request) -> None:
        if _wants_upgrade(request):
            await super()._create_stream(request)
            return
        self.stream = Stream(
            *(self.app, self.config, self.context, self.task_group, self.ssl, self.client, self.server),
            *(self.stream_send, STREAM_ID),
        )
        headers = request.headers.raw_items()
        if not self.config.h11_pass_raw_headers:
            headers = [(name.lower(), value) for name, value in headers]
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=headers,
                http_version=request.http_version.decode(),
                method=request.method.decode("ascii").upper(),
                raw_path=request.target,
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1
        await self.context.mark_request()


def _wants_upgrade(request: h11.Request) -> bool:
    return any([name.lower() == b"upgrade" for name, _ in request.headers.raw_items()])  # noqa: C419 - a list is faster


class _EndOfPause(Exception):
    """What the task that reads goes on with, where upstream would look at what it has once more."""


class _Pause(waiting.Event):
    """In the place of `can_read`: where the task that reads a connection waits at what follows a request, until its
    answer is over.

    Released, it waits although nothing follows, behind a request that offered an upgrade (`curl --http2` to an http://
    URL): that its client has left is found by a write. And where a write finds it, nobody wakes that task, which then
    waits until the process stops, with what it has read. Here it pauses only at bytes, and the end of the connection
    ends the pause.
    """

    __slots__ = ("_is_over", "_protocol")

    def __init__(self, protocol: H11Protocol) -> None:
        super().__init__()
        self._protocol = protocol
        self._is_over = False

    async def wait(self) -> None:
        """Return when it is set. Raises _EndOfPause when there is no reason to wait, or not any more."""
        if self._is_over or not self._protocol.connection.trailing_data[0]:
            raise _EndOfPause
        await super().wait()
        if self._is_over:
            raise _EndOfPause

    async def end(self) -> None:
        """The connection is over: what was read is not looked at any more."""
        self._is_over = True
        await self.set()


class _Lingering:
    """The time between an early answer and the close: counts what is dropped, knows when it is over."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self._dropped = 0

    async def drop(self, connection: h11.Connection, data: bytes) -> None:
        """Take `data`. At the end of the body it is over; past the bound, reading stops until it is over."""
        self._dropped += len(data)
        if not data or _body_ends(connection, data):
            self.over.set()
        elif self._dropped > DRAINED_BYTES:
            await self.over.wait()


def _body_ends(connection: h11.Connection, data: bytes) -> bool:
    """Whether `data` completes the request, or makes it unreadable."""
    try:
        connection.receive_data(data)
        while connection.next_event() not in (h11.NEED_DATA, h11.PAUSED):
            if connection.their_state is not h11.SEND_BODY:
                return True
    except h11.RemoteProtocolError:
        return True
    return connection.their_state is not h11.SEND_BODY
