"""What a call is to whoever sends its requests: the first request, what comes of a response, and what is sent next.

Pure: a conversation is given what came in, and gives out events and requests. It waits for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from mcp_app.client.wire.outgoing import Outgoing
from mcp_app.client.wire.question import Question
from mcp_app.client.wire.run_events import RunEvent
from mcp_app.protocol.http.sse import ServerSentEvent


class NotSpoken(ValueError):
    """What came is not of the dialect: the message says what, and the beginning of it."""

    def __init__(self, what: str, data: str | bytes) -> None:
        text = data.decode(errors="replace") if isinstance(data, bytes) else data
        super().__init__(f"{what}: {text[:200]!r}")


class Conversation(Protocol):
    """One call."""

    over: bool
    """The last event was given out."""

    def begin(self) -> Outgoing:
        """The first request."""

    def event(self, event: ServerSentEvent) -> list[RunEvent]:
        """An event of a response that is a stream. Raises NotSpoken."""

    def answer(self, status: int, body: bytes) -> list[RunEvent]:
        """A response that is no stream. Raises NotSpoken."""

    def proceed(self) -> Outgoing | None:
        """The request that follows when a response has ended, or was cut: the rest of a stream, the next round. None if
        the call is over, or there is no way to go on. Questions must have been answered before."""

    def reply(self, question: Question, result: Mapping[str, Any]) -> Outgoing | None:
        """Answer a question. What is to be sent at once, if anything is."""

    def cancel(self) -> Outgoing | None:
        """The request that cancels the call; None where closing its stream does."""
