"""A session's own stream: the messages that belong to no request, in a log of their own, and its listener.

Each entry of this log is one complete JSON-RPC message. "The server MUST send each of its JSON-RPC messages on only one
of the connected streams" (2025-11-25, Multiple Connections): they are delivered to the newest listener. The content of
the messages is not known here.
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

RETENTION = Retention(entries=WINDOW_ENTRIES, bytes=WINDOW_BYTES)
"""Messages kept for a client that is not listening, or that lost its connection."""

UNREAD_BYTES = RETENTION.bytes // 2
UNREAD_MESSAGES = RETENTION.entries // 2
"""Of these, what `deliver` leaves unread, so that messages which cannot wait have room, too."""

_END = Event(EventType.COMPLETE, b"null")
"""The entry after the last message."""


class Outbox:
    """The messages of one session, in order. `id` identifies the stream in event ids."""

    def __init__(self, log: EventLog) -> None:
        self.id = secrets.token_hex(16)
        self.delivered = 0
        """The number of the last message that was delivered to a listener."""
        self.lost = 0
        """The number of the last message of which a listener was told that messages up to it may be lost."""
        self.last = 0
        """The number of the last message in the log."""
        self.listener: Listener | None = None
        self.closed = False
        self.read_bytes = 0
        """The sum of the sizes of the messages that were delivered."""
        self._sent_bytes = 0
        self._waits = True
        self._room: asyncio.Event | None = None  # set when messages were read; created by the first that waits
        self._log = log
        self._queue: list[Event] = []
        self._sender: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._log.open(self.id, RETENTION)

    def send(self, message: bytes) -> None:
        """Queue a message. Never blocks, so it can be called from synchronous code. Does nothing once closed."""
        if self.closed:
            return
        self._append(Event(EventType.LOG, message))

    async def deliver(self, message: bytes) -> None:
        """Queue a message when the listener has read enough of those before: what it has not read would else be
        dropped. A message of any size fits when all others are read."""
        while self._waits and self.listener is not None and not self.closed:
            unread = self._sent_bytes - self.read_bytes
            if not unread or (unread + len(message) <= UNREAD_BYTES and self._unread_messages < UNREAD_MESSAGES):
                break
            self._room = self._room or asyncio.Event()
            self._room.clear()
            await self._room.wait()
        self.send(message)

    def stop_waiting(self) -> None:
        """From now on `deliver` does not wait: the server is being stopped."""
        self._waits = False
        self._wake()

    def _wake(self) -> None:
        if self._room is not None:
            self._room.set()

    @property
    def _unread_messages(self) -> int:
        return self.last + len(self._queue) - self.delivered

    def delivery(self, last: Entry) -> None:
        """Called by the listener: it has all messages up to and including this one."""
        self.delivered = max(self.delivered, last.number)
        self.read_bytes = max(self.read_bytes, last.end)
        self._wake()

    def _append(self, event: Event) -> None:
        self._sent_bytes += event.size
        self._queue.append(event)
        if self._sender is None:
            self._sender = asyncio.create_task(self._send(), name=f"messages of {self.id}")

    async def _send(self) -> None:
        try:
            while self._queue:
                events, self._queue = self._queue, []
                entry = await self._log.append(self.id, events)
                self.last = entry.number
        except UnknownRun:
            self._queue.clear()  # the session has ended and its log is gone
        finally:
            self._sender = None

    def check(self, after: int | None) -> None:
        """Raises InvalidRequest for a number that has not been reached yet."""
        if after is not None and after > self.last:
            raise InvalidRequest(f"Last-Event-ID is {after}; this stream has had {self.last} messages.")

    def listen(self, after: int | None = None) -> Listener:
        """A listener for the messages after number `after`, or after the last one delivered. Replaces the previous one.

        A loss is told once: a client that comes back with the number from before it gets what follows the loss.

        Raises InvalidRequest for a number that has not been reached yet.
        """
        self.check(after)
        self.listener = Listener(self, self._log, self.delivered if after is None else max(after, self.lost))
        return self.listener

    def close(self) -> None:
        """End the stream, because the session has ended: the listener gets the remaining messages first. Idempotent."""
        if self.closed:
            return
        self.closed = True
        self._wake()
        if self.listener is None:
            self._log.forget(self.id)
        else:
            self._append(_END)

    def detach(self, listener: Listener) -> None:
        """Called when the listener is closed."""
        if self.listener is listener:
            self.listener = None
            self._wake()
            if self.closed:
                self._log.forget(self.id)


class Listener:
    """Reads the messages, with the same interface as a run's `Reader`."""

    def __init__(self, outbox: Outbox, log: EventLog, after: int) -> None:
        self.stream = outbox.id
        self.after = after
        self._outbox = outbox
        self._log = log
        self._ended = False

    async def next(self, until: float) -> list[Entry] | None:
        """The next messages; None when the session has ended, or this listener has been replaced.

        Raises Purged if messages have been lost; the next listener continues after them.
        """
        if self._detached():
            return None
        try:
            batch = await self._log.read(self._outbox.id, self.after, until)
        except UnknownRun:
            return None
        except Purged:
            self._outbox.delivered = self._outbox.lost = self._outbox.last
            raise
        if self._detached():  # replaced during the await: the messages belong to the new listener
            return None
        if not batch:
            return batch
        self.after = batch[-1].number
        self._outbox.delivery(batch[-1])
        self._ended = batch[-1].event.last
        messages = [each for each in batch if not each.event.last]
        return messages or None

    def close(self) -> None:
        """Called when the response has ended. Idempotent."""
        self._outbox.detach(self)

    def _detached(self) -> bool:
        return self._ended or self._outbox.listener is not self
