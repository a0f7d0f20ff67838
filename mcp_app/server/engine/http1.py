"""HTTP/1.1 on one connection, in place of Hypercorn's H11Protocol.

Each method documents its difference from the released class. Requests are parsed in `http1_requests`, response heads
serialized in `http1_lines`.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import h11
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import H2Error
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.events import Body, EndBody, Request, Response
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hyperframe.exceptions import HyperframeError

from . import http1_lines, waiting
from .context import ServerContext
from .http1_requests import PREFACE_VERSION, RequestParser
from .http2_frames import Broken
from .lingering import Lingering
from .streams import FinalBody, HeadWithBody, RequestStream

H2C_UPGRADE = "h2c_upgrade"
"""A key of hypercorn.toml that Hypercorn does not have: whether a request may upgrade its connection to HTTP/2 without
TLS. Withdrawn by RFC 9113, 3.1. A proxy that passes `Upgrade` on sees only the first request of such a connection, and
its rules do not apply to the others."""

_HEAD_TOO_LARGE = 431

PIECES_PER_TURN = 100
"""Chunks discarded before other tasks get a turn of the loop: some 2 ms."""


class Http1(H11Protocol):
    """One connection. `handle` receives bytes, `stream_send` sends the events of a request's stream."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.connection = RequestParser(self.config.h11_max_incomplete_size)
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
        except _ReadingEnded:
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
        await self._close_stream()
        self._start_lingering_close()

    async def _send_error_response(self, status_code: int) -> None:
        """As upstream; and count the malformed request, let a client that is still sending its head read this, and read
        no more of any other."""
        cast(ServerContext, self.context).malformed.add(self.client, "1.1", str(status_code))
        await super()._send_error_response(status_code)
        if status_code == _HEAD_TOO_LARGE:
            self._start_lingering_close()
        else:
            await self.send(Broken())
        raise _ReadingEnded

    def _start_lingering_close(self) -> None:
        self._lingering_close = _LingeringClose()
        self.task_group.spawn(self._close_after_lingering, self._lingering_close)

    async def _close_after_lingering(self, lingering_close: _LingeringClose) -> None:
        await lingering_close.wait()
        await self.send(Broken() if lingering_close.is_exhausted else Closed())

    def _is_receiving_body(self) -> bool:
        """Whether the client is still sending its request body (or waits for 100-continue before it does)."""
        return isinstance(self.connection, h11.Connection) and self.connection.their_state is h11.SEND_BODY

    async def _check_protocol(self, event: h11.Request) -> None:
        """As released, the fields of each request are decoded, stripped and compared twice, here and in
        `_create_stream`, to detect a WebSocket or HTTP/2 upgrade. Here that is done only for a request with an Upgrade
        field, or for HTTP/2's preface. 0.95 x the CPU of an h1 echo.

        The upgrade to HTTP/2 is made only if H2C_UPGRADE is set, and by exactly one HTTP2-Settings field (RFC 7540,
        3.2.1). As released, one that cannot be decoded is answered with 101, and then raises through the connection.
        """
        if event.http_version == PREFACE_VERSION:
            await super()._check_protocol(event)
        elif self._offers_upgrade() and getattr(self.config, H2C_UPGRADE, False):
            settings = [value for name, value in event.headers if name == b"http2-settings"]
            if len(settings) == 1:
                if not _are_valid_settings(settings[0]):
                    await self._send_error_response(400)
                await super()._check_protocol(event)

    def _offers_upgrade(self) -> bool:
        return isinstance(self.connection, RequestParser) and self.connection.offers_upgrade

    async def _create_stream(self, request: h11.Request) -> None:
        if self._offers_upgrade():
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


def _are_valid_settings(value: bytes) -> bool:
    """Whether HTTP/2 could begin with the settings of this HTTP2-Settings field."""
    try:
        H2Connection(H2Configuration(client_side=False)).initiate_upgrade_connection(value)
    except (H2Error, HyperframeError, ValueError):
        return False
    return True


class _ReadingEnded(Exception):
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
        """Return when the event is set. Raises _ReadingEnded if there is nothing to wait for, or the connection has
        ended."""
        if self._has_ended or not self._protocol.connection.trailing_data[0]:
            raise _ReadingEnded
        await super().wait()
        if self._has_ended:
            raise _ReadingEnded

    async def end(self) -> None:
        """The connection has ended: discard what was read."""
        self._has_ended = True
        await self.set()


class _LingeringClose:
    """The time between an early response and the close; `done` is set when it ends."""

    is_exhausted = False
    """More has come than is read."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._lingering = Lingering(self._loop.time())

    async def wait(self) -> None:
        """Return when nothing more is to be read."""
        while not self.done.is_set() and self._loop.time() < self._lingering.deadline:
            try:
                async with asyncio.timeout_at(self._lingering.deadline):
                    await self.done.wait()
            except TimeoutError:
                pass  # later, if more has come
        self.done.set()  # the reading task may be waiting for it

    async def discard(self, connection: h11.Connection, data: bytes) -> None:
        """Discard `data`. Done at the end of the body; past the limits, reading stops until it is done."""
        pieces = await _pieces(connection, data)
        may_continue = self._lingering.discard(len(data), self._loop.time(), pieces or 1)
        if not data or pieces is None:
            self.done.set()
        elif not may_continue:
            self.is_exhausted = True
            await self.done.wait()


async def _pieces(connection: h11.Connection, data: bytes) -> int | None:
    """How many pieces of a body `data` has; None if it completes the request, or makes it unparsable. One whose head is
    too long has no such end. Others get a turn of the loop: 64 KiB can be 11,000 chunks."""
    if connection.their_state is h11.ERROR:
        return 1
    pieces = 0
    try:
        connection.receive_data(data)
        while connection.next_event() not in (h11.NEED_DATA, h11.PAUSED):
            if connection.their_state is not h11.SEND_BODY:
                return None
            pieces += 1
            if pieces % PIECES_PER_TURN == 0:
                await asyncio.sleep(0)
    except h11.RemoteProtocolError:
        return None
    return pieces if connection.their_state is h11.SEND_BODY else None
