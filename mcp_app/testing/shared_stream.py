"""The one stream of a session over HTTP+SSE, read for all of its calls.

What an event is to a call is decided in client/wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mcp_app.client.wire.conversation import Conversation, NotSpoken
from mcp_app.client.wire.http_sse import HttpSseSession
from mcp_app.client.wire.incoming import Incoming
from mcp_app.client.wire.run_events import RunEvent
from mcp_app.testing.in_memory import InMemoryResponse

Take = Callable[[list[RunEvent], int], None]
"""What a call does with events that came for it, and with the number of heartbeats on the stream."""


class SharedStream:
    """Reads the stream until it ends, in a task of its own."""

    def __init__(self, session: HttpSseSession, response: InMemoryResponse) -> None:
        self.ended = False
        self.failure: Exception | None = None
        """Why there is no stream."""
        self._session = session
        self._response = response
        self._takers: dict[Conversation, Take] = {}
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._read(), name="stream of a session")

    async def opened(self) -> None:
        """Wait for the address of messages. Raises NotSpoken where none comes."""
        while not self._session.address and not self.ended:
            self._changed.clear()
            await self._changed.wait()
        if not self._session.address:
            raise self.failure or NotSpoken("the stream ended before its first event", b"")

    def join(self, conversation: Conversation, take: Take) -> None:
        """Have what belongs to the call taken. At the end of the stream nothing is given once more."""
        self._takers[conversation] = take

    async def result(self, conversation: Conversation) -> RunEvent | None:
        """The last event of a call that is on its way; None if the stream ends before."""
        found: list[RunEvent] = []
        came = asyncio.Event()

        def take(events: list[RunEvent], _: int) -> None:
            found.extend(events)
            if conversation.over or self.ended:
                came.set()

        self.join(conversation, take)
        await came.wait()
        return found[-1] if conversation.over else None

    async def leave(self) -> None:
        """Close the stream, with which the session ends, and wait until the server is done with it."""
        self._response.leave()
        await asyncio.wait({self._task})
        await self._response.over()

    async def _read(self) -> None:
        response = self._response
        try:
            status = await response.head()
            stream = Incoming(status or 0, response.headers.get("content-type", ""))
            while (chunk := await response.chunk()) is not None:
                before = stream.heartbeats
                for event in stream.feed(chunk):
                    for concerned, events in self._session.receive(event):
                        self._given(concerned, events)
                for conversation in list(self._takers):
                    self._given(conversation, [], stream.heartbeats - before)
                self._changed.set()
            if not stream.is_stream:
                self.failure = NotSpoken(f"no stream, but {status}", stream.body)
        except Exception as error:  # what the application raised, or what is not of the dialect
            self.failure = error
        finally:
            self.ended = True
            self._changed.set()
            for each in list(self._takers):
                self._given(each, [])

    def _given(self, conversation: Conversation, events: list[RunEvent], heartbeats: int = 0) -> None:
        if (take := self._takers.get(conversation)) is not None:
            take(events, heartbeats)
        if conversation.over:
            self._takers.pop(conversation, None)
