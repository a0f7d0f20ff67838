"""A session's own stream: messages that belong to no request, in a log of their own, and whoever listens to it.

An entry of this log is one whole JSON-RPC message. "The server MUST send each of its JSON-RPC messages on only one of
the connected streams" (2025-11-25, Multiple Connections): the listener who came last is the one that gets them. Which
messages there are is not known here.
"""

from __future__ import annotations

import asyncio
import logging
import secrets

from ....eventlog import EventLog
from ....protocol.errors import InvalidRequest, Purged, UnknownRun
from ....protocol.event import Entry, Event, EventType
from ....protocol.policy import WINDOW_BYTES, WINDOW_ENTRIES, Retention

logger = logging.getLogger("mcp_app.mcp")

KEEP = Retention(entries=WINDOW_ENTRIES, bytes=WINDOW_BYTES)
"""Messages kept for a client that is not listening, or that lost its connection."""


_END = Event(EventType.COMPLETE, b"null")
"""After the last message."""


class Outbox:
    """The messages, in their order. `id` names the stream in event ids."""

    def __init__(self, log: EventLog) -> None:
        self.id = secrets.token_hex(16)
        self.taken = 0
        """The number of the last message that was given to a listener."""
        self.last = 0
        self.listener: Listener | None = None
        self.closed = False
        self._log = log
        self._waiting: list[Event] = []
        self._sending: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._log.open(self.id, KEEP)

    def send(self, message: bytes) -> None:
        """Never waits: whoever has something to say may be anywhere. A closed outbox says nothing."""
        if self.closed:
            return
        self._append(Event(EventType.LOG, message))

    def _append(self, event: Event) -> None:
        self._waiting.append(event)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send(), name=f"messages of {self.id}")

    async def _send(self) -> None:
        try:
            while self._waiting:
                events, self._waiting = self._waiting, []
                entry = await self._log.append(self.id, events)
                self.last = entry.number
        except UnknownRun:
            self._waiting.clear()  # the session has ended, and nobody listens any more
        finally:
            self._sending = None

    def listen(self, after: int | None = None) -> Listener:
        """From number `after` on, or where the last listener stopped. The listener before this one ends.

        Raises InvalidRequest for a number that is still to come.
        """
        if after is not None and after > self.last:
            raise InvalidRequest(f"Last-Event-ID is {after}; this stream has had {self.last} messages.")
        self.listener = Listener(self, self._log, self.taken if after is None else after)
        return self.listener

    def close(self) -> None:
        """The session has ended, and its stream with it: whoever listens hears the rest first. Closing twice does
        nothing."""
        if self.closed:
            return
        self.closed = True
        if self.listener is None:
            self._log.forget(self.id)
        else:
            self._append(_END)

    def left_by(self, listener: Listener) -> None:
        """The listener is closed."""
        if self.listener is listener:
            self.listener = None
            if self.closed:
                self._log.forget(self.id)


class Listener:
    """Gives out messages, as a `Reader` does entries."""

    def __init__(self, outbox: Outbox, log: EventLog, after: int) -> None:
        self.stream = outbox.id
        self.after = after
        self._outbox = outbox
        self._log = log
        self._ended = False

    async def next(self, until: float) -> list[Entry] | None:
        """The next messages; None when the session has ended, or somebody else listens now.

        Raises Purged when messages were lost; the next listener goes on behind them.
        """
        if self._over():
            return None
        try:
            batch = await self._log.read(self._outbox.id, self.after, until)
        except UnknownRun:
            return None
        except Purged:
            self._outbox.taken = self._outbox.last
            raise
        if self._over():  # while it waited: the messages are another's
            return None
        if not batch:
            return batch
        self.after = batch[-1].number
        self._outbox.taken = max(self._outbox.taken, self.after)
        self._ended = batch[-1].event.last
        messages = [each for each in batch if not each.event.last]
        return messages or None

    def close(self) -> None:
        """The response is over. Closing twice does nothing."""
        self._outbox.left_by(self)

    def _over(self) -> bool:
        return self._ended or self._outbox.listener is not self
