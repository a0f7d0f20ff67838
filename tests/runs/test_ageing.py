"""When names are forgotten: each at its own moment, with one timer for all."""

from __future__ import annotations

import asyncio

from loop_clock import ClockLoop, on_loop_clock

from mcp_app.runs.ageing import SLACK, Ageing


def timers() -> int:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ClockLoop)
    return len(loop.timers)


class Stage:
    """What was told, and how many seconds after the start."""

    def __init__(self) -> None:
        self._now = asyncio.get_running_loop().time
        self._began = self._now()
        self.told: list[tuple[str, float]] = []
        self.ageing = Ageing(lambda name: self.told.append((name, self._now() - self._began)))


@on_loop_clock
async def test_each_at_its_moment_whatever_the_order_they_came_in() -> None:
    stage = Stage()
    for name, seconds in (("b", 20.0), ("c", 30.0), ("a", 10.0), ("at once", 0.0)):
        stage.ageing.keep(name, seconds)
    assert timers() <= 1
    await asyncio.sleep(100)
    assert stage.told == [("at once", 0.0), ("a", 10.0), ("b", 20.0), ("c", 30.0)]
    assert timers() == 0


@on_loop_clock
async def test_what_is_forgotten_is_not_told_and_the_last_one_takes_the_timer_along() -> None:
    stage = Stage()
    stage.ageing.keep("a", 10.0)
    stage.ageing.keep("b", 20.0)
    stage.ageing.forget("a")
    stage.ageing.forget("unknown")
    assert timers() == 1
    await asyncio.sleep(15)
    assert stage.told == []
    stage.ageing.forget("b")
    assert timers() == 0
    stage.ageing.keep("b", 1.0)
    await asyncio.sleep(1.5)
    assert stage.told == [("b", 16.0)]


@on_loop_clock
async def test_a_name_that_is_told_may_be_followed_by_another_at_once() -> None:
    told: list[str] = []

    def over(name: str) -> None:
        told.append(name)
        if len(told) < 3:
            ageing.keep(f"{name}'", 5.0)

    ageing = Ageing(over)
    ageing.keep("a", 5.0)
    await asyncio.sleep(20)
    assert told == ["a", "a'", "a''"]


@on_loop_clock
async def test_those_forgotten_early_do_not_pile_up() -> None:
    stage = Stage()
    stage.ageing.keep("stays", 10.0)
    for number in range(10 * SLACK):
        stage.ageing.keep(str(number), 5.0)
        stage.ageing.forget(str(number))
        assert len(stage.ageing._heap) <= 2 * 2 + SLACK + 1
    await asyncio.sleep(20)
    assert stage.told == [("stays", 10.0)]
