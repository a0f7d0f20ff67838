"""HTTP/2 on one connection, the sending half: stream events become frames.

Received events are handled in `http2`, header blocks are encoded in `header_blocks`, streams are scheduled in
`round_robin`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from h2.connection import ConnectionState
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from h2.stream import StreamState
from hypercorn.protocol.events import Body, EndBody, Response, StreamClosed
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.ws_stream import WSStream
from hyperframe.frame import GoAwayFrame, RstStreamFrame
from priority.priority import MissingStreamError

from .header_blocks import IndexingEncoder, are_sent_unchanged
from .http2_frames import FrameBudget
from .lingering import Lingering
from .round_robin import RoundRobin
from .streams import FinalBody, StreamBuffer

UNREAD_SECONDS = 1.0
"""How long a client whose window is shut may take to open it for the last bytes of an application that has returned:
some round trips. The application has waited before, up to its own time-out."""


class Http2Sender(H2Protocol):
    """`stream_send` sends an event of a stream; `_send_data`, run by upstream's sending task, sends a stream's next
    frame."""

    stream_buffers: dict[int, StreamBuffer]  # type: ignore[assignment]

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.connection.encoder = IndexingEncoder()
        self.frame_budget = FrameBudget()
        self._lingering: dict[int, Lingering] = {}
        """The streams whose response is complete, and whose request is not."""
        self.priority = RoundRobin()  # type: ignore[assignment]

    async def stream_send(self, event: StreamEvent) -> None:
        """As upstream, except for a head that h2 need not validate, an end of stream that can be sent immediately, and
        an application that returned without ending its response."""
        if isinstance(event, FinalBody):
            if not await self._try_end_stream(event.stream_id, event.data):
                await super().stream_send(Body(event.stream_id, event.data))
                await super().stream_send(EndBody(event.stream_id))
        elif isinstance(event, Response) and are_sent_unchanged(tuple([name for name, _ in event.headers])):
            await self._send_headers(event)
        elif isinstance(event, EndBody) and await self._try_end_stream(event.stream_id, b""):
            pass
        else:
            if isinstance(event, StreamClosed):
                await self._reset_if_incomplete(event.stream_id)
            await super().stream_send(event)

    async def _send_headers(self, event: Response) -> None:
        """Send a head without h2's validation: it was checked by `are_sent_unchanged`, and Hypercorn has stripped its
        values."""
        fields = [(b":status", b"%d" % event.status_code), *event.headers, *self.config.response_headers("h2")]
        config = self.connection.config
        config.normalize_outbound_headers = config.validate_outbound_headers = False
        try:
            self.connection.send_headers(event.stream_id, fields)
        except ProtocolError:
            return  # as upstream: the connection or the stream has ended in the meantime
        finally:
            config.normalize_outbound_headers = config.validate_outbound_headers = True
        await self._flush()

    async def _try_end_stream(self, stream_id: int, data: bytes) -> bool:
        """Send the stream's buffered bytes and `data` as its last frame. Returns whether that was done: it needs a
        complete request, and data that fits into one frame and the client's window. Otherwise the sending task does
        it."""
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
            return False  # the connection has ended in the meantime
        self.frame_budget.earn()
        await self._remove_buffer(stream_id, buffer)
        await self._flush()
        return True

    async def _reset_if_incomplete(self, stream_id: int) -> None:
        """If the stream closes without the end of its body, the application has failed: schedule a reset.

        As released, the client waits forever, and the buffer stays for the life of the connection
        (https://github.com/pgjones/hypercorn/issues/226). Here the buffered data is sent, then RST_STREAM with
        INTERNAL_ERROR (RFC 9113, 5.4.2), the equivalent of a missing last chunk on HTTP/1.1.

        If the client does not read, the application has not waited for it any longer: after UNREAD_SECONDS the stream
        is reset all the same, so that it does not take the place of another.
        """
        buffer = self.stream_buffers.get(stream_id)
        if buffer is None:
            return
        if buffer.buffer:
            asyncio.get_running_loop().call_later(UNREAD_SECONDS, self._spawn_give_up, stream_id, buffer)
        if buffer._complete:
            return
        buffer.is_abandoned = True
        try:
            self.priority.unblock(stream_id)
        except MissingStreamError:
            pass  # the client has reset the stream: the sending task is about to remove its buffer
        await self.has_data.set()

    def _spawn_give_up(self, stream_id: int, buffer: StreamBuffer) -> None:
        if not self.closed and self.stream_buffers.get(stream_id) is buffer:
            self.task_group.spawn(self._give_up, stream_id, buffer)

    async def _give_up(self, stream_id: int, buffer: StreamBuffer) -> None:
        """Reset a stream whose last bytes the client does not take."""
        if self.stream_buffers.get(stream_id) is buffer and buffer.buffer:
            await self._remove_buffer(stream_id, buffer)
            if self._reset_stream(stream_id, ErrorCodes.INTERNAL_ERROR):
                await self._flush()

    async def _send_data(self, stream_id: int) -> None:
        """As upstream; then remove or reset a stream that is finished. This task alone may remove a buffer, but for
        `_try_end_stream`.

        Upstream finds only in a second iteration that a stream has sent everything; here it leaves the queue at once.
        """
        # A WebSocket over HTTP/2 (RFC 8441) has a closing handshake that ends both directions in its own order.
        is_websocket = isinstance(self.streams.get(stream_id), WSStream)
        try:
            await super()._send_data(stream_id)
        except KeyError:
            if stream_id in self.stream_buffers:
                raise
            return  # ended by `_try_end_stream`, while this task waited for the peer to read
        self.frame_budget.earn()
        buffer = self.stream_buffers.get(stream_id)
        if buffer is None:
            if not is_websocket:
                await self._reset_after_response(stream_id)
        elif buffer.buffer:
            pass  # still scheduled
        elif buffer.is_abandoned:
            await self._remove_buffer(stream_id, buffer)
            if self._reset_stream(stream_id, ErrorCodes.INTERNAL_ERROR):
                await self._flush()
        elif not buffer._complete:
            self.priority.block(stream_id)

    async def _reset_after_response(self, stream_id: int) -> None:
        """After a complete response, reset a stream whose client is still sending its request: RST_STREAM with NO_ERROR
        asks it to stop (RFC 9113, 8.1). Not at once: see `lingering`."""
        if self._is_stream_open(stream_id):
            loop = asyncio.get_running_loop()
            self._lingering[stream_id] = lingering = Lingering(loop.time())
            loop.call_at(lingering.deadline, self._check_lingering, stream_id)

    def _check_lingering(self, stream_id: int) -> None:
        loop = asyncio.get_running_loop()
        if (lingering := self._lingering.get(stream_id)) is None or self.closed:
            return
        if self._is_stream_open(stream_id) and loop.time() < lingering.deadline:
            loop.call_at(lingering.deadline, self._check_lingering, stream_id)
        elif self._end_lingering(stream_id):
            self.task_group.spawn(self._flush)

    def _end_lingering(self, stream_id: int) -> bool:
        """Queue the reset that ends it. Returns False if the request is complete by now."""
        del self._lingering[stream_id]
        return self._is_stream_open(stream_id) and self._reset_stream(stream_id, ErrorCodes.NO_ERROR)

    def _discard_body(self, stream_id: int, size: int) -> None:
        """Count bytes of a request's body that came after its response."""
        lingering = self._lingering.get(stream_id)
        if lingering is not None and not lingering.discard(size, asyncio.get_running_loop().time()):
            self._end_lingering(stream_id)

    async def _remove_buffer(self, stream_id: int, buffer: StreamBuffer) -> None:
        await buffer.close()
        del self.stream_buffers[stream_id]
        self.priority.remove_stream(stream_id)

    def _reset_stream(self, stream_id: int, code: ErrorCodes) -> bool:
        """Queue a RST_STREAM. Returns False if the stream or the connection has ended already."""
        try:
            self.connection.reset_stream(stream_id, code)
        except ProtocolError:
            return False
        return True

    def _reset_ended_stream(self, stream_id: int, code: ErrorCodes) -> None:
        """Queue a RST_STREAM, also for a stream that both sides have ended: h2 sends none for that."""
        if not self._reset_stream(stream_id, code):
            self.connection._prepare_for_sending([_rst_stream(stream_id, code)])

    async def send_goaway(self) -> None:
        """Send GOAWAY NO_ERROR: the connection is about to be closed (RFC 9113, 6.8). A request that is on its way then
        was not worked on, and can be sent again."""
        if self.connection.state_machine.state is not ConnectionState.CLOSED:  # else one has been sent or received
            self.connection.close_connection()
            await self._flush()

    async def announce_goaway(self) -> None:
        """Send GOAWAY that excludes no stream (RFC 9113, 6.8): the peer opens the next ones on another connection, and
        those that it has opened by then are served."""
        if self.connection.state_machine.state is not ConnectionState.CLOSED:
            frame = GoAwayFrame(0)
            frame.last_stream_id = _LAST_STREAM_ID
            self.connection._prepare_for_sending([frame])
            await self._flush()

    def _is_stream_open(self, stream_id: int) -> bool:
        stream = self.connection.streams.get(stream_id)
        return stream is not None and stream.open


_LAST_STREAM_ID = 2**31 - 1


def _rst_stream(stream_id: int, code: ErrorCodes) -> RstStreamFrame:
    frame = RstStreamFrame(stream_id)
    frame.error_code = code
    return frame
