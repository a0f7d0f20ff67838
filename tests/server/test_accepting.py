"""Connections that are accepted by a real server: thousands of idle ones keep nobody out, nor does an unfinished
handshake, and who has a stream keeps it."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from defects import Provoking, connections, eventually
from h2.events import ConnectionTerminated
from live_server import client_tls, serving
from raw_h2 import raw_h2

from mcp_app.server.engine import accepting
from mcp_app.server.engine.admission import RESERVED
from mcp_app.server.engine.connection import Connection

REQUEST = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def answer(port: int) -> bytes:
    """What a client that comes now is answered: the first line, or nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(REQUEST % b"hello")
        return await asyncio.wait_for(reader.readline(), 10)
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


@asynccontextmanager
async def idle(port: int, count: int, first: bytes = b"") -> AsyncIterator[list[socket.socket]]:
    """So many connections that send `first`, and then nothing."""
    loop = asyncio.get_running_loop()
    sockets = []
    for _ in range(count):
        sock = socket.socket()
        sock.setblocking(False)
        sockets.append(sock)
        await loop.sock_connect(sock, ("127.0.0.1", port))
        if first:
            await loop.sock_sendall(sock, first)
    try:
        yield sockets
    finally:
        for sock in sockets:
            sock.close()


FIRST = {
    "nothing": b"",
    "the half of a head": b"GET /hello HTTP/1.1\r\nHost: loc",
    "the half of a handshake": b"\x16\x03\x01\x02\x00\x01\x00",
    "an HTTP/2 without a request": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    "the half of a frame": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\0\x10\1",
}


@pytest.mark.parametrize("first", FIRST)
async def test_idle_connections_make_room(first: str) -> None:
    app = Provoking()
    async with serving(app, max_connections=20) as server:
        port = server.tls_port if "handshake" in first else server.port
        async with raw_h2(server.tls_port, client_tls()) as client:
            stream = await client.request("/tick")
            await client.until(lambda: client.body(stream))
            async with idle(port, 60, FIRST[first]):
                await eventually(lambda: connections() <= 21)
                assert await answer(server.port) == b"HTTP/1.1 200 \r\n"
            seen = len(client.body(stream))
            await client.until(lambda: len(client.body(stream)) > seen + 20)
        await eventually(lambda: not connections())


async def test_nothing_bounds_them_as_released() -> None:
    async with serving(Provoking(), released=True, max_connections=20) as server, idle(server.port, 60):
        await eventually(lambda: connections() == 60)


async def test_one_that_makes_room_is_told_so() -> None:
    """GOAWAY NO_ERROR: what it sends now was not worked on."""
    async with serving(Provoking(), max_connections=2) as server, raw_h2(server.tls_port, client_tls()) as client:
        stream = await client.request("/hello")
        await client.until(lambda: client.is_ended(stream))
        async with idle(server.port, 2):
            await client.read_for(10)
        assert client.ended
        [goaway] = [event for event in client.events if isinstance(event, ConnectionTerminated)]
        assert goaway.error_code == 0


async def test_what_comes_while_one_makes_room_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be aborted in the middle of its work: a request that has been read, and not looked at, is dropped."""
    app = Provoking()
    made: list[Connection] = []
    run, feed_data = Connection.run, asyncio.StreamReader.feed_data

    def noting(self: Connection) -> Coroutine[Any, Any, None]:
        made.append(self)
        return run(self)

    def feeding(self: asyncio.StreamReader, data: bytes) -> None:
        feed_data(self, data)
        if b"GET /quiet" in data:
            made[0]._make_room()

    monkeypatch.setattr(Connection, "run", noting)
    monkeypatch.setattr(asyncio.StreamReader, "feed_data", feeding)
    async with serving(app) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(REQUEST % b"hello")
        await asyncio.wait_for(reader.readuntil(b"hello\r\n0\r\n\r\n"), 10)
        writer.write(REQUEST % b"quiet")
        assert await asyncio.wait_for(reader.read(), 10) == b""
        await eventually(lambda: not connections())
        writer.close()
    assert list(app.running) == ["hello"]


async def test_where_all_have_a_stream_the_next_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    app = Provoking()
    async with serving(app, max_connections=3) as server:
        async with idle(server.port, 3, REQUEST % b"quiet"):
            await eventually(lambda: app.running["quiet"] == 3)
            assert await answer(server.port) == b""
            assert app.running["quiet"] == 3
        await eventually(lambda: not app.running["quiet"])
        assert await answer(server.port) == b"HTTP/1.1 200 \r\n"
    assert "a connection of local is refused: none of 3 is idle; 1 were refused so far, and 0 idle" in caplog.text


@contextmanager
def descriptors(more: int) -> Iterator[None]:
    """No more than so many beyond those that are open."""
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_without_a_descriptor_the_next_waits_and_the_log_has_a_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "RETRY_SECONDS", 0.02)
    async with serving(Provoking()) as server:
        taken = []
        with descriptors(30):
            try:
                while True:
                    taken.append(socket.socket())
            except OSError:
                taken.pop().close()  # one, for the client
            waiting = asyncio.create_task(answer(server.port))
            await eventually(lambda: "no connection can be accepted" in caplog.text)
            assert not waiting.done()
            for sock in taken:
                sock.close()
            assert await waiting == b"HTTP/1.1 200 \r\n"
    lines = [record for record in caplog.records if "no connection can be accepted" in record.getMessage()]
    assert len(lines) == 1


async def test_a_process_with_few_descriptors_has_fewer_connections() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (RESERVED + 3, before[1]))
    try:
        app = Provoking()
        async with serving(app) as server:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            async with idle(server.port, 3, REQUEST % b"quiet"):
                await eventually(lambda: app.running["quiet"] == 3)
                assert await answer(server.port) == b""
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
