"""Renders JSON-RPC messages as an event stream, one event each, with ids where the client may resume; or the last one
as JSON.

The content of a stream and its end are decided elsewhere; the messages of a run are rendered in protocol/mcp.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...protocol.caller_errors import CREDENTIALS_ENDED
from ...protocol.errors import McpAppError
from ...protocol.event import Entry, EventType
from ...protocol.http import sse
from ...protocol.mcp.jsonrpc import Id
from ...protocol.mcp.rpc_error import rpc_error
from ...web.frames import Rendering
from .filtering import Filtered

_PROGRESS, _PARTIAL, _STEP = EventType.PROGRESS, EventType.PARTIAL, EventType.STEP
_FRAME = sse.frame(b"%b")  # a message has one line
_WHITESPACE = b"\n"
_ID = b"id: %b/%d\n%b"  # stream, number, frame


class RpcRendering:
    """Renders the messages of a run. If the request has a progress token, a progress notification goes with each
    heartbeat: clients reset their timeout on it.

    It also goes with any other message if the last progress was `interval` seconds ago: many clients do not reset
    their timeout on log messages.
    """

    __slots__ = ("_began", "_cap", "_clock", "_filtered", "_interval", "_opening", "_progress_at")

    def __init__(
        self, filtered: Filtered, clock: Callable[[], float], cap_at: float, interval: float, opening: bytes = sse.OPEN
    ) -> None:
        self._opening = opening
        self._filtered = filtered
        self._clock = clock
        self._began = clock()
        self._cap = cap_at - self._began
        self._interval = interval
        self._progress_at = 0.0

    def opening(self) -> bytes:
        return self._opening

    def entries(self, entries: Sequence[Entry]) -> list[bytes]:
        message, now = self._filtered.message, self._clock() - self._began
        frames = []
        for entry in entries:
            frame = _FRAME % message(entry)
            kind = entry.event.type
            if kind is _PROGRESS or kind is _PARTIAL or kind is _STEP:
                self._progress_at = now
            elif now - self._progress_at >= self._interval and not entry.event.last:
                frame += self._keepalive()
            frames.append(frame)
        return frames

    def heartbeat(self) -> bytes:
        return sse.HEARTBEAT + self._keepalive()

    def _keepalive(self) -> bytes:
        self._progress_at = self._clock() - self._began
        progress = self._filtered.transcript.keepalive(self._progress_at, self._cap)
        return b"" if progress is None else sse.frame(progress)

    def cap(self) -> bytes:
        response = self._filtered.promoted
        return sse.comment("cap") if response is None else sse.frame(response)

    def error(self, error: McpAppError) -> bytes:
        return sse.frame(rpc_error(error, self._filtered.transcript.info.id).encode())


class JsonRendering:
    """Renders the response alone, as a JSON body that began before it was there: a line break for each heartbeat, which
    JSON allows in front of a value (RFC 8259, 2). So proxies wait for it as for a stream, and a client that has left is
    noticed."""

    __slots__ = ("_filtered",)

    def __init__(self, filtered: Filtered) -> None:
        self._filtered = filtered

    def opening(self) -> bytes:
        return _WHITESPACE

    def entries(self, entries: Sequence[Entry]) -> list[bytes]:
        return [self._filtered.rendered.pop(entry.number) for entry in entries if entry.event.last]

    def heartbeat(self) -> bytes:
        return _WHITESPACE

    def cap(self) -> bytes:
        response = self._filtered.promoted
        assert response is not None  # noqa: S101 - a JSON body ends with the run, unless it is promoted
        return response

    def error(self, error: McpAppError) -> bytes:
        return rpc_error(error, self._filtered.transcript.info.id).encode()


class MessageRendering:
    """Renders entries whose data is a complete message, of no run. `event` is the event type, if the transport has one;
    `id` is the id of errors, if a request opened the stream."""

    def __init__(self, opening: bytes = sse.OPEN, *, event: str | None = None, id: Id | None = None) -> None:  # noqa: A002 - the wire's name
        self._opening = opening
        self._event = event
        self._id = id

    def opening(self) -> bytes:
        return self._opening

    def entries(self, entries: Sequence[Entry]) -> list[bytes]:
        return [sse.frame(each.event.data, event=self._event) for each in entries]

    def heartbeat(self) -> bytes:
        return sse.HEARTBEAT

    def cap(self) -> bytes:
        return sse.comment("cap")

    def error(self, error: McpAppError) -> bytes:
        return sse.frame(rpc_error(error, self._id).encode(), event=self._event)


class Resumable:
    """Adds ids to the events of a rendering, "as a cursor within that particular stream" (2025-11-25, Resumability).

    With `retry_ms` the stream may end early and be polled: it is primed "with an event ID and an empty data field", and
    `retry` is sent "before closing the connection" (2025-11-25, Sending Messages to the Server, 6). Not earlier: Java
    clients drop a stream at that field. Older clients would parse the empty data.
    """

    def __init__(self, rendering: Rendering, stream: str, after: int, retry_ms: int | None) -> None:
        self._rendering = rendering
        self._stream = stream.encode()
        self._last = after
        self._retry_ms = retry_ms

    def opening(self) -> bytes:
        return self._rendering.opening() + self._primer(None)

    def entries(self, entries: Sequence[Entry]) -> list[bytes]:
        self._last = entries[-1].number
        frames = self._rendering.entries(entries)
        return [_ID % (self._stream, entry.number, frame) for entry, frame in zip(entries, frames, strict=True)]

    def heartbeat(self) -> bytes:
        return self._rendering.heartbeat()

    def cap(self) -> bytes:
        return self._rendering.cap() + self._primer(self._retry_ms)

    def error(self, error: McpAppError) -> bytes:
        """No response where the run goes on, and its client may come back by other credentials: it would end the
        request. Who comes back by those that have ended is told so by a 401."""
        if isinstance(error, CREDENTIALS_ENDED):
            return sse.comment(error.code) + self._primer(self._retry_ms)
        return self._rendering.error(error)

    def _primer(self, retry_ms: int | None) -> bytes:
        if self._retry_ms is None:
            return b""
        return sse.frame(b"", id=f"{self._stream.decode()}/{self._last}", retry=retry_ms)
