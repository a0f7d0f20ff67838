"""What one client can do to the real application, and what a client beside it notices: heads and bodies that do not
end, streams that are opened and never read, heads that unpack to more than they are. Each ends, and holds little.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from defects import connections, eventually
from h2.errors import ErrorCodes
from hpack import Encoder
from hyperframe.frame import ContinuationFrame, HeadersFrame
from live_server import LiveServer, client_tls, serving
from raw_h2 import RawH2, raw_h2

from mcp_app import Settings, create_app, tool
from mcp_app.server.engine import http2_sending, lingering
from mcp_app.web.asgi import answer
from mcp_app.web.asgi.body import ALL_BODIES

GOAWAY = 7

REQUEST = b"POST /api/v1/mcp/sse HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
FIELDS = {"content-type": "application/json", "accept": "text/event-stream"}


@tool
async def fill() -> AsyncIterator[str]:
    """Says more than any window takes."""
    while True:
        yield "x" * 10_000


@asynccontextmanager
async def served(timeouts: dict[str, float] | None = None, **settings: Any) -> AsyncIterator[LiveServer]:
    """With a client beside, whose every request must be answered; at the end nothing may be left. `timeouts` are those
    of Quart's configuration."""
    app = create_app(Settings(cap_seconds=2), [fill])
    app.config.update(timeouts or {})
    async with serving(app, **settings) as server:
        healthy = asyncio.create_task(ask(server))
        yield server
        assert not healthy.done() or healthy.exception() is None
        answered = len(ANSWERED)
        await eventually(lambda: len(ANSWERED) > answered or healthy.done(), seconds=20)
        assert not healthy.done(), healthy
        healthy.cancel()
        await asyncio.wait({healthy})
        await eventually(lambda: not connections(), seconds=20)


ANSWERED: list[int] = []


async def ask(server: LiveServer) -> None:
    async with raw_h2(server.tls_port, client_tls()) as client:
        while True:
            number = await client.request("/healthz")
            await client.until(lambda number=number: client.status(number) == 200, seconds=20)
            client.events.clear()
            ANSWERED.append(number)
            await asyncio.sleep(0.01)


async def trickle(writer: asyncio.StreamWriter, sent: bytes, wanted: Coroutine[Any, Any, bytes]) -> bytes:
    """Send a byte of it now and then, again and again, until what is wanted has come."""
    coming = asyncio.create_task(wanted)
    try:
        async with asyncio.timeout(20):
            for each in itertools.cycle(sent):
                if coming.done():
                    break
                writer.write(bytes([each]))
                await asyncio.sleep(0.02)
        return coming.result()
    except ConnectionError:
        return b""
    finally:
        coming.cancel()
        writer.transport.abort()


async def ends_with(client: RawH2) -> int:
    """The error code of the GOAWAY with which a connection ends: read by hand, as it was written."""
    received = b""
    try:
        async with asyncio.timeout(20):
            while data := await client.reader.read(65536):
                received += data
    except ConnectionError:
        pass
    code = -1
    while len(received) >= 9:
        length = int.from_bytes(received[:3], "big")
        if received[3] == GOAWAY:
            code = int.from_bytes(received[13:17], "big")
        received = received[9 + length :]
    return code


async def test_a_head_that_comes_byte_by_byte_has_the_time_of_an_idle_connection() -> None:
    async with served(keep_alive_timeout=0.5) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        assert await trickle(writer, REQUEST, reader.read()) == b""


async def test_a_head_over_http2_that_does_not_end_has_it_too() -> None:
    async with served(keep_alive_timeout=0.5) as server, raw_h2(server.tls_port, client_tls()) as client:
        client.writer.write(HeadersFrame(1, b"\x82").serialize())
        await client.read_for(20)
        assert client.ended


