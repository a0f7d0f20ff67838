"""A client of HTTP/1.1 that leaves in the middle of an answer, after it has sent more than that answer's request."""

from __future__ import annotations

import asyncio

import pytest
from defects import Provoking, connections, eventually
from live_server import client_tls, serving

REQUEST = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def is_left_behind(more: bytes, seconds: float, *, released: bool, tls: bool) -> bool:
    """Whether the connection is still there so many seconds after its application has ended."""
    app = Provoking()
    async with serving(app, graceful_timeout=0.5, released=released) as server:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", server.tls_port if tls else server.port, ssl=client_tls("http/1.1") if tls else None
        )
        writer.write(REQUEST % b"stubborn" + more)
        await reader.readuntil(b"more\n")
        assert connections() == 1
        writer.transport.abort()
        await eventually(lambda: not app.running["stubborn"])
        try:
            await eventually(lambda: not connections(), seconds)
        except TimeoutError:
            return True
        return False


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("more", [b"G", REQUEST % b"hello", REQUEST % b"hello" * 3], ids=["a byte", "one", "three"])
async def test_nothing_is_left_of_its_connection(more: bytes, tls: bool, caplog: pytest.LogCaptureFixture) -> None:
    assert not await is_left_behind(more, 20, tls=tls, released=False)
    assert caplog.records == [], "that a client leaves is no error"


async def test_the_defect_as_released() -> None:
    assert await is_left_behind(b"G", 1, tls=False, released=True)


async def test_requests_that_were_sent_together_are_answered_one_after_the_other() -> None:
    async with serving(Provoking()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(REQUEST % b"hello" * 3)
        for _ in range(3):
            async with asyncio.timeout(20):
                assert (await reader.readuntil(b"0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.transport.abort()
        await eventually(lambda: not connections())
