"""What a request's block leaves behind. How the block ends its request is seen in test_lane.py."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable

import pytest
import uvloop

from mcp_app.server.engine.waiting import AppQueue
from mcp_app.web.asgi.leaving import CancelScope


async def requests() -> None:
    """Two that have an end each, of which the second finds what the first one made."""
    queue = AppQueue(asyncio.get_running_loop(), 0)
    async with CancelScope(queue.get, queue) as first:
        first.set_timeout(60.0)
    async with CancelScope(queue.get, queue) as second:
        second.set_timeout(60.0)
        assert second._deadlines is first._deadlines


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_loop_that_is_closed_is_not_kept(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """A program may have one after the other, as a notebook does, and tests."""
    loop = new_loop()
    try:
        loop.run_until_complete(requests())
    finally:
        loop.close()
    kept = weakref.ref(loop)
    del loop
    gc.collect()
    assert kept() is None
