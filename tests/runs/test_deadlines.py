"""Each key at its own moment, in their order, with one timer for all; compared with what a list of them would do."""

from __future__ import annotations

import asyncio
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loop_clock import ClockLoop, on_loop_clock

from mcp_app.aio.deadlines import RESOLUTION, SLACK, TICK, Deadlines


def timers() -> int:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ClockLoop)
    return len(loop.timers)


class Stage:
    """What was told, and how many seconds after the start."""

    def __init__(self) -> None:
        self._now = asyncio.get_running_loop().time
        self.began = self._now()
        self.told: list[tuple[str, float]] = []
        self.deadlines = Deadlines(lambda key: self.told.append((key, self._now() - self.began)))

    def after(self, key: str, seconds: float) -> None:
        self.deadlines.at(key, self._now() + seconds)


@on_loop_clock
async def test_each_at_its_moment_whatever_the_order_they_came_in() -> None:
    stage = Stage()
    for key, seconds in (("b", 20.0), ("c", 30.0), ("a", 10.0), ("at once", 0.0)):
        stage.after(key, seconds)
    assert timers() <= 1
    await asyncio.sleep(100)
    assert stage.told == [("at once", 0.0), ("a", 10.0), ("b", 20.0), ("c", 30.0)]
    assert timers() == 0


@on_loop_clock
async def test_what_is_off_is_not_told_and_the_last_one_takes_the_timer_along() -> None:
    stage = Stage()
    stage.after("a", 10.0)
    stage.after("b", 20.0)
    stage.deadlines.cancel("a")
    stage.deadlines.cancel("unknown")
    assert "a" not in stage.deadlines
    assert "b" in stage.deadlines
    assert timers() == 1
    await asyncio.sleep(15)
    assert stage.told == []
    stage.deadlines.cancel("b")
    assert timers() == 0
    stage.after("b", 1.0)
    await asyncio.sleep(1.5)
    assert stage.told == [("b", 16.0)]


@on_loop_clock
async def test_a_key_that_is_told_may_be_followed_by_another_at_once() -> None:
    told: list[str] = []
    now = asyncio.get_running_loop().time

    def over(key: str) -> None:
        told.append(key)
        if len(told) < 3:
            deadlines.at(f"{key}'", now() + 5.0)

    deadlines = Deadlines(over)
    deadlines.at("a", now() + 5.0)
    await asyncio.sleep(20)
    assert told == ["a", "a'", "a''"]


@on_loop_clock
async def test_one_that_is_set_within_a_call_does_not_hide_those_before_it() -> None:
    stage = Stage()
    told: list[str] = []

    def over(key: str) -> None:
        told.append(key)
        if key == "first":
            deadlines.cancel("off")  # of the same moment
            deadlines.at("last", stage.began + 50.0)

    deadlines = Deadlines(over)
    for key, when in (("first", 10.0), ("off", 10.0), ("same", 10.0), ("next", 20.0)):
        deadlines.at(key, stage.began + when)
    await asyncio.sleep(30)
    assert told == ["first", "same", "next"]
    await asyncio.sleep(30)
    assert told == ["first", "same", "next", "last"]


@on_loop_clock
async def test_what_one_raises_holds_up_no_other() -> None:
    told: list[str] = []
    failures: list[BaseException] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))

    def over(key: str) -> None:
        told.append(key)
        if key == "bad":
            raise ValueError(key)

    deadlines = Deadlines(over)
    for key in ("good", "bad", "better"):
        deadlines.at(key, loop.time() + 1.0)
    await asyncio.sleep(1 + 2 * TICK)
    assert told == ["good", "bad", "better"]
    assert [str(each) for each in failures] == ["bad"]


@on_loop_clock
async def test_those_called_off_do_not_pile_up() -> None:
    stage = Stage()
    stage.after("stays", 10.0)
    for number in range(10 * SLACK):
        stage.after(str(number), 5.0)
        stage.after(str(number), 6.0)
        stage.deadlines.cancel(str(number))
        assert len(stage.deadlines._heap) <= 2 * 2 + SLACK
    await asyncio.sleep(20)
    assert stage.told == [("stays", 10.0)]


@on_loop_clock
async def test_nothing_comes_after_the_close_nor_at_infinity() -> None:
    stage = Stage()
    stage.after("a", 1.0)
    stage.deadlines.close()
    stage.after("never", math.inf)
    assert timers() == 0
    await asyncio.sleep(10)
    assert stage.told == []
    assert "never" in stage.deadlines
    stage.after("b", 1.0)
    await asyncio.sleep(2)
    assert stage.told == [("b", 11.0)]


async def test_a_timer_that_is_a_little_early_is_set_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As uvloop's is, which counts whole milliseconds."""
    loop = asyncio.get_running_loop()
    early: list[float] = []
    call_at = loop.call_at

    def hasty(when: float, *args: object, **more: object) -> object:
        early.append(when)
        return call_at(when - 0.0005, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_at", hasty)
    told: asyncio.Future[float] = loop.create_future()
    deadlines = Deadlines(lambda key: told.set_result(loop.time()))
    due = loop.time() + 0.005
    deadlines.at("a", due)
    assert await asyncio.wait_for(told, 5) >= due - RESOLUTION
    assert early[0] == due


KEYS = st.sampled_from("abcdef")
STEPS = st.one_of(
    st.tuples(st.just("at"), KEYS, st.integers(0, 20)),
    st.tuples(st.just("off"), KEYS, st.just(0)),
    st.tuples(st.just("wait"), st.just(""), st.integers(0, 10)),
)


@settings(deadline=None)
@given(steps=st.lists(STEPS, max_size=40))
def test_any_order_of_all_this_is_what_a_plain_list_would_do(steps: list[tuple[str, str, int]]) -> None:
    @on_loop_clock
    async def played() -> None:
        stage = Stage()
        due: dict[str, tuple[float, int]] = {}
        told: list[tuple[str, float]] = []
        now = 0.0
        for count, (step, key, seconds) in enumerate([*steps, ("wait", "", 21)]):
            if step == "at":
                stage.after(key, seconds)
                due[key] = (now + seconds, count)
            elif step == "off":
                stage.deadlines.cancel(key)
                due.pop(key, None)
            else:
                await asyncio.sleep(seconds + 0.5)
                now += seconds + 0.5
                for (when, _), name in sorted((moment, name) for name, moment in due.items()):
                    if when <= now:
                        told.append((name, when))
                        del due[name]
            assert {name for name in "abcdef" if name in stage.deadlines} == due.keys()
            assert timers() <= 2 and (due or not timers())  # noqa: PT018 - one of them is the sleep's
        assert stage.told == told

    played()
