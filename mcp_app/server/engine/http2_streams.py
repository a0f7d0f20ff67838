"""The streams of an HTTP/2 connection: how many a client may open, and who receives DATA for one that was answered.

What a stream's request and response are is in `streams`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from h2.settings import SettingCodes, Settings
from hypercorn.protocol.events import Body, Event
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.protocol.ws_stream import WSStream

MAX_EXCESS_STREAMS = 1024
"""Streams over the limit that are refused individually per read of the socket; beyond, the connection ends as upstream:
no client opens that many by mistake, and each costs some KiB until it is refused."""


class DiscardingStream:
    """The receiver of DATA for a stream that has already been answered."""

    def __init__(self, discard: Callable[[int, int], None]) -> None:
        self._discard = discard

    async def handle(self, event: Event) -> None:
        """Count the bytes of the event, and discard them."""
        if isinstance(event, Body):
            self._discard(event.stream_id, len(event.data))


class ActiveStreams(dict[int, HTTPStream | WSStream]):
    """The streams not yet answered; a lookup of any other returns one that discards its events.

    As released, a DATA frame received after the response raises KeyError, which ends the connection and every other
    stream on it (https://github.com/pgjones/hypercorn/issues/329, https://github.com/pgjones/hypercorn/pull/312,
    https://github.com/pgjones/hypercorn/pull/334). Here it is discarded, and acknowledged, as upstream does with every
    DATA frame: the connection's window must not shrink, and the client gets window to finish its body with (see
    `lingering`).
    """

    def __init__(self, discarding: DiscardingStream) -> None:
        self._discarding: Any = discarding

    def __missing__(self, stream_id: int) -> HTTPStream | WSStream:
        stream: HTTPStream | WSStream = self._discarding
        return stream


class LenientSettings(Settings):
    """Settings as sent to the client, whose stream limit h2 enforces only when it is exceeded by MAX_EXCESS_STREAMS."""

    @property
    def max_concurrent_streams(self) -> int:
        """The limit that h2 enforces, by ending the connection."""
        announced: int = self.get(SettingCodes.MAX_CONCURRENT_STREAMS, 0)
        return announced + MAX_EXCESS_STREAMS

    @max_concurrent_streams.setter
    def max_concurrent_streams(self, value: int) -> None:
        self[SettingCodes.MAX_CONCURRENT_STREAMS] = value


def lenient_settings(settings: Settings) -> LenientSettings:
    # Iterating gives plain integers; only settings that the standard defines are in it.
    values = {SettingCodes(code): value for code, value in settings.items()}
    return LenientSettings(client=False, initial_values=values)
