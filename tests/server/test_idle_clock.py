"""The idle clock: when it closes, what puts it off, and that it ends with its connection and with its server."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asyncio_transport import Transport
from defects import Provoking, eventually
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.config import Config
from hypercorn.events import Closed, Updated
from live_server import client_tls, serving
from loop_clock import on_loop_clock
from raw_h2 import raw_h2

from mcp_app.server.engine.admission import ConnectionPlace
from mcp_app.server.engine.connection import Connection
from mcp_app.server.engine.context import ServerContext
from mcp_app.server.engine.idle import IdleTimer

GET = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Protocol:
    """Remembers when its connection was closed."""

    def __init__(self) -> None:
        self.closed: list[float] = []
        self._begun = asyncio.get_running_loop().time()

    async def handle(self, event: object) -> None:
        assert event == Closed()
        self.closed.append(asyncio.get_running_loop().time() - self._begun)


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[Connection, list[float]]]:
    """A connection without a peer, and the times at which it closed itself."""
    loop = asyncio.get_running_loop()
    protocol: Any = Protocol()
    reader, transport = asyncio.StreamReader(), Transport()
    released = asyncio.StreamWriter(transport, asyncio.Protocol(), reader, loop)
    config = Config.from_mapping(keep_alive_timeout=75)
    place = ConnectionPlace("", 0.0, lambda: None)
    served = Connection(Provoking(), loop, config, ServerContext(None), {}, reader, released, place)  # type: ignore[arg-type]
    served.protocol = protocol
    async with TaskGroup(loop) as served._task_group:
        yield served, protocol.closed
        served.idle_timer.close()
    transport.closed = True


@on_loop_clock
async def test_it_closes_what_was_idle_for_the_whole_time() -> None:
    async with connection() as (served, closed):
        await served.protocol_send(Updated(idle=True))
        await asyncio.sleep(74)
        assert closed == []
        await asyncio.sleep(2)
        assert closed == [75]


@on_loop_clock
async def test_each_request_puts_it_off() -> None:
    async with connection() as (served, closed):
        for _ in range(3):
            await served.protocol_send(Updated(idle=True))
            await asyncio.sleep(60)
            await served.protocol_send(Updated(idle=False))
            await asyncio.sleep(10)
        await served.protocol_send(Updated(idle=True))
        await asyncio.sleep(300)
        assert closed == [3 * 70 + 75]


@on_loop_clock
async def test_what_works_longer_than_that_is_not_idle() -> None:
    async with connection() as (served, closed):
        await served.protocol_send(Updated(idle=True))
        await served.protocol_send(Updated(idle=False))
        await asyncio.sleep(1000)
        assert closed == []
        await served.protocol_send(Updated(idle=True))
        await asyncio.sleep(100)
        assert closed == [1075]


@on_loop_clock
async def test_a_request_in_the_turn_of_the_close_comes_first() -> None:
    async with connection() as (served, closed):
        await served.protocol_send(Updated(idle=True))
        served.close_if_idle()
        await served.protocol_send(Updated(idle=False))
        await asyncio.sleep(1)
        assert closed == []


@on_loop_clock
async def test_idle_while_the_server_stops_is_closed_at_once() -> None:
    async with connection() as (served, closed):
        await served.context.terminate_requests()
        await served.protocol_send(Updated(idle=True))
        await asyncio.sleep(1)
        assert closed == [0]


@on_loop_clock
async def test_after_the_end_there_is_no_timer_and_none_is_set() -> None:
    async with connection() as (served, closed):
        await served.protocol_send(Updated(idle=True))
        served.idle_timer.close()
        await served.protocol_send(Updated(idle=True))
        assert asyncio.get_running_loop().timers == []  # type: ignore[attr-defined]
        await asyncio.sleep(100)
        assert closed == []


@on_loop_clock
async def test_a_task_group_that_takes_no_more_tasks_is_no_error() -> None:
    async with connection() as (served, closed):
        await served.protocol_send(Updated(idle=True))
    served.idle_timer._idle_since = 0.0
    served.close_if_idle()
    assert closed == []


def timer_tasks() -> int:
    return sum("_idle_timeout" in repr(task.get_coro()) for task in asyncio.all_tasks())


@pytest.mark.parametrize("released", [False, True])
async def test_an_idle_connection_has_no_task_of_its_own_for_that(released: bool) -> None:
    async with serving(Provoking(), released=released) as server, raw_h2(server.tls_port, client_tls()) as client:
        stream = await client.request("/hello")
        await client.until(lambda: client.is_ended(stream))
        await eventually(lambda: timer_tasks() == released)


async def test_an_idle_connection_is_closed_and_one_that_works_is_not() -> None:
    async with serving(Provoking(), keep_alive_timeout=0.5) as server:
        idle, idle_writer = await asyncio.open_connection("127.0.0.1", server.port)
        busy, busy_writer = await asyncio.open_connection("127.0.0.1", server.port)
        idle_writer.write(GET)
        busy_writer.write(GET.replace(b"hello", b"tick"))
        async with asyncio.timeout(10):
            assert (await idle.read()).endswith(b"0\r\n\r\n"), "answered, then closed"
        for _ in range(50):
            await busy.readuntil(b"tick\n")
        idle_writer.close()
        busy_writer.transport.abort()


async def test_the_stop_closes_idle_connections_at_once() -> None:
    async with serving(Provoking(), graceful_timeout=30) as server:
        assert server.task is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(GET)
        await reader.readuntil(b"0\r\n\r\n")
        server.stop.set()
        async with asyncio.timeout(10):
            assert await reader.read() == b""
            await asyncio.wait({server.task})
        writer.close()


def clocks() -> int:
    gc.collect()
    return sum(isinstance(each, IdleTimer) for each in gc.get_objects())


async def test_nothing_of_a_connection_is_left_after_it() -> None:
    before = clocks()  # an earlier test may be remembered somewhere
    async with serving(Provoking()) as server:
        for _ in range(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(GET)
            await reader.readuntil(b"0\r\n\r\n")
            writer.close()
        await eventually(lambda: clocks() <= before)
