"""Shutdown: who is told, what is waited for, and that the end is quiet."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from typing import Any

import pytest
from defects import Provoking, eventually, fixed, without
from live_server import client_tls, serving
from raw_h2 import RawH2, raw_h2

from mcp_app.server.fixes import on_draining


class Farewell(Provoking):
    """Its streams say goodbye when the server begins to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.draining: asyncio.Event | None = None
        self.on_start = self.watch
        self.ended_before_shutdown = 0

    def watch(self) -> None:
        self.draining = asyncio.Event()
        on_draining(self.draining.set)

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
    with fixed():
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


async def test_the_defect_without_the_fix() -> None:
    with without("draining"):
        async with serving(Farewell(), graceful_timeout=1) as server, raw_h2(server.tls_port, client_tls()) as client:
            stream = await open_stream(client)
            server.stop.set()
            await client.read_for(3)
            assert not client.is_ended(stream)
            assert client.body(stream) == b"open\n", "nobody said goodbye"


async def test_servers_in_one_loop_are_told_apart() -> None:
    with fixed():
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
            on_draining(lambda: heard.append("taken back"))()
            on_draining(failing)
            on_draining(first)
            super().watch()

    def failing() -> None:
        raise ValueError("a defect in the application")

    def first() -> None:
        heard.append("first")
        on_draining(lambda: heard.append("late"))

    outside = on_draining(lambda: heard.append("outside of any server"))
    with fixed():
        async with serving(Late()) as server:
            server.stop.set()
            await eventually(lambda: len(heard) == 3)
    assert sorted(heard) == ["first", "late", "outside of any server"]
    assert "a callback of on_draining failed" in caplog.text
    outside()


async def test_the_server_answers_until_what_a_callback_waits_for_is_done() -> None:
    committed = asyncio.Event()
    asked = asyncio.Event()

    class Committing(Farewell):
        def watch(self) -> None:
            on_draining(lambda: asked.set() or committed.wait())

    with fixed():
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
            on_draining(lambda: 42)  # type: ignore[arg-type, return-value]

    with fixed():
        async with serving(Wrong()) as server:
            server.stop.set()
            assert server.task is not None
            await asyncio.wait_for(asyncio.shield(server.task), 10)
    assert "a callback of on_draining failed" in caplog.text


async def stops_beside_a_stubborn_stream(**timeouts: float) -> bool:
    async with serving(Provoking(), **timeouts) as server, raw_h2(server.tls_port, client_tls()) as client:
        assert server.task is not None
        await open_stream(client, "/stubborn")
        server.stop.set()
        await client.read_for(4)
        await asyncio.wait({server.task}, timeout=5)
        return server.task.done()


async def test_a_stream_that_goes_on_is_ended_after_the_graceful_time() -> None:
    with fixed():
        assert await stops_beside_a_stubborn_stream(graceful_timeout=1)


async def test_the_graceful_time_without_the_fix() -> None:
    """Python 3.11 does not wait for the connections before it applies the time."""
    with without("graceful_timeout"):
        assert await stops_beside_a_stubborn_stream(graceful_timeout=1) is (sys.version_info < (3, 12))


async def test_a_forced_end_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with fixed():
        assert await stops_beside_a_stubborn_stream(graceful_timeout=0.5)
    assert "Traceback" not in caplog.text
    assert "shutting down" not in caplog.text


async def error_while_stopping() -> None:
    """A connection fails after the process was asked to stop (by a defect that this test leaves unfixed)."""
    from hyperframe.frame import DataFrame

    async with serving(Provoking(), graceful_timeout=3) as server, raw_h2(server.tls_port, client_tls()) as client:
        await open_stream(client, "/stubborn")
        refused = await client.request("/early", "POST", end=False)
        await client.until(lambda: client.is_ended(refused))
        server.stop.set()
        await client.read_for(0.3)
        client.writer.write(DataFrame(refused, b"late").serialize())
        await client.read_for(3)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_an_error_of_one_connection_is_not_the_servers(caplog: pytest.LogCaptureFixture) -> None:
    with without("late_data"):
        await error_while_stopping()
    assert "a connection was ended by an error in the server" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::RuntimeWarning")
async def test_the_error_of_one_connection_without_the_fix(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "asyncio")  # a record of the error would keep it alive beyond this test
    with without("late_data", "ending_connection"):
        with pytest.raises(BaseExceptionGroup, match="TaskGroup"):
            await error_while_stopping()
        gc.collect()  # the timer nobody awaited complains here, where it is expected
