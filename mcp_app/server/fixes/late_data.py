"""HTTP/2: a request body that arrives after its answer is dropped, and the client is told to stop sending it.

Upstream, a DATA frame for a stream that is already answered raises KeyError, which ends the connection and every other
stream on it. Here it is acknowledged (the connection's window must not shrink) and dropped; and once the answer is out
while its request is still coming, RST_STREAM with NO_ERROR asks the client to stop (RFC 9113, 8.1).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from h2.errors import ErrorCodes
from h2.events import DataReceived, Event
from h2.exceptions import ProtocolError
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.ws_stream import WSStream

from mcp_app.server.fixes.replacing import Fix, Replacement

HandleEvents = Callable[[H2Protocol, list[Event]], Awaitable[None]]
SendData = Callable[[H2Protocol, int], Awaitable[None]]


def drop_late_data(old: HandleEvents) -> HandleEvents:
    """Pass events on one by one, because a stream can be answered between two of them; keep late DATA back."""

    async def _handle_events(self: H2Protocol, events: list[Event]) -> None:
        if not any(isinstance(event, DataReceived) for event in events):
            await old(self, events)
            return
        for event in events:
            if isinstance(event, DataReceived) and event.stream_id not in self.streams:
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            else:
                await old(self, [event])
        await self._flush()

    return _handle_events


def stop_the_body(old: SendData) -> SendData:
    """After END_STREAM: a stream that is still open is one whose client has not finished its request."""

    async def _send_data(self: H2Protocol, stream_id: int) -> None:
        # The closing of a WebSocket over HTTP/2 (RFC 8441) ends both directions in its own order.
        websocket = isinstance(self.streams.get(stream_id), WSStream)
        await old(self, stream_id)
        if stream_id in self.stream_buffers or websocket:
            return
        stream = self.connection.streams.get(stream_id)
        if stream is None or not stream.open:
            return
        try:
            self.connection.reset_stream(stream_id, ErrorCodes.NO_ERROR)
        except ProtocolError:
            return  # the connection itself has ended meanwhile
        await self._flush()

    return _send_data


FIX = Fix(
    name="late_data",
    defect="an answer that precedes the end of its HTTP/2 request body kills every other stream of the connection",
    upstream=(
        "https://github.com/pgjones/hypercorn/issues/329",
        "https://github.com/pgjones/hypercorn/pull/312",
        "https://github.com/pgjones/hypercorn/pull/334",
    ),
    replacements=(
        Replacement(
            H2Protocol,
            "_handle_events",
            "3378aef0a2348f0def6e0044697ba0623985794f9b186efb5fbaf12733f4feb5",
            drop_late_data,
        ),
        Replacement(
            H2Protocol, "_send_data", "a89ce4286f36982057297d5c3302777cbcdb303c52eeb0936feaf5d95dd88eef", stop_the_body
        ),
    ),
)
