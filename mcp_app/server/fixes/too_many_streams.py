"""HTTP/2: one stream too many is refused alone, instead of ending the connection.

Upstream, h2 answers a stream beyond `h2_max_concurrent_streams` with a connection error, and every stream dies; a
client that opens streams before it has read our SETTINGS can do nothing about it. Here it gets RST_STREAM with
REFUSED_STREAM, which tells the client that it may simply try again (RFC 9113, 5.1.2 and 8.7).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from h2.errors import ErrorCodes
from h2.events import Event, RequestReceived
from h2.settings import SettingCodes, Settings
from hypercorn.protocol.h2 import H2Protocol

from mcp_app.server.fixes.dropping import without_streams
from mcp_app.server.fixes.replacing import Fix, Replacement

TOLERATED = 1024
"""Streams over the limit that are refused one by one in one reading of the socket; beyond, the connection ends as
upstream: no client opens that many by mistake, and each costs some KiB until it is refused."""

HandleEvents = Callable[[H2Protocol, list[Event]], Awaitable[None]]


class AnnouncedSettings(Settings):
    """Settings as announced to the client, whose stream limit h2 does not enforce until it is far exceeded."""

    @property
    def max_concurrent_streams(self) -> int:
        """What h2 enforces by ending the connection."""
        announced: int = self.get(SettingCodes.MAX_CONCURRENT_STREAMS, 0)
        return announced + TOLERATED

    @max_concurrent_streams.setter
    def max_concurrent_streams(self, value: int) -> None:
        self[SettingCodes.MAX_CONCURRENT_STREAMS] = value


def announce_only(old: Callable[..., None]) -> Callable[..., None]:
    """Before the first byte is sent, so that what goes out in SETTINGS is unchanged."""

    def __init__(self: H2Protocol, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - it replaces one
        old(self, *args, **kwargs)
        # Iterating gives plain integers; the standard's own settings are the only ones there.
        announced = {SettingCodes(code): value for code, value in self.connection.local_settings.items()}
        self.connection.local_settings = AnnouncedSettings(client=False, initial_values=announced)

    return __init__


def refuse(old: HandleEvents) -> HandleEvents:
    """Refuse the newest requests, as many as are over the limit, and pass the other events on."""

    async def _handle_events(self: H2Protocol, events: list[Event]) -> None:
        requests = [event.stream_id for event in events if isinstance(event, RequestReceived)]
        over = self.connection.open_inbound_streams - self.config.h2_max_concurrent_streams if requests else 0
        if over > 0:
            opened = [number for number in requests if _is_open(self, number)]
            refused = set(opened[-over:])
            for number in refused:
                self.connection.reset_stream(number, ErrorCodes.REFUSED_STREAM)
            events = without_streams(self, events, refused)
            await self._flush()
        await old(self, events)

    return _handle_events


def _is_open(protocol: H2Protocol, number: int) -> bool:
    stream = protocol.connection.streams.get(number)
    return stream is not None and stream.open


FIX = Fix(
    name="too_many_streams",
    defect="one HTTP/2 stream over the limit ends its connection with every other stream on it",
    upstream=("https://github.com/pgjones/hypercorn/issues/335",),
    replacements=(
        Replacement(
            H2Protocol, "__init__", "d577a96e2eb647a4c3484c2efdeca7ed9f1952d5eb27eeb091ecbc5be5a3bc41", announce_only
        ),
        Replacement(
            H2Protocol, "_handle_events", "3378aef0a2348f0def6e0044697ba0623985794f9b186efb5fbaf12733f4feb5", refuse
        ),
    ),
)
