"""A session's own stream: the messages that belong to no request, in a log of their own, and its listener.

Each entry of this log is one complete JSON-RPC message. "The server MUST send each of its JSON-RPC messages on only one
of the connected streams" (2025-11-25, Multiple Connections): they are delivered to the newest listener. Where several
processes share a log, one of them holds the outbox, in its memory, and the others send theirs there; which one, and how
it goes from one to another, is not known here, nor is the content of the messages.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

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


LOST_NUMBERS = 1_000_000_000
"""How far the numbers of an outbox jump when the process that held it died with it: nobody knows how many it had given
out, and a number is never given out twice. More messages than one session gets; and with a million such jumps a number
still has the 15 digits that `Last-Event-ID` may have."""


class KeptMessages(NamedTuple):
    """An outbox that is held by nobody: its last messages, behind number `before`, and how far they were delivered."""

    before: int
    delivered: int
    lost: int
    messages: Sequence[str]


class Outbox:
    """The messages of one session, in order. `id` identifies the stream in event ids.

    `forward` is where messages go while another process holds the outbox; None while this one does.
    """

    def __init__(self, log: EventLog, session: str) -> None:
        self.id = hashlib.sha256(session.encode()).hexdigest()[:32]  # each process has to know it
        self.forward: Callable[[bytes], None] | None = None
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
        self.opened = False
        """Whether the outbox is held here."""
        self.losses = 0
        """How often a process took the messages with it, when it was opened here."""
        self.offset = 0
        """Of the numbers in event ids: how many more they are than those of the log, which begins at 1 where the outbox
        is held."""

    # --- held, here or elsewhere -------------------------------------------------------------------------------------

    async def open(self, kept: KeptMessages | None = None, losses: int = 0, *, told: bool = False) -> None:
        """Hold it from now on: what was sent meanwhile comes behind what it had. `kept` is what the process before this
        one left; `losses` is how often one left nothing. `told`: then also a client that comes back without a number is
        told of the loss."""
        if kept is None:
            first = losses * LOST_NUMBERS
            kept = KeptMessages(first, 0 if told else first, 0, ())
        self.offset, self.last = kept.before, kept.before + len(kept.messages)
        self.delivered, self.lost = kept.delivered, kept.lost
        await self._log.open(self.id, RETENTION)
        if kept.messages:
            events = [Event(EventType.LOG, each.encode()) for each in kept.messages]
            self.read_bytes = sum(each.size for each in events[: self.delivered - kept.before])
            self._sent_bytes += (await self._log.append(self.id, events)).end
        self.opened, self.losses, self.forward = True, losses, None
        self._flush()

    async def give_up(self, forward: Callable[[bytes], None]) -> KeptMessages:
        """Hold it no longer: its stream ends, and what is sent from now on is forwarded. Returns what is to be kept."""
        while self._sender is not None:
            await asyncio.wait({self._sender})
        self.opened, self.forward, self.listener = False, forward, None
        self._wake()
        before = max(self.offset, self.last - RETENTION.entries)
        try:
            messages = await self._messages(before)
        except Purged:  # they have more bytes than are kept
            before = self.delivered
            messages = await self._messages(before)
        self._log.forget(self.id)
        self._sent_bytes = self.read_bytes = 0
        for event in self._queue:  # sent while the messages were read
            forward(event.data)
        self._queue.clear()
        return KeptMessages(before, self.delivered, self.lost, [each.event.data.decode() for each in messages])

    async def read(self, after: int, until: float) -> list[Entry]:
        """As `EventLog.read`, by the numbers of event ids."""
        if after < self.offset:
            raise Purged("Messages of this session were lost with the process that held them.")
        batch = await self._log.read(self.id, after - self.offset, until)
        return [Entry(each.number + self.offset, each.event, each.end) for each in batch] if self.offset else batch

    async def _messages(self, after: int) -> list[Entry]:
        found: list[Entry] = []
        while after + len(found) < self.last:
            found += await self.read(after + len(found), 0.0)
        return found

    # --- what is sent ------------------------------------------------------------------------------------------------

    def send(self, message: bytes) -> None:
        """Queue a message. Never blocks, so it can be called from synchronous code. Does nothing once closed."""
        if self.closed:
            return
        if self.forward is not None:
            self.forward(message)
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
        self._flush()

    def _flush(self) -> None:
        if self._queue and self.opened and self._sender is None:
            self._sender = asyncio.create_task(self._send(), name=f"messages of {self.id}")

    async def _send(self) -> None:
        try:
            while self._queue:
                events, self._queue = self._queue, []
                entry = await self._log.append(self.id, events)
                self.last = entry.number + self.offset
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
        self.listener = Listener(self, self.delivered if after is None else max(after, self.lost))
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

    def __init__(self, outbox: Outbox, after: int) -> None:
        self.stream = outbox.id
        self.after = after
        self._outbox = outbox
        self._ended = False

    async def next(self, until: float) -> list[Entry] | None:
        """The next messages; None when the session has ended, or this listener has been replaced.

        Raises Purged if messages have been lost; the next listener continues after them.
        """
        if self._detached():
            return None
        outbox = self._outbox
        try:
            batch = await outbox.read(self.after, until)
        except UnknownRun:
            return None
        except Purged:
            outbox.delivered = outbox.lost = outbox.last
            raise
        if self._detached():  # replaced during the await: the messages belong to the new listener
            return None
        if not batch:
            return batch
        self.after = batch[-1].number
        outbox.delivery(batch[-1])
        self._ended = batch[-1].event.last
        messages = [each for each in batch if not each.event.last]
        return messages or None

    def close(self) -> None:
        """Called when the response has ended. Idempotent."""
        self._outbox.detach(self)

    def _detached(self) -> bool:
        return self._ended or self._outbox.listener is not self
