"""A TCP proxy on loopback whose connections can be cut, for tests of what comes back after that.

Not a test; no test's expectations belong here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Proxy:
    """Passes bytes between a port of its own and `target`, until `cut`."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.connections = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._said_at = time.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()

    async def quiet(self, seconds: float) -> None:
        """Until nothing has passed for so long, in any connection and direction."""
        while (early := self._said_at + seconds - time.monotonic()) > 0:  # noqa: ASYNC110 - bytes set no event
            await asyncio.sleep(early)

    def cut(self) -> None:
        """Reset every connection, on both sides, as a pulled cable and a restarted router do together."""
        for writer in self._writers:
            writer.transport.abort()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, back_writer}
        self._writers |= pair
        pumps = [
            asyncio.create_task(self._pump(reader, back_writer)),
            asyncio.create_task(self._pump(back_reader, writer)),
        ]
        self._tasks.update(pumps)
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for one in pair:
            one.transport.abort()
        await asyncio.wait(pumps)
        self._writers -= pair
        self._tasks.difference_update(pumps)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                self._said_at = time.monotonic()
                writer.write(data)
                await writer.drain()
        except OSError:
            return  # cut


@asynccontextmanager
async def proxying(target: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
        await server.wait_closed()
