"""HTTP/2: a request line that cannot be read is answered with 400, instead of ending the connection.

Upstream decodes method and path as ASCII without a guard, and takes a path for granted that CONNECT does not have: one
byte beyond ASCII raises through the connection and every other stream on it. (HTTP/1.1 is guarded by h11.)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from h2.errors import ErrorCodes
from h2.events import Event, RequestReceived
from h2.exceptions import ProtocolError
from hypercorn.protocol.h2 import H2Protocol

from mcp_app.server.fixes.dropping import without_streams
from mcp_app.server.fixes.replacing import Fix, Replacement

HandleEvents = Callable[[H2Protocol, list[Event]], Awaitable[None]]


def answer_400(old: HandleEvents) -> HandleEvents:
    """Answer what is malformed here, and pass on the events of all other streams."""

    async def _handle_events(self: H2Protocol, events: list[Event]) -> None:
        malformed = {
            event.stream_id for event in events if isinstance(event, RequestReceived) and not is_readable(event)
        }
        for stream_id in malformed:
            _refuse(self, stream_id)
        if malformed:
            events = without_streams(self, events, malformed)
            await self._flush()
        await old(self, events)

    return _handle_events


def is_readable(request: RequestReceived) -> bool:
    """Whether there is a method and a path, both of visible ASCII (RFC 9110, 9.1; RFC 3986, 2)."""
    line = dict.fromkeys((b":method", b":path"), b"")
    for name, value in request.headers:
        if bytes(name) in line:
            line[bytes(name)] = bytes(value)
    return all(value and all(0x21 <= byte <= 0x7E for byte in value) for value in line.values())


def _refuse(protocol: H2Protocol, stream_id: int) -> None:
    headers = [(b":status", b"400"), (b"content-length", b"0"), *protocol.config.response_headers("h2")]
    try:
        protocol.connection.send_headers(stream_id, headers, end_stream=True)
        stream = protocol.connection.streams.get(stream_id)
        if stream is not None and stream.open:
            protocol.connection.reset_stream(stream_id, ErrorCodes.NO_ERROR)  # RFC 9113, 8.1: its body is not wanted
    except ProtocolError:
        pass  # the client has reset it already


FIX = Fix(
    name="malformed_request",
    defect="a byte beyond ASCII in an HTTP/2 path ends the connection with every other stream on it",
    upstream=("https://github.com/pgjones/hypercorn/issues/277",),
    replacements=(
        Replacement(
            H2Protocol, "_handle_events", "3378aef0a2348f0def6e0044697ba0623985794f9b186efb5fbaf12733f4feb5", answer_400
        ),
    ),
)
