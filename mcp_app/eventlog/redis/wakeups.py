"""Readers are woken, not polling: each waits at a bell, which rings when something was published on its channel.

One connection for each server hears all channels of this process (one in all, but for a Cluster: there a channel is
heard only at the primary of its slot, the same that has the run). A message may be lost with the connection: then every
bell rings, and who waits looks for itself. What is published is not known here, but for the number in it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from redis import exceptions
from redis.asyncio.connection import Connection
from redis.crc import key_slot

from ...aio.deadlines import Deadlines
from .address import RedisKind
from .client import REDIRECTIONS, RedisClient
from .faults import LOSSES, Lost
from .line import Line
from .topology import Place, connection

logger = logging.getLogger("mcp_app.eventlog")

LINGER_SECONDS = 10.0
"""How long a channel is still heard after its last reader: one that comes back soon costs no command."""


class Bell:
    """One channel. `rung` counts; `last` is the number that was published last, 0 when it is not known."""

    __slots__ = ("channel", "last", "line", "rung", "subscribing", "users", "waiters")

    def __init__(self, channel: bytes) -> None:
        self.channel = channel
        self.line: Line | None = None
        self.subscribing: asyncio.Future[None] | None = None
        self.rung = 0
        self.last = 0
        self.users = 0
        self.waiters: set[asyncio.Future[bool]] = set()

    @property
    def heard(self) -> bool:
        return self.line is not None and self.line.connected

    def ring(self, last: int = 0) -> None:
        self.rung += 1
        self.last = last
        waiters, self.waiters = self.waiters, set()
        for future in waiters:
            _resolve(future, rung=True)


class Wakeups:
    """The bells of this process."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client
        self._bells: dict[bytes, Bell] = {}
        self._lines: dict[Place | None, Line] = {}
        self._waits: Deadlines[asyncio.Future[bool]] = Deadlines(_resolve)
        self._leaving: Deadlines[bytes] = Deadlines(self._silence)
        self._closed = False

    def enter(self, channel: bytes) -> Bell:
        """Must be paired with `leave`. Nothing is heard before `listen`."""
        bell = self._bells.get(channel)
        if bell is None:
            bell = self._bells[channel] = Bell(channel)
        bell.users += 1
        self._leaving.cancel(channel)
        return bell

    def leave(self, bell: Bell) -> None:
        bell.users -= 1
        if not bell.users:
            self._leaving.at(bell.channel, asyncio.get_running_loop().time() + LINGER_SECONDS)

    async def listen(self, bell: Bell) -> None:
        """Hear the channel, if it is not heard: who then looks, and waits, misses nothing. Raises LogUnavailable."""
        while not bell.heard:
            if bell.subscribing is None:
                bell.subscribing = asyncio.ensure_future(self._subscribe(bell))
                bell.subscribing.add_done_callback(lambda done: done.cancelled() or done.exception())
            await asyncio.shield(bell.subscribing)

    async def wait(self, bell: Bell, rung: int, until: float) -> bool:
        """Until the bell has rung more often than that: True; or the event loop's clock says `until`: False."""
        if bell.rung != rung:
            return True
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waits.at(future, until)
        bell.waiters.add(future)
        try:
            return await future
        finally:
            self._waits.cancel(future)
            bell.waiters.discard(future)

    async def close(self) -> None:
        self._closed = True
        self._leaving.close()
        await asyncio.gather(*(line.close() for line in self._lines.values()))
        self.ring_all()

    async def _subscribe(self, bell: Bell) -> None:
        try:
            bell.line, bell.last = await self._subscribed(bell.channel), 0
        except (Lost, *LOSSES) as error:
            self._client.topology.doubt()
            raise self._client.unavailable(error) from error
        finally:
            bell.subscribing = None

    async def _subscribed(self, channel: bytes) -> Line:
        """The line on which the channel is heard now. Raises Lost or one of LOSSES."""
        for _ in range(REDIRECTIONS):
            line = await self._line(channel)
            try:
                await line.call("SSUBSCRIBE", channel)
            except exceptions.MovedError as error:
                self._client.topology.moved(error.slot_id, (error.host, error.port))
            else:
                return line
        raise Lost("it sends each subscription to another node")

    async def _line(self, channel: bytes) -> Line:
        address, topology = self._client.address, self._client.topology
        slot = key_slot(channel)
        place = await topology.primary(slot) if address.kind is RedisKind.CLUSTER else None
        line = self._lines.get(place)
        if self._closed:
            raise Lost("the log is closed")
        if line is None:

            async def connect() -> Connection:
                return connection(address, place or await topology.primary(slot))

            line = self._lines[place] = Line(str(address), connect, on_push=self._pushed, on_lost=self._lost)
        return line

    def _pushed(self, message: list[Any]) -> None:
        bell = self._bells.get(message[1])
        if bell is None:
            return
        if message[0] == b"smessage":
            bell.ring(int(message[2]))
        else:  # the slot has moved: it is heard elsewhere from now on
            bell.line = None
            self._client.topology.doubt()
            bell.ring()

    def ring_all(self) -> None:
        """Whoever waits looks for itself."""
        for bell in self._bells.values():
            bell.ring()

    def keep_alive(self) -> None:
        """To be called each few seconds."""
        for line in self._lines.values():
            line.ping()

    def _lost(self) -> None:
        for bell in self._bells.values():
            if not bell.heard:
                bell.line = None
                bell.ring()

    def _silence(self, channel: bytes) -> None:
        """Nobody has listened for a while."""
        bell = self._bells[channel]
        if bell.users:
            return
        del self._bells[channel]
        if bell.line is not None:
            bell.line.tell("SUNSUBSCRIBE", channel)


def _resolve(future: asyncio.Future[bool], rung: bool = False) -> None:
    if not future.done():
        future.set_result(rung)
