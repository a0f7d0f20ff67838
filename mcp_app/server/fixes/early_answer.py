"""HTTP/1.1: an answer given before the whole request body has arrived can be read by the client.

Upstream, such a connection is closed at once; the body bytes that arrive then make the kernel answer with a TCP reset,
which can throw the answer away before the client has read it (RFC 9112, 9.6). Here the answer says `connection: close`,
a little of the body is taken and dropped while the client reads it, and only then the connection is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from weakref import WeakKeyDictionary

import h11
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.events import Response
from hypercorn.protocol.h11 import H11Protocol

from mcp_app.server.fixes.replacing import Fix, Replacement

DRAINED_BYTES = 64 * 1024
"""What is taken of the rest: all of it for a request of ordinary size, and no help for one that wants to burden us."""

LINGER_SECONDS = 2.0
"""How long the client has to read the answer: several round trips to the far side of the world."""

Handle = Callable[[H11Protocol, Event], Awaitable[None]]
StreamSend = Callable[[H11Protocol, StreamEvent], Awaitable[None]]
Recycle = Callable[[H11Protocol], Awaitable[None]]


class Lingering:
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


_lingering: WeakKeyDictionary[H11Protocol, Lingering] = WeakKeyDictionary()


def say_close(old: StreamSend) -> StreamSend:
    """A response that starts while the request is still coming is the last one of its connection."""

    async def stream_send(self: H11Protocol, event: StreamEvent) -> None:
        if isinstance(event, Response) and event.status_code >= 200 and _body_is_coming(self):
            kept = [(name, value) for name, value in event.headers if name.lower() != b"connection"]
            event = Response(event.stream_id, [*kept, (b"connection", b"close")], event.status_code)
        await old(self, event)

    return stream_send


def linger(old: Recycle) -> Recycle:
    """Instead of the close: a task of the connection that closes it later, so that the application ends now."""

    async def _maybe_recycle(self: H11Protocol) -> None:
        if not (_body_is_coming(self) and self.connection.our_state in (h11.DONE, h11.MUST_CLOSE)):
            await old(self)
            return
        _lingering[self] = lingering = Lingering()
        await self._close_stream()
        self.task_group.spawn(_close_later, self, lingering)

    return _maybe_recycle


def drop_the_rest(old: Handle) -> Handle:
    """What arrives while lingering goes nowhere; the end of the connection ends the lingering."""

    async def handle(self: H11Protocol, event: Event) -> None:
        lingering = _lingering.get(self)
        if lingering is None:
            await old(self, event)
        elif isinstance(event, RawData) and isinstance(self.connection, h11.Connection):
            await lingering.drop(self.connection, event.data)
        else:
            lingering.over.set()
            await old(self, event)

    return handle


async def _close_later(protocol: H11Protocol, lingering: Lingering) -> None:
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            await lingering.over.wait()
    except TimeoutError:
        lingering.over.set()  # the reader may be waiting for it
    await protocol.send(Closed())


def _body_is_coming(protocol: H11Protocol) -> bool:
    """Whether the client is still sending its request (or has yet to be told to: 100-continue)."""
    return isinstance(protocol.connection, h11.Connection) and protocol.connection.their_state is h11.SEND_BODY


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


FIX = Fix(
    name="early_answer",
    defect="an HTTP/1.1 client can lose an answer that was given before its request body had arrived",
    replacements=(
        Replacement(
            H11Protocol, "stream_send", "56a36254a368d71ab24ee76d72783226387f6ce3a82c52840a947b9d905ebf5b", say_close
        ),
        Replacement(
            H11Protocol, "_maybe_recycle", "3ac53f52bc4e65de7e9b898df5c1c76c9865479e2821ed524acdf426c2075a88", linger
        ),
        Replacement(
            H11Protocol, "handle", "3b56e067447488df5e480fc728e20c7fcc9f5813374172a197fa555ec13c0e1c", drop_the_rest
        ),
    ),
)
