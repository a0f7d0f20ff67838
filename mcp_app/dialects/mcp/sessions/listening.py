"""A session's own stream as the body of a response: with ids and the cap for those who come back, bare for 2024-11-05.

Who may listen, and what is said, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable

from ....config.settings import Settings
from ....middleware.heartbeat import Heartbeat
from ....middleware.time_cap import CappedBatches
from ....protocol.policy import MCP_2025_11_25, OnCap
from ....protocol.stream import Stream
from ....web.frames import Frames, Rendering
from ....web.messages import STREAM_HEADERS, Answer
from ....web.metrics import Metrics
from ..rendering import MessageRendering, Resumable
from .outbox import Listener
from .session import Session

_EVENT = "message"
"""The name of an event in both transports; it is SSE's default."""

UNCAPPED_SECONDS = 86400.0
"""Of a 2024-11-05 stream, which cannot be come back to: its session's idle time ends it, and a day in any case."""


class Listening:
    """Answers with a session's own stream."""

    def __init__(self, settings: Settings, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock = clock

    def answer(self, session: Session, after: int | None = None) -> Answer:
        """From number `after` on, or where the last listener stopped. Its leaving means nothing; while it is there, the
        session is in use."""
        listener = session.outbox.listen(after)
        retry_ms = MCP_2025_11_25.retry_ms if session.revision.polled else None
        rendering = Resumable(MessageRendering(event=_EVENT), session.outbox.id, listener.after, retry_ms)
        session.streams += 1

        def closed() -> None:
            session.streams -= 1
            session.touched = self._clock()

        return self._answer(listener, rendering, self._settings.cap_seconds, closed)

    def answer_bare(self, session: Session, opening: bytes, on_close: Callable[[], None]) -> Answer:
        """2024-11-05: the one stream of the session, which begins with `opening`; `on_close` is called at its end."""
        return self._answer(
            session.outbox.listen(), MessageRendering(opening, event=_EVENT), UNCAPPED_SECONDS, on_close
        )

    def _answer(self, listener: Listener, rendering: Rendering, cap: float, on_close: Callable[[], None]) -> Answer:
        self._metrics.streams.add()
        stream = Stream(self._clock(), heartbeat=self._settings.heartbeat_seconds, cap=cap)
        capped = CappedBatches(listener, stream, self._clock, OnCap.END_STREAM, lambda: None)

        def closed() -> None:
            self._metrics.streams.ended.add()
            on_close()

        batches = Heartbeat(capped, stream, self._clock, self._metrics.heartbeats.add)
        frames = Frames(batches, stream, self._clock, run=listener.stream, rendering=rendering, on_close=closed)
        return Answer(200, STREAM_HEADERS, frames)
