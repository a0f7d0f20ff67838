"""HTTP/2: a request whose reset arrived with it is not started.

Upstream, every request is started, also when the same reading of the socket brought its RST_STREAM ("rapid reset",
CVE-2023-44487): a task and a buffer each, and beyond 1,000 of them an unhandled error that ends the connection. Here
such a request costs what reading it costs, and nothing more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from h2.events import Event, RequestReceived, StreamReset
from hypercorn.protocol.h2 import H2Protocol

from mcp_app.server.fixes.dropping import without_streams
from mcp_app.server.fixes.replacing import Fix, Replacement

HandleEvents = Callable[[H2Protocol, list[Event]], Awaitable[None]]


def skip_what_is_over(old: HandleEvents) -> HandleEvents:
    """Drop all events of streams that were both opened and reset by these events."""

    async def _handle_events(self: H2Protocol, events: list[Event]) -> None:
        reset = {event.stream_id for event in events if isinstance(event, StreamReset)}
        if reset:
            reset &= {event.stream_id for event in events if isinstance(event, RequestReceived)}
        if reset:
            events = without_streams(self, events, reset)
        await old(self, events)

    return _handle_events


FIX = Fix(
    name="rapid_reset",
    defect="3,000 HTTP/2 requests that are reset at once start 3,000 applications and end their connection",
    replacements=(
        Replacement(
            H2Protocol,
            "_handle_events",
            "3378aef0a2348f0def6e0044697ba0623985794f9b186efb5fbaf12733f4feb5",
            skip_what_is_over,
        ),
    ),
)
