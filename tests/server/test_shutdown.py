"""Shutdown: who is told, what is waited for, and that the end is quiet."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import pytest
from defects import Provoking, eventually
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated
from live_server import client_tls, serving
from raw_h2 import RawH2, raw_h2

from mcp_app.server.engine import http2, http2_streams


class Farewell(Provoking):
    """Its streams say goodbye when the server begins to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.draining: asyncio.Event | None = None
        self.on_start = self.watch

    def watch(self) -> None:
        self.draining = asyncio.Event()
        self.on_draining(self.draining.set)

    async def quiet(self, receive: Any, send: Any) -> None:
        assert self.draining is not None
        await self._open(send)
        await send({"type": "http.response.body", "body": b"open\n", "more_body": True})
        await self.draining.wait()
        await send({"type": "http.response.body", "body": b"goodbye\n"})


async def open_stream(client: RawH2, path: str = "/quiet") -> int:
    stream = await client.request(path)
    await client.until(lambda: client.body(stream))
    return stream


async def test_each_stream_gets_its_last_event_and_a_clean_end() -> None:
    async with (
        serving(Farewell(), graceful_timeout=3600) as server,
        raw_h2(server.tls_port, client_tls()) as client,
    ):
        assert server.task is not None
        streams = [await open_stream(client) for _ in range(5)]
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /quiet HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"open\n")
        server.stop.set()
        await client.until(lambda: all(client.is_ended(stream) for stream in streams))
        assert {client.body(stream) for stream in streams} == {b"open\ngoodbye\n"}
        async with asyncio.timeout(10):
            assert (await reader.read()).endswith(b"goodbye\n\r\n0\r\n\r\n")
        await asyncio.wait({server.task}, timeout=20)
        assert server.task.done(), "the graceful time was used up"
        writer.transport.abort()


async def test_nobody_says_goodbye_as_released() -> None:
    async with (
        serving(Farewell(), graceful_timeout=1, released=True) as server,
        raw_h2(server.tls_port, client_tls()) as client,
    ):
        stream = await open_stream(client)
        server.stop.set()
        await client.read_for(3)
        assert not client.is_ended(stream)
        assert client.body(stream) == b"open\n", "nobody said goodbye"


async def test_servers_in_one_loop_are_told_apart() -> None:
    first, second = Farewell(), Farewell()
    async with serving(first) as one, serving(second) as other, raw_h2(other.tls_port, client_tls()) as client:
        stream = await open_stream(client)
        one.stop.set()
        assert first.draining is not None
        assert second.draining is not None
        await asyncio.wait_for(first.draining.wait(), 20)
        assert one.task is not None
        await asyncio.wait({one.task}, timeout=20)
        assert not second.draining.is_set()
        assert client.body(stream) == b"open\n"
        other.stop.set()
        await client.until(lambda: client.is_ended(stream))


