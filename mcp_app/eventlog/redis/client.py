"""Commands to whichever server has the key: one line for each server, redirections followed, errors told apart.

Every failure that is not the asked command's own becomes LogUnavailable, with its reason in the operator's log, once a
minute for each kind. What is stored under the keys is not known here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from redis import exceptions
from redis.asyncio.connection import Connection
from redis.crc import key_slot

from ...protocol.errors import LogUnavailable
from .address import RedisAddress, RedisKind
from .faults import Lost, reason, unavailable
from .line import Line
from .link import Argument
from .script import Script
from .topology import Place, connection, topology

logger = logging.getLogger("mcp_app.eventlog")

REDIRECTIONS = 5
"""How often one command may be sent elsewhere, before it is said that the log cannot be reached."""

TRY_AGAIN_SECONDS = 0.05
"""Before a command is repeated whose slot is just being moved."""

SAID_AGAIN_SECONDS = 60.0
"""Between two lines of the log about the same error: a full memory refuses thousands of commands a second."""

_ELSEWHERE = (exceptions.ReadOnlyError, exceptions.MasterDownError, exceptions.ClusterDownError)
"""Errors that say: this server is not the one to ask, or not now."""


class RedisClient:
    """`replicas`: a write returns once so many replicas have it. `on_other_history`: see Line."""

    def __init__(self, address: RedisAddress, replicas: int, on_other_history: Callable[[], None]) -> None:
        self.address = address
        self.topology = topology(address)
        self._clustered = address.kind is RedisKind.CLUSTER
        self._replicas, self._on_other_history = replicas, on_other_history
        self._lines: dict[Place | None, Line] = {}
        self._said: dict[str, float] = {}
        self._closed = False

    async def read(self, key: bytes, *command: Argument) -> Any:
        """Raises LogUnavailable."""
        return (await self._call(key, command))[0]

    async def write(self, key: bytes, *command: Argument) -> Any:
        """Raises LogUnavailable: it may have been done, or be at fewer replicas than wanted."""
        answer, line = await self._call(key, command)
        await self._replicated(line)
        return answer

    async def run(self, script: Script, keys: Sequence[bytes], *arguments: Argument, writes: bool = True) -> Any:
        """Run a script where its first key is; as `write`, or as `read`."""
        behind: tuple[Argument, ...] = (len(keys), *keys, *arguments)
        answer, line = await self._call(keys[0], ("EVALSHA", script.digest, *behind), (script, behind))
        if writes:
            await self._replicated(line)
        return answer

    async def line(self, key: bytes) -> Line:
        """The line to the primary of a key. Raises Lost."""
        slot = key_slot(key) if self._clustered else 0
        if not self._clustered:
            return self._line(None, slot)
        return self._line(await self.topology.primary(slot), slot)

    async def history(self, key: bytes) -> bytes:
        """That of the primary of a key. Raises LogUnavailable."""
        try:
            line = await self.line(key)
            await line.link()
        except Lost as error:
            self.topology.doubt()
            raise self.unavailable(error) from error
        return b"" if line.facts is None else line.facts.history

    async def tell(self, key: bytes, *command: Argument) -> None:
        """A write that tidies up: nobody waits for it, and where it fails, something else tidies up later."""
        try:
            (await self.line(key)).tell(*command)
        except Lost:
            pass  # the next command says so

    async def keep_alive(self) -> None:
        """To be called each few seconds: a connection that was lost is made again, so that another primary is noticed
        though nobody asks for anything; and those to nodes that have left a Cluster are closed."""
        for place, line in list(self._lines.items()):
            if line.connected:
                line.ping()
            elif place is None or self.topology.knows(place):
                await asyncio.gather(line.link(), return_exceptions=True)
            else:
                del self._lines[place]
                await line.close()

    async def close(self) -> None:
        self._closed = True
        await asyncio.gather(*(line.close() for line in self._lines.values()))

    def unavailable(self, error: BaseException) -> LogUnavailable:
        """What a caller gets for an error; the operator's log has the reason, but for lost lines, which say it
        themselves."""
        if not isinstance(error, Lost):
            now, kind = asyncio.get_running_loop().time(), type(error).__name__
            if now >= self._said.get(kind, 0.0):
                self._said[kind] = now + SAID_AGAIN_SECONDS
                logger.warning("%s refuses: %s", self.address, reason(error))
        return unavailable()

    async def _call(
        self, key: bytes, command: tuple[Argument, ...], script: tuple[Script, tuple[Argument, ...]] | None = None
    ) -> tuple[Any, Line]:
        asking: Place | None = None
        for _ in range(REDIRECTIONS):
            line: Line | None = None
            try:
                line = await self.line(key) if asking is None else self._line(asking, 0)
                return await line.call(*command, asking=asking is not None), line
            except exceptions.NoScriptError as error:
                if script is None:
                    raise self.unavailable(error) from error
                command = ("EVAL", script[0].source, *script[1])
            except exceptions.MovedError as error:
                asking = None
                self._moved(error)
            except exceptions.AskError as error:
                asking = (error.host, error.port)
            except exceptions.TryAgainError:
                await asyncio.sleep(TRY_AGAIN_SECONDS)
            except Lost as error:
                self.topology.doubt()
                raise self.unavailable(error) from error
            except exceptions.ResponseError as error:
                if isinstance(error, _ELSEWHERE):
                    self.topology.doubt()
                    if line is not None and not isinstance(error, exceptions.ClusterDownError):
                        line.lose(reason(error))
                raise self.unavailable(error) from error
        raise self.unavailable(Lost("it sends each command to another node"))

    def _moved(self, error: exceptions.MovedError) -> None:
        try:
            self.topology.moved(error.slot_id, (error.host, error.port))
        except Lost as wrong:
            logger.warning("%s: %s", self.address, wrong)
            raise unavailable() from error

    async def _replicated(self, line: Line) -> None:
        try:
            await line.replicated()
        except (Lost, exceptions.ResponseError) as error:
            raise self.unavailable(error) from error

    def _line(self, place: Place | None, slot: int) -> Line:
        """For a Cluster the line to that node; else the one line, which looks for the primary when it connects."""
        line = self._lines.get(place)
        if self._closed:
            raise Lost("the log is closed")
        if line is None:

            async def connect() -> Connection:
                return connection(self.address, place or await self.topology.primary(slot))

            name = str(self.address) if place is None else f"Redis at {place[0]}:{place[1]}"
            line = self._lines[place] = Line(
                name, connect, replicas=self._replicas, on_other_history=self._on_other_history
            )
        return line
