"""HTTP/2 of one connection, the half that sends: what a stream has to say becomes frames.

What comes in is in `http2`, how header blocks are written in `header_blocks`, whose turn it is in `turns`.
"""

from __future__ import annotations

from typing import Any

from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from h2.stream import StreamState
from hypercorn.protocol.events import Body, EndBody, Response, StreamClosed
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.ws_stream import WSStream
from priority.priority import MissingStreamError

from . import header_blocks
from .streams import LastBody, StreamBuffer
from .turns import Line


class Sending(H2Protocol):
    """`stream_send` is what a stream has to say, `_send_data` what the sending task does for one of them."""

    stream_buffers: dict[int, StreamBuffer]  # type: ignore[assignment]

    def __init__(self, *of_connection: Any) -> None:
        super().__init__(*of_connection)
        self.connection.encoder = header_blocks.FindingEncoder()
        self.priority = Line()  # type: ignore[assignment]

    async def stream_send(self, event: StreamEvent) -> None:
        """As upstream, but for a head that h2 need not check, for an end that can go out here and now, and for an
        application that is over without having ended its answer."""
        if isinstance(event, LastBody):
            if not await self._end_at_once(event.stream_id, event.data):
                await super().stream_send(Body(event.stream_id, event.data))
                await super().stream_send(EndBody(event.stream_id))
        elif isinstance(event, Response) and header_blocks.are_plain(tuple([name for name, _ in event.headers])):
            await self._send_checked(event)
        elif isinstance(event, EndBody) and await self._end_at_once(event.stream_id, b""):
            pass
        else:
            if isinstance(event, StreamClosed):
                await self._notice_death(event.stream_id)
            await super().stream_send(event)

    async def _send_checked(self, event: Response) -> None:
        """Nothing is left to be checked by h2: values it strips, as Hypercorn has."""
        fields = [(b":status", b"%d" % event.status_code), *event.headers, *self.config.response_headers("h2")]
        config = self.connection.config
        config.normalize_outbound_headers = config.validate_outbound_headers = False
        try:
            self.connection.send_headers(event.stream_id, fields)
        except ProtocolError:
            return  # as upstream: the connection or the stream has ended meanwhile
        finally:
            config.normalize_outbound_headers = config.validate_outbound_headers = True
        await self._flush()

    async def _end_at_once(self, stream_id: int, data: bytes) -> bool:
        """Whether what the stream has yet to send, `data` behind it, went out as its last frame: it fits into a frame
        and the client's window, and the request is over. Everything else is the sending task's."""
        connection = self.connection
        stream = connection.streams.get(stream_id)
        buffer = self.stream_buffers.get(stream_id)
        if stream is None or buffer is None or buffer._complete:
            return False
        if stream.state_machine.state is not StreamState.HALF_CLOSED_REMOTE:
            return False
        if buffer.buffer:
            data = bytes(buffer.buffer) + data
        if data and len(data) > min(
            connection.local_flow_control_window(stream_id), connection.max_outbound_frame_size
        ):
            return False
        try:
            connection.send_data(stream_id, data, end_stream=True)
        except ProtocolError:
            return False  # the connection has ended meanwhile
        await self._forget_buffer(stream_id, buffer)
        await self._flush()
        return True

    async def _notice_death(self, stream_id: int) -> None:
        """An end of the stream without an end of the body before it: the application is gone.

        Released, its client waits for ever, and its buffer stays for the life of the connection
        (https://github.com/pgjones/hypercorn/issues/226). Here what was sent before goes out, then RST_STREAM with
        INTERNAL_ERROR (RFC 9113, 5.4.2), as a missing last chunk tells it on HTTP/1.1.
        """
        buffer = self.stream_buffers.get(stream_id)
        if buffer is None or buffer._complete:
            return
        buffer.is_dead = True
        try:
            self.priority.unblock(stream_id)
        except MissingStreamError:
            pass  # the client has reset the stream: the sending task is about to forget it
        await self.has_data.set()

    async def _send_data(self, stream_id: int) -> None:
        """As upstream; then, in this task, the only one that may forget a buffer: what is over is ended in its way.

        Upstream learns only in a second round that a stream has sent all it has; here it leaves the line at once.
        """
        # The closing of a WebSocket over HTTP/2 (RFC 8441) ends both directions in its own order.
        is_websocket = isinstance(self.streams.get(stream_id), WSStream)
        try:
            await super()._send_data(stream_id)
        except KeyError:
            if stream_id in self.stream_buffers:
                raise
            return  # ended at once, while this task waited for its peer to read
        buffer = self.stream_buffers.get(stream_id)
        if buffer is None:
            if not is_websocket:
                await self._stop_the_body(stream_id)
        elif buffer.buffer:
            pass  # its turn comes again
        elif buffer.is_dead:
            await self._forget_buffer(stream_id, buffer)
            if self._reset(stream_id, ErrorCodes.INTERNAL_ERROR):
                await self._flush()
        elif not buffer._complete:
            self.priority.block(stream_id)

    async def _stop_the_body(self, stream_id: int) -> None:
        """The answer is out. A stream that is still open is one whose client has not finished its request: RST_STREAM
        with NO_ERROR asks it to stop (RFC 9113, 8.1)."""
        if self._is_open(stream_id) and self._reset(stream_id, ErrorCodes.NO_ERROR):
            await self._flush()

    async def _forget_buffer(self, stream_id: int, buffer: StreamBuffer) -> None:
        await buffer.close()
        del self.stream_buffers[stream_id]
        self.priority.remove_stream(stream_id)

    def _reset(self, stream_id: int, code: ErrorCodes) -> bool:
        """Whether there was something to reset: the client, or the end of the connection, may have been faster."""
        try:
            self.connection.reset_stream(stream_id, code)
        except ProtocolError:
            return False
        return True

    def _is_open(self, stream_id: int) -> bool:
        stream = self.connection.streams.get(stream_id)
        return stream is not None and stream.open
