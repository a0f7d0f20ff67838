"""How a stream of JSON-RPC messages looks: one event each, with ids where their reader may come back.

What is sent, and when the stream ends, is decided elsewhere; the messages of a run are protocol/mcp's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...protocol.errors import McpAppError
from ...protocol.event import Entry, EventType
from ...protocol.http import sse
from ...protocol.mcp.jsonrpc import Id
from ...protocol.mcp.rpc_error import rpc_error
from ...web.frames import Rendering
from .filtering import Filtered

_PROGRESS, _PARTIAL = EventType.PROGRESS, EventType.PARTIAL
_FRAME = sse.frame(b"%b")  # a message has one line
_ID = b"id: %b/%d\n%b"  # before a frame


class RpcRendering:
    """JSON-RPC messages as events; with a progress token, a heartbeat brings a sign of life that the client counts.

    So does any other message `often` seconds after the last progress: to many clients a log is no life.
    """

    __slots__ = ("_began", "_cap", "_clock", "_filtered", "_often", "_progress_at")

    def __init__(self, filtered: Filtered, clock: Callable[[], float], cap_at: float, often: float) -> None:
        self._filtered = filtered
        self._clock = clock
        self._began = clock()
        self._cap = cap_at - self._began
        self._often = often
        self._progress_at = 0.0

    def opening(self) -> bytes:
        return sse.OPEN

    def entries(self, entries: Sequence[Entry]) -> list[bytes]:
        rendered, now = self._filtered.rendered, self._clock() - self._began
        frames = []
        for entry in entries:
            frame = _FRAME % rendered.pop(entry.number)
            kind = entry.event.type
            if kind is _PROGRESS or kind is _PARTIAL:
                self._progress_at = now
            elif now - self._progress_at >= self._often and not entry.event.last:
                frame += self._silent_progress()
            frames.append(frame)
        return frames

    def heartbeat(self) -> bytes:
        return sse.HEARTBEAT + self._silent_progress()

    def _silent_progress(self) -> bytes:
        self._progress_at = self._clock() - self._began
        progress = self._filtered.transcript.silent_progress(self._progress_at, self._cap)
        return b"" if progress is None else sse.frame(progress)

    def cap(self) -> bytes:
        handle = self._filtered.handle
        return sse.comment("cap") if handle is None else sse.frame(handle)

    def error(self, error: McpAppError) -> bytes:
        return sse.frame(rpc_error(error, self._filtered.transcript.asked.id).encode())


class MessageRendering:
    """Entries that are messages already, of no run. `event` is their name, where a transport has one; an error is under
    `id`, where one request opened the stream."""

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
    """A rendering whose events have ids, "as a cursor within that particular stream" (2025-11-25, Resumability).

    With `retry_ms` the stream may end early and be polled: it is primed "with an event ID and an empty data field", and
    ends with another of those (2025-11-25, Sending Messages to the Server, 6). Older clients would parse that.
    """

    def __init__(self, rendering: Rendering, stream: str, after: int, retry_ms: int | None) -> None:
        self._rendering = rendering
        self._stream = stream.encode()
        self._last = after
        self._retry_ms = retry_ms

    def opening(self) -> bytes:
        return self._rendering.opening() + self._primer()

    def entries(self, entries: Sequence[Entry]) -> list[bytes]:
        self._last = entries[-1].number
        frames = self._rendering.entries(entries)
        return [_ID % (self._stream, entry.number, frame) for entry, frame in zip(entries, frames, strict=True)]

    def heartbeat(self) -> bytes:
        return self._rendering.heartbeat()

    def cap(self) -> bytes:
        return self._rendering.cap() + self._primer()

    def error(self, error: McpAppError) -> bytes:
        return self._rendering.error(error)

    def _primer(self) -> bytes:
        if self._retry_ms is None:
            return b""
        return sse.frame(b"", id=f"{self._stream.decode()}/{self._last}", retry=self._retry_ms)
