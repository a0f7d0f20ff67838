"""An idle connection that its peer resets: gone with the fix, kept for keep_alive_timeout without it."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest
from defects import Provoking, eventually, fixed, without
from live_server import LiveServer, serving
from raw_h2 import raw_h2


def waiting_connections() -> int:
    """By the tasks of Hypercorn that serve them: the server's callback ends with its connection."""
    return sum("_server_callback" in repr(task.get_coro()) for task in asyncio.all_tasks())


async def reset_an_idle_connection(server: LiveServer) -> None:
    async with raw_h2(server.port) as client:
        stream = await client.request("/hello")
        await client.until(lambda: client.is_ended(stream))
        await eventually(lambda: waiting_connections() == 1)
        # Closed with a zero linger time, a socket says RST instead of FIN.
        client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def test_the_timer_ends_with_its_connection() -> None:
    with fixed():
        async with serving(Provoking()) as server:
            await reset_an_idle_connection(server)
            await eventually(lambda: waiting_connections() == 0)


async def test_without_the_fix_it_keeps_the_connection() -> None:
    with without("idle_timer"):
        async with serving(Provoking()) as server:
            await reset_an_idle_connection(server)
            with pytest.raises(TimeoutError):
                await eventually(lambda: waiting_connections() == 0, seconds=1.0)
