"""The engine's event: it does what upstream's does, with less."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypercorn.asyncio.worker_context import EventWrapper, WorkerContext

from mcp_app.server.engine.context import ServerContext
from mcp_app.server.engine.waiting import LazyEventWrapper

events = pytest.mark.parametrize("make", [EventWrapper, LazyEventWrapper])
"""Each test is of both: what upstream has, and what stands in its place."""

Make = Callable[..., Any]


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@events
async def test_an_event_wakes_all_who_wait_and_lets_pass_while_it_is_set(make: Make) -> None:
    event = make()
    assert not event.is_set()
    waiting = [asyncio.create_task(event.wait()) for _ in range(3)]
    await turns()
    assert not any(task.done() for task in waiting)
    await event.set()
    await turns()
    assert all(task.done() for task in waiting)
    assert event.is_set()
    await event.wait()
    await event.clear()
    again = asyncio.create_task(event.wait())
    await turns()
    assert not again.done()
    await event.set()
    await again


@events
async def test_an_event_set_and_cleared_at_once_wakes_who_waited(make: Make) -> None:
    event = make()
    waiting = asyncio.create_task(event.wait())
    await turns()
    await event.set()
    await event.clear()
    await turns()
    assert waiting.done()
    assert not event.is_set()


async def test_it_takes_a_fifth_of_the_memory_or_less() -> None:
    def size(make: Make) -> int:
        tracemalloc.start()
        kept = [make() for _ in range(100)]
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return taken // len(kept)

    assert size(LazyEventWrapper) * 5 < size(EventWrapper)


async def test_our_servers_have_them_and_others_do_not() -> None:
    assert type(ServerContext(None).terminate) is LazyEventWrapper
    assert type(WorkerContext(None).terminate) is EventWrapper