async def test_callbacks_can_be_taken_back_may_fail_and_may_come_late(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    class Late(Farewell):
        def watch(self) -> None:
            self.on_draining(lambda: heard.append("taken back"))()
            self.on_draining(failing)
            self.on_draining(first)
            super().watch()

    def failing() -> None:
        raise ValueError("a defect in the application")

    def first() -> None:
        heard.append("first")
        app.on_draining(lambda: heard.append("late"))

    app = Late()
    async with serving(app) as server:
        server.stop.set()
        await eventually(lambda: len(heard) == 2)
    assert heard == ["first", "late"]
    assert "a callback of mcp_app.draining failed" in caplog.text


async def test_the_server_answers_until_what_a_callback_waits_for_is_done() -> None:
    committed = asyncio.Event()
    asked = asyncio.Event()

    class Committing(Farewell):
        def watch(self) -> None:
            self.on_draining(lambda: asked.set() or committed.wait())

    async with serving(Committing()) as server:
        server.stop.set()
        await asyncio.wait_for(asked.wait(), 20)
        async with raw_h2(server.port) as client:  # a new connection, while the server is being stopped
            stream = await client.request("/hello")
            await client.until(lambda: client.is_ended(stream))
            assert client.status(stream) == 200
        committed.set()


async def test_a_callback_that_returns_what_cannot_be_awaited_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Wrong(Farewell):
        def watch(self) -> None:
            self.on_draining(lambda: 42)

    async with serving(Wrong()) as server:
        server.stop.set()
        assert server.task is not None
        await asyncio.wait_for(asyncio.shield(server.task), 10)
    assert "a callback of mcp_app.draining failed" in caplog.text


async def stops_beside_a_stubborn_stream(*, released: bool = False, **timeouts: float) -> bool:
    async with (
        serving(Provoking(), released=released, **timeouts) as server,
        raw_h2(server.tls_port, client_tls()) as client,
    ):
        assert server.task is not None
        await open_stream(client, "/stubborn")
        server.stop.set()
        await client.read_for(4)
        await asyncio.wait({server.task}, timeout=5)
        return server.task.done()


async def test_a_stream_that_goes_on_is_ended_after_the_graceful_time() -> None:
    assert await stops_beside_a_stubborn_stream(graceful_timeout=1)


async def test_the_graceful_time_as_released() -> None:
    """Python 3.11 does not wait for the connections before it applies the time."""
    assert await stops_beside_a_stubborn_stream(graceful_timeout=1, released=True) is (sys.version_info < (3, 12))


async def test_a_forced_end_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert await stops_beside_a_stubborn_stream(graceful_timeout=0.5)
    assert "Traceback" not in caplog.text
    assert "shutting down" not in caplog.text


async def error_while_stopping(*, released: bool) -> BaseException | None:
    """A connection fails after the process was asked to stop: by DATA of a stream that was answered. The server's."""
    from hyperframe.frame import DataFrame

    async with (
        serving(Provoking(), graceful_timeout=3, released=released) as server,
        raw_h2(server.tls_port, client_tls()) as client,
    ):
        await open_stream(client, "/stubborn")
        refused = await client.request("/early", "POST", end=False)
        await client.until(lambda: client.is_ended(refused))
        server.stop.set()
        await client.read_for(0.3)
        client.writer.write(DataFrame(refused, b"late").serialize())
        await client.read_for(3)
    assert server.task is not None
    return server.task.exception()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_an_error_of_one_connection_is_not_the_servers(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(self: http2.Http2, stream_id: int) -> None:
        """The client is not told to stop, and what it sends finds no stream."""

    monkeypatch.setattr(http2.Http2, "_reset_after_response", nothing)
    monkeypatch.delattr(http2_streams.ActiveStreams, "__missing__")
    assert await error_while_stopping(released=False) is None
    assert "a connection was ended by an error in the server" in caplog.text


async def test_the_error_of_one_connection_as_released() -> None:
    assert isinstance(await error_while_stopping(released=True), BaseExceptionGroup)


# --- GOAWAY ----------------------------------------------------------------------------------------------------------


def goaways(client: RawH2) -> list[tuple[int, int]]:
    return [(int(e.error_code), e.last_stream_id) for e in client.events if isinstance(e, ConnectionTerminated)]


async def test_an_idle_connection_is_told_before_it_is_closed() -> None:
    """RFC 9113, 6.8: its client knows that a request on its way was not worked on, and may send it again."""
    async with serving(Provoking()) as server, raw_h2(server.tls_port, client_tls()) as client:
        number = await client.request("/hello")
        await client.until(lambda: client.is_ended(number))
        server.stop.set()
        await client.read_for(10)
        assert client.ended
        assert goaways(client) == [(ErrorCodes.NO_ERROR, number)]


async def test_an_idle_connection_is_closed_without_a_word_as_released() -> None:
    async with (
        serving(Provoking(), released=True, keep_alive_timeout=0.3) as server,
        raw_h2(server.tls_port, client_tls()) as client,
    ):
        await client.read_for(10)
        assert client.ended
        assert goaways(client) == []


@pytest.mark.parametrize("path", ["/quiet", "/stubborn"])
async def test_so_is_one_whose_last_stream_ends_with_the_server(path: str) -> None:
    class Ending(Farewell):
        async def stubborn(self, receive: Any, send: Any) -> None:
            """Ends a little after it was asked to."""
            assert self.draining is not None
            await self._open(send)
            await send({"type": "http.response.body", "body": b"open\n", "more_body": True})
            await self.draining.wait()
            await asyncio.sleep(0.2)
            await send({"type": "http.response.body", "body": b"goodbye\n"})

    async with serving(Ending()) as server, raw_h2(server.tls_port, client_tls()) as client:
        number = await open_stream(client, path)
        server.stop.set()
        await client.read_for(10)
        assert client.ended
        assert client.is_ended(number)
        assert goaways(client) == [(ErrorCodes.NO_ERROR, number)]


async def test_and_one_that_was_idle_for_its_time() -> None:
    async with (
        serving(Provoking(), keep_alive_timeout=0.3) as server,
        raw_h2(server.tls_port, client_tls()) as client,
    ):
        await client.read_for(10)
        assert client.ended
        assert goaways(client) == [(ErrorCodes.NO_ERROR, 0)]
