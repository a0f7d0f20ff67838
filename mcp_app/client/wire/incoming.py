"""A response as its bytes come in: the events of a stream, or one body. No byte is read from anywhere here, and what an
event means is the dialect's."""

from __future__ import annotations

from mcp_app.client.wire.outgoing import EVENT_STREAM
from mcp_app.protocol.http.sse import Decoder, ServerSentEvent

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Bound of a body that is no stream. A JSON answer of our server is a result (1 MiB at most) and its progress; without
a bound a hostile server could fill the memory."""


class AnswerTooLarge(ValueError):
    """A body that is no stream is larger than MAX_ANSWER_BYTES."""


class Incoming:
    """The response to one request."""

    def __init__(self, status: int, content_type: str) -> None:
        """`content_type` is the header field, empty if there is none."""
        self.status = status
        self.media_type = content_type.partition(";")[0].strip().lower()
        self.is_stream = status == 200 and self.media_type == EVENT_STREAM
        self._decoder = Decoder()
        self._body = bytearray()

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that the chunk completes; none where the response is no stream. Raises OversizedEventError and
        AnswerTooLarge."""
        if self.is_stream:
            return self._decoder.feed(chunk)
        self._body += chunk
        if len(self._body) > MAX_ANSWER_BYTES:
            raise AnswerTooLarge(f"more than {MAX_ANSWER_BYTES} bytes")
        return []

    @property
    def body(self) -> bytes:
        """What came of a body that is no stream."""
        return bytes(self._body)

    @property
    def comments(self) -> int:
        """Comments of the stream so far: its opening, heartbeats, and others."""
        return self._decoder.comments

    @property
    def heartbeats(self) -> int:
        """Those that are empty, as heartbeats are."""
        return self._decoder.heartbeats
