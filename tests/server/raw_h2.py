"""An HTTP/2 client that does only what a test tells it to: no automatic window updates, resets or retries."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, StreamReset

SECONDS = 10.0


class RawH2:
    """`events` are all that came, in order; the questions below are about them."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.events: list[Event] = []
        self.ended = False
        """The server has closed the connection."""

    async def start(self) -> None:
        self.h2.initiate_connection()
        await self.flush()

    async def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())
        await self.writer.drain()

    def headers(self, path: str, method: str = "GET", **extra: str) -> list[tuple[str, str]]:
        return [
            (":method", method),
            (":path", path),
            (":scheme", "https"),
            (":authority", "localhost"),
            *extra.items(),
        ]

    async def request(self, path: str, method: str = "GET", *, end: bool = True, **extra: str) -> int:
        number = self.h2.get_next_available_stream_id()
        self.h2.send_headers(number, self.headers(path, method, **extra), end_stream=end)
        await self.flush()
        return number

    async def until(self, done: Callable[[], Any], *, acknowledge: bool = True, seconds: float = SECONDS) -> None:
        """Read until `done()`; an AssertionError when the connection or the time ends before it."""
        async with asyncio.timeout(seconds):
            while not done():
                assert not self.ended, f"connection ended; events: {self.events[-10:]}"
                await self._read(acknowledge)

    async def read_for(self, seconds: float, *, acknowledge: bool = True) -> None:
        """Read whatever comes for this long, or until the end of the connection."""
        try:
            async with asyncio.timeout(seconds):
                while not self.ended:
                    await self._read(acknowledge)
        except TimeoutError:
            pass

    async def _read(self, acknowledge: bool) -> None:
        try:
            data = await self.reader.read(65536)
        except OSError:
            data = b""
        self.ended = not data
        if data:
            new = self.h2.receive_data(data)
            self.events += new
            for event in new:
                if acknowledge and isinstance(event, DataReceived) and event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            await self.flush()

    def status(self, number: int) -> int | None:
        for event in self.events:
            if isinstance(event, ResponseReceived) and event.stream_id == number:
                return int(dict(event.headers)[":status"])
        return None

    def body(self, number: int) -> bytes:
        return b"".join(e.data for e in self.events if isinstance(e, DataReceived) and e.stream_id == number)

    def is_ended(self, number: int) -> bool:
        return any(isinstance(e, StreamEnded) and e.stream_id == number for e in self.events)

    def reset_code(self, number: int) -> int | None:
        for event in self.events:
            if isinstance(event, StreamReset) and event.stream_id == number:
                return int(event.error_code)
        return None


@asynccontextmanager
async def raw_h2(port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawH2]:
    """Connected to 127.0.0.1, over TLS when given a context, else with prior knowledge; aborted at the end."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=tls, server_hostname="localhost" if tls else None
    )
    client = RawH2(reader, writer)
    await client.start()
    try:
        yield client
    finally:
        writer.transport.abort()
