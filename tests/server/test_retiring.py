"""A server that another one replaces: it accepts no more, and none of its clients' requests fails."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from defects import Provoking
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated
from live_server import LiveServer, client_tls, serving
from raw_h2 import RawH2, raw_h2

from mcp_app.server.engine import retiring
from mcp_app.server.engine.pages import OwnPage, SharedPages
from mcp_app.server.engine.sharing import ConnectionCounts, OpenConnections, Siblings

WITHIN_SECONDS = 10.0

REQUEST = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Waiting(Provoking):
    """Answers /slow when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Event()

    async def slow(self, receive, send) -> None:  # type: ignore[no-untyped-def]
        await self._open(send)
        await send({"type": "http.response.body", "body": b"begun\n", "more_body": True})
        await self.let.wait()
        await send({"type": "http.response.body", "body": b"done\n"})


@asynccontextmanager
async def replaceable(app: Provoking, seconds: float = 60.0) -> AsyncIterator[tuple[LiveServer, asyncio.Event]]:
    """A server, and what says that another accepts in its place."""
    replaced = asyncio.Event()

    async def wait() -> float:
        await replaced.wait()
        return seconds

    counts = ConnectionCounts.create(1)
    pages = SharedPages.create(1)
    page = OwnPage(pages, 1)
    page.write(b"from before")
    try:
        async with serving(app, siblings=Siblings(OpenConnections(counts, 1), page, wait)) as server:
            yield server, replaced
        page.write(b"late")
        assert dict(pages.read()) == {1: b"from before" if replaced.is_set() else b"late"}
    finally:
        os.close(counts.descriptor)
        os.close(pages.descriptor)


async def head(reader: asyncio.StreamReader) -> str:
    async with asyncio.timeout(WITHIN_SECONDS):
        return (await reader.readuntil(b"\r\n\r\n")).decode().lower()


def goaways(client: RawH2) -> list[ConnectionTerminated]:
    return [event for event in client.events if isinstance(event, ConnectionTerminated)]


async def ended(server: LiveServer) -> None:
    assert server.task is not None
    async with asyncio.timeout(WITHIN_SECONDS):
        await server.task


async def test_the_next_answer_on_an_idle_connection_is_its_last() -> None:
    async with replaceable(Provoking()) as (server, replaced):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(REQUEST % b"hello")
        first = await head(reader)
        assert "connection: close" not in first
        await reader.readuntil(b"0\r\n\r\n")
        replaced.set()
        await asyncio.sleep(0.1)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(REQUEST % b"hello")
        assert "connection: close" in await head(reader)
        async with asyncio.timeout(WITHIN_SECONDS):
            await reader.read()
        writer.close()


async def test_what_has_begun_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retiring, "IDLE_SECONDS", 0.1)
    app = Waiting()
    async with (
        replaceable(app) as (server, replaced),
        raw_h2(server.tls_port, client_tls()) as client,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(REQUEST % b"slow")
        await reader.readuntil(b"begun\n")
        stream = await client.request("/slow")
        await client.until(lambda: client.body(stream))
        replaced.set()
        await asyncio.sleep(0.5)
        assert server.task is not None
        assert not server.task.done()
        later = await client.request("/hello")  # a client that is busy there may go on there
        await client.until(lambda: client.is_ended(later))
        app.let.set()
        await client.until(lambda: client.is_ended(stream))
        assert client.body(stream) == b"begun\ndone\n"
        async with asyncio.timeout(WITHIN_SECONDS):
            assert b"done\n" in await reader.readuntil(b"0\r\n\r\n")
        await client.until(lambda: goaways(client))
        [goaway] = goaways(client)
        assert (goaway.error_code, goaway.last_stream_id) == (ErrorCodes.NO_ERROR, later)
        await ended(server)
        writer.close()


async def test_an_idle_connection_over_http2_is_told_which_request_was_the_last() -> None:
    async with (
        replaceable(Provoking()) as (server, replaced),
        raw_h2(server.tls_port, client_tls()) as client,
    ):
        stream = await client.request("/hello")
        await client.until(lambda: client.is_ended(stream))
        replaced.set()
        await client.until(lambda: goaways(client))
        [goaway] = goaways(client)
        assert (goaway.error_code, goaway.last_stream_id) == (ErrorCodes.NO_ERROR, stream)


async def test_a_connection_that_is_never_idle_is_told_to_open_no_more_streams() -> None:
    app = Waiting()
    async with (
        replaceable(app, seconds=2) as (server, replaced),
        raw_h2(server.tls_port, client_tls()) as client,
    ):
        stream = await client.request("/slow")
        await client.until(lambda: client.body(stream))
        replaced.set()
        await client.until(lambda: goaways(client))
        [goaway] = goaways(client)
        assert (goaway.error_code, goaway.last_stream_id) == (ErrorCodes.NO_ERROR, 2**31 - 1)
        app.let.set()
        await ended(server)


async def test_what_takes_too_long_is_ended_as_by_a_stop() -> None:
    app = Waiting()
    async with replaceable(app, seconds=0.2) as (server, replaced):
        assert server.task is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(REQUEST % b"slow")
        await reader.readuntil(b"begun\n")
        replaced.set()
        app.let.set()
        await ended(server)
        writer.close()


async def test_a_stop_in_the_middle_does_not_wait() -> None:
    app = Waiting()
    async with replaceable(app) as (server, replaced):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(REQUEST % b"slow")
        await reader.readuntil(b"begun\n")
        replaced.set()
        await asyncio.sleep(0.1)
        server.stop.set()
        app.let.set()
        await ended(server)
        writer.close()
