"""A session's own stream as the body of a response: resumable and capped, or without ids and cap for 2024-11-05.

Access to the stream and its content are decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable

from ....config.settings import Settings
from ....middleware.heartbeat import Heartbeat
from ....middleware.time_cap import CappedBatches
from ....protocol.http import sse
from ....protocol.policy import MCP_2025_11_25, OnCap
from ....protocol.stream import Stream
from ....web.frames import Frames, Rendering
from ....web.messages import STREAM_HEADERS, Answer
from ....web.metrics import Metrics
from ..rendering import MessageRendering, Resumable
from .outbox import Listener
from .session import Session

_EVENT = "message"
"""The event type in both transports; it is the default of SSE."""

UNCAPPED_SECONDS = 86400.0
"""The maximum age of a 2024-11-05 stream, a day. It cannot be resumed, so it has no cap: its client ends it, or a
heartbeat that cannot be written."""


class Listening:
    """Answers with a session's own stream."""

    def __init__(self, settings: Settings, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock = clock

    def answer(self, session: Session, after: int | None = None) -> Answer:
        """The messages after number `after`, or after the last one delivered. Closing the stream does not end the
        session."""
        listener = session.outbox.listen(after)
        retry_ms = MCP_2025_11_25.retry_ms if session.record.revision.polled else None
        opening = sse.OPEN if after is None else sse.OPEN_AGAIN
        rendering = Resumable(MessageRendering(opening, event=_EVENT), session.outbox.id, listener.after, retry_ms)
        return self._answer(session, listener, rendering, self._settings.cap_seconds, lambda: None)

    def answer_without_ids(self, session: Session, opening: bytes, on_close: Callable[[], None]) -> Answer:
        """The only stream of a 2024-11-05 session. It starts with `opening`; `on_close` is called when it ends."""
        rendering = MessageRendering(opening, event=_EVENT)
        return self._answer(session, session.outbox.listen(), rendering, UNCAPPED_SECONDS, on_close)

    def _answer(
        self, session: Session, listener: Listener, rendering: Rendering, cap: float, on_close: Callable[[], None]
    ) -> Answer:
        """While the stream is open the session is in use."""
        session.streams += 1
        self._metrics.streams.add()
        stream = Stream(self._clock(), heartbeat=self._settings.heartbeat_seconds, cap=cap)
        capped = CappedBatches(listener, stream, self._clock, OnCap.END_STREAM, lambda: None)

        def closed() -> None:
            session.streams -= 1
            session.touched = self._clock()
            self._metrics.streams.ended.add()
            on_close()

        batches = Heartbeat(capped, stream, self._clock, self._metrics.heartbeats.add)
        frames = Frames(batches, stream, self._clock, run=listener.stream, rendering=rendering, on_close=closed)
        return Answer(200, STREAM_HEADERS, frames)
