"""A signal is what an event is: set, cleared, waited for by many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from mcp_app.aio.event import LazyEvent

Either = LazyEvent | asyncio.Event


@pytest.fixture(params=[LazyEvent, asyncio.Event], ids=["signal", "event"])
def signal(request: pytest.FixtureRequest) -> Either:
    """Ours, and what it is to be like."""
    make: Callable[[], Either] = request.param
    return make()


async def waiting(signal: Either, count: int = 1) -> list[asyncio.Task[object]]:
    tasks: list[asyncio.Task[object]] = [asyncio.create_task(_wait(signal)) for _ in range(count)]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def _wait(signal: Either) -> None:
    await signal.wait()


async def done(tasks: list[asyncio.Task[object]]) -> list[bool]:
    for _ in range(3):
        await asyncio.sleep(0)
    return [task.done() for task in tasks]


async def test_all_who_wait_are_woken_by_one_set(signal: Either) -> None:
    tasks = await waiting(signal, 3)
    assert not any(await done(tasks))
    signal.set()
    assert all(await done(tasks))


async def test_nobody_waits_while_it_is_set(signal: Either) -> None:
    signal.set()
    assert await done(await waiting(signal)) == [True]


@pytest.mark.parametrize("waited_for", [True, False])
async def test_after_a_clear_the_next_set_is_waited_for(signal: Either, waited_for: bool) -> None:
    before = await waiting(signal) if waited_for else []
    signal.set()
    assert all(await done(before))
    signal.clear()
    after = await waiting(signal)
    assert await done(after) == [False]
    signal.set()
    assert await done(after) == [True]


async def test_a_clear_right_after_a_set_takes_nobodys_turn_away(signal: Either) -> None:
    tasks = await waiting(signal)
    signal.set()
    signal.clear()
    assert await done(tasks) == [True]


async def test_whoever_gives_up_does_not_matter(signal: Either) -> None:
    first, second = await waiting(signal, 2)
    first.cancel()
    signal.set()
    assert await done([second]) == [True]
