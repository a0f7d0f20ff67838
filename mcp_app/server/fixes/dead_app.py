"""HTTP/2: a stream whose application died is reset, not left silent.

Upstream, an application that ends after its response has started, without ending it, leaves its client waiting for
ever, and its buffer in memory for the life of the connection. Here what was sent before goes out, then RST_STREAM with
INTERNAL_ERROR (RFC 9113, 5.4.2), as a missing last chunk tells it on HTTP/1.1.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from weakref import WeakSet

from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from hypercorn.protocol.events import Event, StreamClosed
from hypercorn.protocol.h2 import H2Protocol, StreamBuffer
from priority.priority import MissingStreamError

from mcp_app.server.fixes.replacing import Fix, Replacement

StreamSend = Callable[[H2Protocol, Event], Awaitable[None]]
SendData = Callable[[H2Protocol, int], Awaitable[None]]

_dead: WeakSet[StreamBuffer] = WeakSet()
"""Buffers nobody will write to any more, although their end was never written."""


def notice(old: StreamSend) -> StreamSend:
    """StreamClosed without an end of the body before it: the application is gone."""

    async def stream_send(self: H2Protocol, event: Event) -> None:
        buffer = self.stream_buffers.get(event.stream_id) if isinstance(event, StreamClosed) else None
        if buffer is not None and not buffer._complete:
            _dead.add(buffer)
            try:
                self.priority.unblock(event.stream_id)
            except MissingStreamError:
                pass  # the client has reset the stream: the sending task is about to forget it
            await self.has_data.set()
        await old(self, event)

    return stream_send


def reset_when_sent(old: SendData) -> SendData:
    """In the sending task, the only one that may forget a buffer: another could do it between two of its steps."""

    async def _send_data(self: H2Protocol, stream_id: int) -> None:
        await old(self, stream_id)
        if not _dead:
            return
        buffer = self.stream_buffers.get(stream_id)
        if buffer is None or buffer.buffer or buffer not in _dead:
            return
        await buffer.close()
        del self.stream_buffers[stream_id]
        self.priority.remove_stream(stream_id)
        try:
            self.connection.reset_stream(stream_id, ErrorCodes.INTERNAL_ERROR)
        except ProtocolError:
            return  # ended by trailers or by the client: nothing is left to say
        await self._flush()

    return _send_data


FIX = Fix(
    name="dead_app",
    defect="an HTTP/2 client waits for ever when the application fails after its response has started",
    upstream=("https://github.com/pgjones/hypercorn/issues/226",),
    replacements=(
        Replacement(
            H2Protocol, "stream_send", "d8fc824e2770ba5c7af707fc01e14eb2eaef377064221ec84009fa8d949fe90b", notice
        ),
        Replacement(
            H2Protocol,
            "_send_data",
            "a89ce4286f36982057297d5c3302777cbcdb303c52eeb0936feaf5d95dd88eef",
            reset_when_sent,
        ),
    ),
)
