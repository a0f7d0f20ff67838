"""The way to one server that is there again after each loss: it connects when it is used, and says so once each time.

Which server that is, is asked anew at each connection. What is sent is not known here, and nothing is repeated.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from redis.asyncio.connection import Connection

from ..shared import RETRY_SECONDS
from .facts import ServerFacts, read_facts
from .faults import LOSSES, Lost, reason
from .link import Argument, Link, Push
from .topology import CONNECT_SECONDS

logger = logging.getLogger("mcp_app.eventlog")

REPLICATED_SECONDS = 1.0
"""How long a replica may take to have what was written, before it is said that the log cannot be reached."""

T = TypeVar("T")
Connect = Callable[[], Awaitable[Connection]]


class Line:
    """Commands to one server. `facts` are those of the server to which it has connected last. Another history means
    that what was written last may be lost: a replica or a restarted server has taken over. A line that hears messages
    (`on_push`) leaves it to the other line to that server to say what happens.
    """

    def __init__(
        self,
        name: str,
        connect: Connect,
        *,
        replicas: int = 0,
        on_push: Push | None = None,
        on_lost: Callable[[], None] | None = None,
        on_other_history: Callable[[], None] | None = None,
    ) -> None:
        self.facts: ServerFacts | None = None
        self._name, self._connect, self._replicas = name, connect, replicas
        self._on_push, self._on_lost, self._on_other_history = on_push, on_lost, on_other_history
        self._link: Link | None = None
        self._connecting: asyncio.Task[Link] | None = None
        self._failed: tuple[float, str] | None = None
        self._waiting: asyncio.Task[None] | None = None
        self._queued: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def connected(self) -> bool:
        return self._link is not None and self._link.lost is None

    async def call(self, *command: Argument, asking: bool = False) -> Any:
        """The answer. Raises Lost, or the server's error. `asking`: the slot is being moved there (ASK)."""
        link = await self.link()
        if asking:
            link.send("ASKING")
        return await link.send(*command)

    async def link(self) -> Link:
        """The connection; connects where there is none. Raises Lost, at once for RETRY_SECONDS after an attempt that
        failed: so a server that is away costs each request nothing."""
        link = self._link
        if link is not None and link.lost is None:
            return link
        if self._closed:
            raise Lost("the log is closed")
        if self._failed is not None and self._failed[0] > asyncio.get_running_loop().time():
            raise Lost(self._failed[1])
        if self._connecting is None:
            self._connecting = _shared(self._open())
        return await _joined(self._connecting)

    def tell(self, *command: Argument) -> None:
        """Send a command whose answer nobody needs; does nothing where there is no connection. Without any answer the
        connection is lost."""
        if self._link is not None and self._link.lost is None:
            self._link.send(*command).add_done_callback(lambda done: done.cancelled() or done.exception())

    def ping(self) -> None:
        """Whether the server still hears us: a proxy may have forgotten a quiet connection."""
        self.tell("PING")

    def lose(self, why: str) -> None:
        """This server is not the one to ask any more."""
        if self._link is not None:
            self._link.lose(why)

    async def replicated(self) -> None:
        """Wait until what was written is at as many replicas as are wanted. Raises Lost when it is not. One WAIT at a
        time covers all that was written before it was sent."""
        if not self._replicas:
            return
        if self._waiting is None or self._waiting.done():
            self._waiting = _shared(self._wait(None))
            waiting = self._waiting
        elif self._queued is None or self._queued.done():
            waiting = self._queued = _shared(self._wait(self._waiting))
        else:
            waiting = self._queued
        await _joined(waiting)

    async def close(self) -> None:
        self._closed = True
        tasks = [task for task in (self._connecting, self._waiting, self._queued) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._link is not None:
            await self._link.close()

    async def _wait(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
            self._waiting, self._queued = self._queued, None
        link = await self.link()
        found = await link.send("WAIT", self._replicas, int(REPLICATED_SECONDS * 1000))
        if found < self._replicas:
            raise Lost(f"{found} of {self._replicas} replicas have what was written (MCP_APP_LOG_REPLICAS)")

    async def _open(self) -> Link:
        loop = asyncio.get_running_loop()
        try:
            connection = await self._connect()
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await connection.connect()  # type: ignore[no-untyped-call]
                    facts = await read_facts(connection)
            except BaseException:
                await connection.disconnect(nowait=True)
                raise
        except (*LOSSES, Lost) as error:
            why = reason(error)
            if self._on_push is None and (self._failed is None or self._failed[1] != why):
                logger.warning("%s cannot be reached: %s", self._name, why)
            self._failed = (loop.time() + RETRY_SECONDS, why)
            raise Lost(why) from error
        else:
            if self._failed is not None and self._on_push is None:
                logger.warning("%s can be reached again", self._name)
            self._failed = None
            self._link = link = Link(connection, self._on_push, self._lost)
            before, self.facts = self.facts, facts
            if before is not None and before.history != facts.history and self._on_other_history is not None:
                self._on_other_history()
            return link
        finally:
            self._connecting = None

    def _lost(self) -> None:
        if not self._closed and self._link is not None and self._link.lost is not None:
            if self._on_push is None:
                logger.warning("%s was lost: %s", self._name, self._link.lost)
            self._failed = (0.0, str(self._link.lost))
        if self._on_lost is not None:
            self._on_lost()


async def _joined(task: asyncio.Task[T]) -> T:
    """What it returns. Raises Lost where it was given up as the log is closed: who waits for it was not cancelled."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        waiting = asyncio.current_task()
        if task.cancelled() and (waiting is None or not waiting.cancelling()):
            raise Lost("the log is closed") from None
        raise


def _shared(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task for several, all of whom may be cancelled: then nobody is there to hear how it failed."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task
