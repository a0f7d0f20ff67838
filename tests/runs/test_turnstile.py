"""One at a time, in the order of coming; whoever gives up takes nobody's turn along."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from loop_clock import on_loop_clock

from mcp_app.aio.mutex import Mutex


def test_an_open_one_is_entered_without_suspending() -> None:
    mutex = Mutex()
    for _ in range(3):
        with pytest.raises(StopIteration):
            mutex.acquire().send(None)
        assert mutex.locked
        mutex.release()
        assert not mutex.locked


class Queue:
    """Some that want to enter, one after the other; each stays inside for a second."""

    def __init__(self, count: int) -> None:
        self.mutex = Mutex()
        self.inside: set[int] = set()
        self.entered: list[int] = []
        self.tasks = [asyncio.create_task(self._pass(number)) for number in range(count)]

    async def _pass(self, number: int) -> None:
        await self.mutex.acquire()
        try:
            assert not self.inside
            self.inside.add(number)
            self.entered.append(number)
            await asyncio.sleep(1)
        finally:
            self.inside.discard(number)
            self.mutex.release()

    async def over(self) -> list[int]:
        """Who got in, once nobody wants to any more."""
        await asyncio.wait_for(asyncio.wait(self.tasks), 3000)
        assert [task.exception() for task in self.tasks if not task.cancelled()] == [None] * len(self.entered)
        assert not self.mutex.locked
        return self.entered


@on_loop_clock
async def test_the_others_enter_in_the_order_in_which_they_came() -> None:
    assert await Queue(5).over() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "gone", [set(each) for count in (1, 2, 3) for each in itertools.combinations((1, 2, 3), count)]
)
@on_loop_clock
async def test_whoever_gives_up_is_passed_over(gone: set[int]) -> None:
    queue = Queue(5)
    await asyncio.sleep(0.5)
    for number in gone:
        queue.tasks[number].cancel()
    assert await queue.over() == [number for number in range(5) if number not in gone]


@on_loop_clock
async def test_whoever_is_cancelled_as_its_turn_comes_passes_it_on() -> None:
    mutex = Mutex()
    await mutex.acquire()
    entered: list[str] = []

    async def enter(name: str) -> None:
        await mutex.acquire()
        entered.append(name)
        mutex.release()

    first, second = (asyncio.create_task(enter(name)) for name in ("first", "second"))
    await asyncio.sleep(1)
    mutex.release()
    first.cancel()  # its turn has come, and it has not run since
    await asyncio.wait_for(asyncio.wait({first, second}), 3000)
    assert (first.cancelled(), entered, mutex.locked) == (True, ["second"], False)