@pytest.mark.parametrize("version", ["1.1", "2"])
async def test_a_body_that_comes_byte_by_byte_is_answered_and_ended(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lingering, "LINGER_SECONDS", 0.5)
    async with served({"BODY_TIMEOUT": 0.3}) as server:
        if version == "1.1":
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(REQUEST + b"Content-Length: 100000\r\n\r\n")
            assert await trickle(writer, b" ", reader.readexactly(13)) == b"HTTP/1.1 408 "
            return
        async with raw_h2(server.tls_port, client_tls()) as client:
            number = await client.request("/api/v1/mcp/sse", "POST", end=False, **FIELDS)
            async with asyncio.timeout(20):
                while client.reset_code(number) is None:
                    client.h2.send_data(number, b" " * 20)
                    await client.flush()
                    await client.read_for(0.02)
            assert client.status(number) == 408
            assert client.reset_code(number) == ErrorCodes.NO_ERROR


@pytest.mark.parametrize("lane", [True, False], ids=["lane", "quart"])
async def test_bodies_that_are_not_complete_hold_so_much_together(lane: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ALL_BODIES, "most", 200_000)
    app = create_app(Settings(), [fill], lane=lane)
    async with serving(app) as server, raw_h2(server.tls_port, client_tls()) as client:
        numbers = [await client.request("/api/v1/mcp/sse", "POST", end=False, **FIELDS) for _ in range(5)]
        for number in numbers:
            for _ in range(3):
                await client.until(lambda: client.h2.local_flow_control_window(1) > 16384)
                client.h2.send_data(number, b" " * 16384)
                await client.flush()
            await client.read_for(0.05)
        await client.until(lambda: client.status(numbers[-1]) == 503)
        assert [client.status(number) for number in numbers[:-1]] == [None] * 4
        for number in numbers[:-1]:
            client.h2.send_data(number, b"[]", end_stream=True)
        await client.flush()
        await client.until(lambda: all(client.status(number) == 400 for number in numbers[:-1]))
        await eventually(lambda: ALL_BODIES.held == 0)


async def test_every_stream_opened_and_never_read_ends_with_its_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "BACKSTOP_SECONDS", 0.2)
    monkeypatch.setattr(http2_sending, "UNREAD_SECONDS", 0.2)
    async with served(h2_max_concurrent_streams=100) as server, raw_h2(server.tls_port, client_tls()) as client:
        await client.read_for(0.1)
        numbers = []
        for _ in range(100):
            number = client.h2.get_next_available_stream_id()
            client.h2.send_headers(number, client.headers("/api/v1/mcp/sse", "POST", **FIELDS))
            client.h2.send_data(number, b'{"tool":"fill"}', end_stream=True)
            numbers.append(number)
        await client.flush()
        await client.until(
            lambda: all(client.reset_code(number) is not None for number in numbers), acknowledge=False, seconds=40
        )


async def test_documents_that_are_never_read_end_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2_sending, "UNREAD_SECONDS", 0.2)
    async with served({"RESPONSE_TIMEOUT": 0.3}) as server, raw_h2(server.tls_port, client_tls()) as client:
        client.h2.update_settings({4: 0})
        await client.flush()
        await client.read_for(0.2)
        numbers = [await client.request("/openapi.json") for _ in range(50)]
        await client.until(
            lambda: all(client.reset_code(number) is not None for number in numbers), acknowledge=False, seconds=20
        )


async def test_a_head_that_unpacks_to_much_more_is_the_end_of_its_connection() -> None:
    """An entry of 4 KB in the table, and a byte for each time that it is meant (an HPACK bomb)."""
    async with served() as server, raw_h2(server.tls_port, client_tls()) as client:
        plain = Encoder().encode(client.headers("/healthz"))
        entry = b"\x40\x01a\x7f\xa1\x1e" + b"x" * 4000
        for number, block in ((1, entry), (3, b"\xbe" * 30), (5, b"\xbe" * 16000)):
            frame = HeadersFrame(number, plain + block, flags=["END_STREAM", "END_HEADERS"])
            client.writer.write(frame.serialize())
        assert await ends_with(client) == ErrorCodes.ENHANCE_YOUR_CALM


async def test_a_head_of_endless_parts_is_the_end_of_its_connection() -> None:
    async with served() as server, raw_h2(server.tls_port, client_tls()) as client:
        part = ContinuationFrame(1, b"\x90" * 100).serialize()
        client.writer.write(HeadersFrame(1, b"\x82").serialize() + part * 200)
        assert await ends_with(client) in (ErrorCodes.ENHANCE_YOUR_CALM, ErrorCodes.PROTOCOL_ERROR)
