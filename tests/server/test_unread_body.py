"""An application that answers, or returns, before it has read its request's body, of which more has come than fits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from defects import Provoking, connections, eventually
from live_server import client_tls, serving
from raw_h2 import raw_h2

PIECES = 30
"""More than the queue of a request takes: Hypercorn's `max_app_queue_size` is 10."""

CHUNKED = b"POST /%s HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * PIECES


class Unread(Provoking):
    """Each waits until the body stands still."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
            return
        name = scope["path"].strip("/")
        self.running[name] += 1
        try:
            await getattr(self, name)(receive, send)
        finally:
            self.running[name] -= 1

    async def late(self, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.3)
        await self._open(send, 401)
        await send({"type": "http.response.body", "body": b"no"})

    async def nothing(self, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.3)


@pytest.mark.parametrize(("path", "status"), [("late", 401), ("nothing", 500)])
async def test_the_other_streams_go_on(path: str, status: int) -> None:
    app = Unread()
    async with serving(app) as server:
        async with raw_h2(server.tls_port, client_tls()) as client:
            stream = await client.request(f"/{path}", "POST", end=False)
            for _ in range(PIECES):
                client.h2.send_data(stream, b"x" * 100)
            await client.flush()
            await client.until(lambda: client.status(stream) == status)
            other = await client.request("/hello")
            await client.until(lambda: client.is_ended(other))
        await eventually(lambda: not app.running.total() and not connections())


@pytest.mark.parametrize(("path", "status"), [(b"late", b"401"), (b"nothing", b"500")])
async def test_nothing_is_left_over_http1(path: bytes, status: bytes) -> None:
    app = Unread()
    async with serving(app) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(CHUNKED % path)
        assert await asyncio.wait_for(reader.readexactly(12), 10) == b"HTTP/1.1 " + status
        writer.transport.abort()
        await eventually(lambda: not app.running.total() and not connections())


async def test_all_stand_still_for_ever_as_released() -> None:
    app = Unread()
    async with serving(app, released=True, graceful_timeout=1) as server, asyncio.timeout(20):
        async with raw_h2(server.tls_port, client_tls()) as client:
            stream = await client.request("/late", "POST", end=False)
            for _ in range(PIECES):
                client.h2.send_data(stream, b"x" * 100)
            await client.flush()
            await client.until(lambda: client.status(stream) == 401)
            other = await client.request("/hello")
            await client.read_for(1)
            assert client.status(other) is None
        await asyncio.sleep(0.3)
        assert app.running["late"] == 1, "although its client has left"
