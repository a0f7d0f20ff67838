"""An idle connection that its peer resets: gone at once, kept for keep_alive_timeout by Hypercorn as released. And one
with a last stream that was reset: closed in its time, never as released."""

from __future__ import annotations

import socket
import struct

import pytest
from defects import Provoking, connections, eventually
from h2.errors import ErrorCodes
from live_server import LiveServer, serving
from raw_h2 import raw_h2


async def reset_an_idle_connection(server: LiveServer) -> None:
    async with raw_h2(server.port) as client:
        stream = await client.request("/hello")
        await client.until(lambda: client.is_ended(stream))
        await eventually(lambda: connections() == 1)
        # Closed with a zero linger time, a socket says RST instead of FIN.
        client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def test_the_timer_ends_with_its_connection() -> None:
    async with serving(Provoking()) as server:
        await reset_an_idle_connection(server)
        await eventually(lambda: connections() == 0)


async def test_as_released_it_keeps_the_connection() -> None:
    async with serving(Provoking(), released=True) as server:
        await reset_an_idle_connection(server)
        with pytest.raises(TimeoutError):
            await eventually(lambda: connections() == 0, seconds=1.0)


async def is_closed_after_a_reset(seconds: float, *, released: bool) -> bool:
    async with serving(Provoking(), keep_alive_timeout=0.2, released=released) as server, raw_h2(server.port) as client:
        stream = await client.request("/quiet")
        await client.until(lambda: client.body(stream))
        await client.read_for(0.5)
        assert not client.ended, "it works"
        client.h2.reset_stream(stream, ErrorCodes.CANCEL)
        await client.flush()
        await client.read_for(seconds)
        return client.ended


async def test_a_connection_whose_last_stream_was_reset_is_idle() -> None:
    assert await is_closed_after_a_reset(20, released=False)


async def test_as_released_it_is_never_closed() -> None:
    assert not await is_closed_after_a_reset(2, released=True)
