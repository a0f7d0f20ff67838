"""HTTP/1.1 on one connection, in place of Hypercorn's H11Protocol.

Each method documents its difference from the released class. Response heads are serialized in `http1_lines`.
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
from .streams import FinalBody, HeadWithBody, RequestStream

LINGER_BYTES = 64 * 1024
"""Request body bytes read and discarded after an early response: all of an ordinary request's, and a bound on the work
that a hostile client can cause."""

LINGER_SECONDS = 2.0
"""The client's time to read an early response: several round trips to the far side of the world."""


class Http1(H11Protocol):
    """One connection. `handle` receives bytes, `stream_send` sends the events of a request's stream."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.can_read = self._pause = _ReadPause(self)
        self._lingering_close: _LingeringClose | None = None

    async def handle(self, event: Event) -> None:
        """Bytes that arrive during a lingering close are discarded; the end of the connection ends that, and a paused
        read."""
        if self._lingering_close is not None:
            if isinstance(event, RawData) and isinstance(self.connection, h11.Connection):
                await self._lingering_close.discard(self.connection, event.data)
                return
            self._lingering_close.done.set()
        try:
            await super().handle(event)
        except _PauseEnded:
            return
        if isinstance(event, Closed):
            await self._pause.end()

    async def stream_send(self, event: StreamEvent) -> None:
        """As upstream, except for the combined events of `streams`, and for an early response.

        As released, a connection whose response precedes the end of its request is closed at once. The body that
        arrives then makes the kernel send a TCP reset, which can discard the response before the client has read it
        (RFC 9112, 9.6). Here the response has `connection: close`, a bounded part of the body is read and discarded
        while the client reads the response, and only then the connection is closed (a lingering close).
        """
        if isinstance(event, HeadWithBody):
            await self._send_head_with_body(event)
        elif isinstance(event, FinalBody):
            await self._send_final_body(event.data)
        else:
            if isinstance(event, Response) and event.status_code >= 200 and self._is_receiving_body():
                fields = [(name, value) for name, value in event.headers if name.lower() != b"connection"]
                event = Response(event.stream_id, [*fields, (b"connection", b"close")], event.status_code)
            await super().stream_send(event)

    async def _send_head_with_body(self, event: HeadWithBody) -> None:
        head = event.head
        connection = self._reusable_connection()
        if connection is None:
            await self.stream_send(head.response)
            await self.stream_send(Body(event.stream_id, event.data))
            if event.is_final:
                await self.stream_send(EndBody(event.stream_id))
            return
        status = head.response.status_code
        piece = http1_lines.serialize_head(
            connection, status, head.length, head.lines, self.config.response_headers("h11")
        )
        try:
            piece += connection.send(h11.Data(data=event.data)) or b""
            if event.is_final:
                piece += connection.send(h11.EndOfMessage()) or b""
        finally:  # if the body does not match its Content-Length, the valid part is sent, as upstream
            await self.send(RawData(piece))

    def _reusable_connection(self) -> h11.Connection | None:
        """The h11 connection, if its request is complete and another may follow; h11's state is not DONE otherwise."""
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

    async def _send_final_body(self, data: bytes) -> None:
        """Write the last bytes and the end of the body together."""
        try:
            piece = self.connection.send(h11.Data(data=data)) or b""
            piece += self.connection.send(h11.EndOfMessage()) or b""
        except h11.LocalProtocolError:
            if self.connection.their_state is not h11.ERROR:
                raise
        else:
            await self.send(RawData(piece))

    async def _maybe_recycle(self) -> None:
        """After an early response, start a lingering close instead of closing: in a task of the connection, so that the
        application's task ends now."""
        if not (self._is_receiving_body() and self.connection.our_state in (h11.DONE, h11.MUST_CLOSE)):
            await super()._maybe_recycle()
            return
        self._lingering_close = lingering_close = _LingeringClose()
        await self._close_stream()
        self.task_group.spawn(self._close_after_lingering, lingering_close)

    async def _close_after_lingering(self, lingering_close: _LingeringClose) -> None:
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                await lingering_close.done.wait()
        except TimeoutError:
            lingering_close.done.set()  # the reading task may be waiting for it
        await self.send(Closed())

    def _is_receiving_body(self) -> bool:
        """Whether the client is still sending its request body (or waits for 100-continue before it does)."""
        return isinstance(self.connection, h11.Connection) and self.connection.their_state is h11.SEND_BODY

    async def _check_protocol(self, event: h11.Request) -> None:
        """As released, the fields of each request are decoded, stripped and compared twice, here and in
        `_create_stream`, to detect a WebSocket or HTTP/2 upgrade. Here that is done only for a request with an Upgrade
        field, or for HTTP/2's preface. 0.95 x the CPU of an h1 echo."""
        if event.method == b"PRI" or _has_upgrade_field(event):
            await super()._check_protocol(event)

    async def _create_stream(self, request: h11.Request) -> None:
        if _has_upgrade_field(request):
            await super()._create_stream(request)
            return
        self.stream = RequestStream(
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


def _has_upgrade_field(request: h11.Request) -> bool:
    return any([name.lower() == b"upgrade" for name, _ in request.headers.raw_items()])  # noqa: C419 - a list is faster


class _PauseEnded(Exception):
    """Raised in the reading task instead of returning to upstream, which would process the buffered bytes once more."""


class _ReadPause(waiting.LazyEventWrapper):
    """In place of `can_read`: the event on which the reading task waits, with bytes that follow a request, until the
    response is complete.

    As released, it waits even if no bytes follow, after a request that offered an upgrade (`curl --http2` to an http://
    URL): that its client has disconnected is only found by a write. And if a write finds it, that task is not woken and
    waits until the process stops, keeping what it has read. Here it waits only if there are bytes, and the end of the
    connection ends the wait.
    """

    __slots__ = ("_has_ended", "_protocol")

    def __init__(self, protocol: H11Protocol) -> None:
        super().__init__()
        self._protocol = protocol
        self._has_ended = False

    async def wait(self) -> None:
        """Return when the event is set. Raises _PauseEnded if there is nothing to wait for, or the connection has
        ended."""
        if self._has_ended or not self._protocol.connection.trailing_data[0]:
            raise _PauseEnded
        await super().wait()
        if self._has_ended:
            raise _PauseEnded

    async def end(self) -> None:
        """The connection has ended: discard what was read."""
        self._has_ended = True
        await self.set()


class _LingeringClose:
    """The time between an early response and the close: counts the discarded bytes; `done` is set when it ends."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self._discarded = 0

    async def discard(self, connection: h11.Connection, data: bytes) -> None:
        """Discard `data`. Done at the end of the body; past LINGER_BYTES, reading stops until it is done."""
        self._discarded += len(data)
        if not data or _completes_body(connection, data):
            self.done.set()
        elif self._discarded > LINGER_BYTES:
            await self.done.wait()


def _completes_body(connection: h11.Connection, data: bytes) -> bool:
    """Whether `data` completes the request, or makes it unparsable."""
    try:
        connection.receive_data(data)
        while connection.next_event() not in (h11.NEED_DATA, h11.PAUSED):
            if connection.their_state is not h11.SEND_BODY:
                return True
    except h11.RemoteProtocolError:
        return True
    return connection.their_state is not h11.SEND_BODY
