"""HTTP/2 back-pressure: what the server holds for a client that keeps its window shut."""

from __future__ import annotations

import asyncio

import pytest
from defects import Provoking, eventually
from live_server import client_tls, serving
from raw_h2 import raw_h2

HELD_BYTES = 1024 * 1024
"""Window (64 KiB), stream buffer (32 KiB), one chunk and what is on its way: far below this."""


async def produced_for_a_shut_window(*, released: bool) -> int:
    app = Provoking()
    async with serving(app, released=released) as server, raw_h2(server.tls_port, client_tls()) as client:
        stream = await client.request("/flood")
        await client.until(lambda: client.status(stream), acknowledge=False)
        await client.read_for(1.0, acknowledge=False)
        produced = app.produced
        client.writer.transport.abort()
        await eventually(lambda: not app.running["flood"])
    return produced


async def test_a_shut_window_makes_the_tool_wait() -> None:
    assert await produced_for_a_shut_window(released=False) < HELD_BYTES


async def test_the_defect_as_released() -> None:
    assert await produced_for_a_shut_window(released=True) > 16 * HELD_BYTES


async def test_everything_arrives_when_the_client_reads_again() -> None:
    """The window opens and shuts many times; nothing is lost, doubled or left behind."""
    app = Provoking()
    app.produced = 252 * 2**20  # so that 4 MiB are left
    async with serving(app) as server, raw_h2(server.tls_port, client_tls()) as client:
        stream = await client.request("/flood")
        await client.read_for(0.2, acknowledge=False)
        held = len(client.body(stream))
        client.h2.increment_flow_control_window(held)
        client.h2.increment_flow_control_window(held, stream)
        await client.flush()
        await client.until(lambda: client.is_ended(stream))
        assert len(client.body(stream)) == 4 * 2**20


async def test_a_write_waiting_for_the_window_ends_with_its_stream() -> None:
    app = Provoking()
    async with serving(app) as server, raw_h2(server.tls_port, client_tls()) as client:
        stream = await client.request("/flood")
        await client.read_for(0.3, acknowledge=False)
        assert app.running["flood"] == 1
        client.h2.reset_stream(stream)
        client.h2.increment_flow_control_window(len(client.body(stream)))
        await client.flush()
        await eventually(lambda: not app.running["flood"])
        other = await client.request("/hello")
        await client.until(lambda: client.is_ended(other))


@pytest.mark.parametrize("size", [0, 1, 32767, 32768, 65536])
async def test_a_buffer_wakes_its_writer_below_the_low_water_mark(size: int) -> None:
    from hypercorn.asyncio.worker_context import EventWrapper
    from hypercorn.protocol.h2 import BUFFER_HIGH_WATER, BUFFER_LOW_WATER

    from mcp_app.server.engine.streams import StreamBuffer

    buffer = StreamBuffer(EventWrapper)
    writer = asyncio.create_task(buffer.push(bytes(size)))
    await asyncio.sleep(0)
    assert writer.done() is (size < BUFFER_HIGH_WATER)
    while len(buffer.buffer) >= BUFFER_LOW_WATER:
        assert writer.done() is (size < BUFFER_HIGH_WATER)
        await buffer.pop(0)  # a shut window gives nothing and wakes nobody
        await asyncio.sleep(0)
        assert writer.done() is (size < BUFFER_HIGH_WATER)
        await buffer.pop(8192)
    async with asyncio.timeout(5):
        await writer
