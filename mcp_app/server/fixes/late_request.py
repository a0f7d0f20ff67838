"""HTTP/2: a request that comes while the server stops is refused in a way that lets its client simply try again.

Upstream, such a stream is reset with NO_ERROR, which says nothing about whether the request was worked on. Here it is
REFUSED_STREAM: it was not, and even a POST may be sent again, to whoever answers there then (RFC 9113, 8.7).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from h2.errors import ErrorCodes
from h2.events import Event, RequestReceived
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hypercorn.protocol.h2 import H2Protocol

from mcp_app.server.fixes.dropping import without_streams
from mcp_app.server.fixes.replacing import Fix, Replacement

HandleEvents = Callable[[H2Protocol, list[Event]], Awaitable[None]]


def refuse_late(old: HandleEvents) -> HandleEvents:
    """As upstream, but for the error code: the request is not started, and the client is told that no more are."""

    async def _handle_events(self: H2Protocol, events: list[Event]) -> None:
        late = {event.stream_id for event in events if isinstance(event, RequestReceived)}
        if late and self.context.terminated.is_set():
            events = without_streams(self, events, late)
            try:
                for stream_id in late:
                    self.connection.reset_stream(stream_id, ErrorCodes.REFUSED_STREAM)
                self.connection.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 0})
            except ProtocolError:
                pass  # the client has ended the connection meanwhile
            await self._flush()
        await old(self, events)

    return _handle_events


FIX = Fix(
    name="late_request",
    defect="an HTTP/2 client is not told that a request refused at shutdown may safely be sent again",
    replacements=(
        Replacement(
            H2Protocol,
            "_handle_events",
            "3378aef0a2348f0def6e0044697ba0623985794f9b186efb5fbaf12733f4feb5",
            refuse_late,
        ),
    ),
)
