"""HTTP/1.1: answers given before the request body has arrived."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from defects import Provoking
from live_server import client_tls, serving

from mcp_app.server.engine import lingering


def head(size: int, *, path: str = "/early") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode()


def wait(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    for name in ("LINGER_SECONDS", "SILENCE_SECONDS"):
        monkeypatch.setattr(lingering, name, seconds)


async def upload(*, released: bool, tls: bool, size: int = 60_000) -> bytes:
    """Send a body in pieces after the answer is out, as over a slow line; only then read. Raises OSError on a reset."""
    async with serving(Provoking(), released=released) as server:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", server.tls_port if tls else server.port, ssl=client_tls("http/1.1") if tls else None
        )
        try:
            writer.write(head(size))
            for _ in range(10):
                await asyncio.sleep(0.05)
                writer.write(bytes(size // 10))
                await writer.drain()
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.transport.abort()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_the_client_can_send_all_and_then_read_the_answer(tls: bool) -> None:
    answer = await upload(tls=tls, released=False)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert answer.count(b"connection: close") == 1
    assert b"2\r\nno\r\n0\r\n" in answer


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_the_defect_as_released(tls: bool) -> None:
    with pytest.raises(OSError):
        await upload(tls=tls, released=True)


async def test_the_connection_ends_when_the_body_has(monkeypatch: pytest.MonkeyPatch) -> None:
    wait(monkeypatch, 3600.0)
    async with serving(Provoking()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head(20_000))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(bytes(20_000))
        async with asyncio.timeout(10):
            await reader.read()
        writer.transport.abort()


async def test_a_body_that_does_not_come_ends_the_connection_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    wait(monkeypatch, 0.2)
    async with serving(Provoking()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head(20_000))
        async with asyncio.timeout(10):
            assert (await reader.read()).startswith(b"HTTP/1.1 401 ")
        writer.transport.abort()


async def test_no_more_than_its_bound_is_taken_of_an_endless_body(monkeypatch: pytest.MonkeyPatch) -> None:
    wait(monkeypatch, 0.2)
    async with serving(Provoking()) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head(10**12))
        sent = 0
        with pytest.raises(OSError):
            async with asyncio.timeout(20):
                while True:
                    writer.write(bytes(65536))
                    await writer.drain()
                    sent += 65536
        # The socket buffers of both ends hold more than what the server takes.
        assert sent < 32 * 2**20
        writer.transport.abort()


async def test_a_request_that_was_read_keeps_its_connection() -> None:
    async with serving(Provoking()) as server, httpx.AsyncClient() as client:
        for _ in range(3):
            answer = await client.post(f"{server.url}/echo", content=b"x" * 1000)
            assert answer.text == "x" * 1000
            assert "connection" not in answer.headers


async def test_a_common_client_reads_the_refusal_on_both_versions() -> None:
    async with serving(Provoking()) as server:
        for http2 in (False, True):
            async with httpx.AsyncClient(http2=http2, verify=client_tls("h2", "http/1.1")) as client:
                answer = await client.post(f"{server.tls_url}/early", content=b"x" * 50_000)
                assert answer.status_code == 401
                assert answer.text == "no"
                assert (await client.get(f"{server.tls_url}/hello")).text == "hello"
