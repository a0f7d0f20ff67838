"""Peers that do not read, and peers that do not answer the end of TLS."""

from __future__ import annotations

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from defects import Provoking, eventually
from live_server import LiveServer, client_tls, serving

from mcp_app.server.engine import writer as its_writer

REQUEST = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"

LONG = 8 * 1024 * 1024
"""More than the kernels of both sides take of an answer that nobody reads yet."""


class Long(Provoking):
    async def long(self, receive: Any, send: Any) -> None:
        await self._open(send)
        await send({"type": "http.response.body", "body": bytes(LONG) + b"the end"})


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(its_writer, "CHECK_SECONDS", 0.1)
    monkeypatch.setattr(its_writer, "STALL_SECONDS", 0.5)


async def small_window(server: LiveServer, *, tls: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection whose kernel takes little for a client that does not read."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", server.tls_port if tls else server.port))
    context = client_tls("http/1.1") if tls else None
    return await asyncio.open_connection(
        sock=sock, ssl=context, server_hostname="localhost" if tls else None, limit=16384
    )


async def is_ended_unread(seconds: float, *, released: bool, tls: bool) -> bool:
    """Whether the application of a client that never reads is ended within so many seconds."""
    app = Provoking()
    async with serving(app, released=released) as server:
        _, writer = await small_window(server, tls=tls)
        writer.write(REQUEST % b"flood")
        writer.transport.pause_reading()
        await eventually(lambda: app.running["flood"])
        try:
            await eventually(lambda: not app.running["flood"], seconds=seconds)
        except TimeoutError:
            return False
        else:
            return True
        finally:
            writer.transport.abort()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_a_client_that_does_not_read_is_given_up(tls: bool) -> None:
    assert await is_ended_unread(20, tls=tls, released=False)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_the_defect_as_released(tls: bool) -> None:
    assert not await is_ended_unread(2, tls=tls, released=True)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_a_slow_reader_is_not_given_up(tls: bool) -> None:
    """Its bytes trickle for several times as long as a standstill is borne."""
    app = Provoking()
    async with serving(app) as server:
        reader, writer = await small_window(server, tls=tls)
        writer.write(REQUEST % b"flood")
        await eventually(lambda: app.running["flood"])
        for _ in range(30):
            assert await reader.read(65536)
            await asyncio.sleep(0.05)
        assert app.running["flood"] == 1
        writer.transport.abort()
        await eventually(lambda: not app.running["flood"])


async def stops_beside_a_silent_tls_client(seconds: float, *, released: bool, alpn: str) -> bool:
    """Whether the server stops within so many seconds while an idle TLS client never answers close_notify."""
    async with serving(Provoking(), graceful_timeout=1, released=released) as server:
        assert server.task is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", server.tls_port, ssl=client_tls(alpn))
        writer.write(
            REQUEST % b"hello" if alpn == "http/1.1" else b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
        )
        await reader.read(9)
        writer.transport.pause_reading()
        server.stop.set()
        await asyncio.wait({server.task}, timeout=seconds)
        stopped = server.task.done()
        writer.transport.abort()
    return stopped


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
async def test_an_idle_tls_client_does_not_delay_the_exit(alpn: str) -> None:
    assert await stops_beside_a_silent_tls_client(20, alpn=alpn, released=False)


async def test_the_delayed_exit_as_released() -> None:
    assert not await stops_beside_a_silent_tls_client(3, alpn="h2", released=True)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_a_client_that_does_not_read_does_not_delay_the_exit(tls: bool) -> None:
    app = Provoking()
    async with serving(app, graceful_timeout=1) as server:
        assert server.task is not None
        _, writer = await small_window(server, tls=tls)
        writer.write(REQUEST % b"flood")
        writer.transport.pause_reading()
        await eventually(lambda: app.running["flood"])
        server.stop.set()
        _, late = await asyncio.wait({server.task}, timeout=20)
        assert not late
        writer.transport.abort()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_an_application_that_is_over_takes_nothing_away_from_a_slow_reader(
    tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is cancelled within its last write, which closes the connection: what is not yet sent is sent all the same."""
    monkeypatch.setattr(its_writer, "CHECK_SECONDS", 2.0)
    monkeypatch.setattr(its_writer, "STALL_SECONDS", 10.0)
    async with serving(Long()) as server:
        with ThreadPoolExecutor(1) as pool:
            received = await asyncio.get_running_loop().run_in_executor(pool, long_answer, server, tls)
    assert received.endswith(b"the end\r\n0\r\n\r\n")


def long_answer(server: LiveServer, tls: bool) -> bytes:
    """All that a client gets that begins late to read, and does it in small pieces. (asyncio's own loses what it holds
    back when TLS ends.)"""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        sock.settimeout(10)
        sock.connect(("127.0.0.1", server.tls_port if tls else server.port))
        client = client_tls("http/1.1").wrap_socket(sock, server_hostname="localhost") if tls else sock
        client.sendall(b"GET /long HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        received = bytearray()
        time.sleep(0.2)
        while piece := client.recv(16384):
            received += piece
            time.sleep(0.0005)
        client.close()
    return bytes(received)
