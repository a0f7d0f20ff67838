"""A client of HTTP/1.1 that leaves in the middle of an answer, after it has sent more than that answer's request."""

from __future__ import annotations

import asyncio
from typing import Any

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


class Silent(Provoking):
    """Says nothing until it may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    async def silent(self, receive: Any, send: Any) -> None:
        await self._open(send)
        await send({"type": "http.response.body", "body": b"open\n", "more_body": True})
        await self.go_on.wait()
        await send({"type": "http.response.body", "body": b"more\n"})


async def is_noticed_behind_an_upgrade(seconds: float, *, released: bool) -> bool:
    """Whether the application of a POST that offers h2c (`curl --http2`) is ended within so many seconds after its
    client has left, although it writes nothing."""
    app = Silent()
    async with serving(app, graceful_timeout=0.5, released=released) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            b"POST /silent HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nContent-Length: 2\r\n\r\n{}"
        )
        await reader.readuntil(b"open\n")
        writer.transport.abort()
        try:
            await eventually(lambda: not app.running["silent"], seconds)
        except TimeoutError:
            return False
        finally:
            app.go_on.set()
        return True


async def test_that_a_client_has_left_which_offered_an_upgrade_is_noticed_at_once() -> None:
    assert await is_noticed_behind_an_upgrade(20, released=False)


async def test_it_is_not_noticed_as_released() -> None:
    assert not await is_noticed_behind_an_upgrade(1, released=True)


async def test_requests_behind_one_that_offered_an_upgrade_are_answered_in_their_order() -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\n"
    upgrade = head + b"body"
    async with serving(Provoking()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for together in (2, 1, 1):
            writer.write(upgrade * together)
            for _ in range(together):
                async with asyncio.timeout(20):
                    assert (await reader.readuntil(b"0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.transport.abort()
        await eventually(lambda: not connections())
