"""Threads for plain functions: back-pressure, stopping, counting; and a loop that is never held up."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from mcp_app.runs import threads
from mcp_app.runs.channel import CHANNEL_BYTES, CHANNEL_ITEMS, Channel
from mcp_app.runs.threads import NoThread, Threads

SECONDS = 20.0


def channel() -> Channel[Any]:
    return Channel(asyncio.get_running_loop(), lambda item: item if isinstance(item, int) else 0)


async def until(true: Callable[[], bool], why: str) -> None:
    """Wait for what another thread brings about."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, why
        await asyncio.sleep(0.001)


async def run(function: Callable[..., Any], *args: Any, pool: Threads | None = None) -> Any:
    """The outcome of `function(*args, channel)`, whose items nobody takes."""
    async with (pool or Threads(4)).run(function, *args, channel()) as outcome:
        return await asyncio.wait_for(outcome, SECONDS)


def _has(items: list[int], count: int) -> bool:
    return len(items) >= count


# --- the channel -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "ahead"), [(0, CHANNEL_ITEMS), (1, CHANNEL_ITEMS), (CHANNEL_BYTES // 4, 4), (10**9, 1)]
)
async def test_a_thread_that_floods_is_a_channel_ahead_and_no_further(size: int, ahead: int) -> None:
    put: list[int] = []

    def flood(to: Channel[int]) -> None:
        for number in range(500):
            to.put(size)
            put.append(number)

    pool, channel_ = Threads(1), channel()
    taken = 0
    async with pool.run(flood, channel_) as outcome:
        while taken < 500:
            goal = min(500, taken + ahead)
            await until(functools.partial(_has, put, goal), "the thread goes on")
            await asyncio.sleep(0.001 if taken else 0.03)
            assert len(put) - taken <= ahead
            items = await channel_.take()
            assert 0 < len(items) <= ahead
            taken += len(items)
        assert await channel_.take() == []
        await asyncio.wait_for(outcome, SECONDS)
    await until(lambda: pool.working == 0, "the thread ends")


async def test_items_come_in_order_and_in_batches() -> None:
    def count(to: Channel[Any]) -> None:
        for number in range(1000):
            to.put(str(number))

    taken: list[str] = []
    channel_ = channel()
    async with Threads(1).run(count, channel_):
        while items := await asyncio.wait_for(channel_.take(), SECONDS):
            taken += items
    assert taken == [str(number) for number in range(1000)]


async def test_a_waiting_thread_does_not_hold_up_the_loop() -> None:
    def flood(to: Channel[Any]) -> None:
        while True:
            to.put("x")

    pool = Threads(1)
    turns = 0
    async with pool.run(flood, channel()):
        end = time.monotonic() + 0.03
        while time.monotonic() < end:
            await asyncio.sleep(0)
            turns += 1
    assert turns > 50
    await until(lambda: pool.working == 0, "a stopped thread ends at its next item")


async def test_any_number_of_threads_may_put_and_all_are_stopped() -> None:
    ended: list[str] = []

    def work(to: Channel[Any]) -> None:
        def flood() -> None:
            try:
                while True:
                    to.put("x")
            except asyncio.CancelledError:
                ended.append("told")

        helpers = [threading.Thread(target=flood, daemon=True) for _ in range(5)]
        for each in helpers:
            each.start()
        for each in helpers:
            each.join(SECONDS)

    pool, channel_ = Threads(1), channel()
    async with pool.run(work, channel_):
        for _ in range(20):
            assert await asyncio.wait_for(channel_.take(), SECONDS)
    await until(lambda: len(ended) == 5, "every thread that waits to put is told")
    await until(lambda: pool.working == 0, "and so the work ends")


async def test_after_stop_every_word_raises_what_except_exception_does_not_catch() -> None:
    caught: list[BaseException] = []
    stopped = threading.Event()

    def stubborn(to: Channel[Any]) -> None:
        stopped.wait(SECONDS)
        for _ in range(3):
            try:
                to.send("x")
            except BaseException as error:
                caught.append(error)

    pool = Threads(1)
    async with pool.run(stubborn, channel()):
        pass
    stopped.set()
    await until(lambda: pool.working == 0, "it ends")
    assert [type(error) for error in caught] == [asyncio.CancelledError] * 3
    assert not isinstance(caught[0], Exception)


async def test_a_send_is_awaited_or_not() -> None:
    channel_ = channel()
    await channel_.send("a")
    channel_.send("b")
    assert await channel_.take() == ["a", "b"]


# --- outcomes --------------------------------------------------------------------------------------------------------


async def test_the_outcome_of_a_function() -> None:
    def add(a: int, b: int, _: Channel[Any]) -> int:
        return a + b

    assert await run(add, 2, 3) == 5


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        (ValueError("x"), ValueError),
        (SystemExit(3), SystemExit),
        (GeneratorExit(), GeneratorExit),
        (StopIteration(5), RuntimeError),
        (StopAsyncIteration(), StopAsyncIteration),
        (KeyboardInterrupt(), RuntimeError),
        (asyncio.CancelledError(), asyncio.CancelledError),
        (TimeoutError(), TimeoutError),
    ],
    ids=repr,
)
async def test_whatever_a_function_raises_arrives(raised: BaseException, seen: type[BaseException]) -> None:
    def function(_: Channel[Any]) -> None:
        raise raised

    pool = Threads(1)
    with pytest.raises(seen):
        await run(function, pool=pool)
    await until(lambda: pool.working == 0, "its place is free again")
    assert await run(lambda _: 5, pool=pool) == 5


async def test_context_variables_are_there() -> None:
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("set")

    def look(_: Channel[Any]) -> str:
        seen = variable.get()
        variable.set("changed in the thread")
        return seen

    assert await run(look) == "set"
    assert variable.get() == "set"


async def test_threads_are_daemons_with_a_name() -> None:
    def look(_: Channel[Any]) -> tuple[bool, str]:
        return threading.current_thread().daemon, threading.current_thread().name

    daemon, name = await run(look)
    assert daemon
    assert name.startswith("tool-")


# --- how many --------------------------------------------------------------------------------------------------------


async def test_no_more_than_the_limit_at_once() -> None:
    pool, go_on = Threads(3), threading.Event()
    together: list[int] = []

    def work(_: Channel[Any]) -> None:
        together.append(1)
        go_on.wait(SECONDS)
        together.pop()

    tasks = [asyncio.create_task(run(work, pool=pool)) for _ in range(8)]
    await until(lambda: len(together) == 3, "three begin")
    await asyncio.sleep(0.02)
    assert (len(together), pool.working) == (3, 3)
    go_on.set()
    await asyncio.wait_for(asyncio.gather(*tasks), SECONDS)
    await until(lambda: pool.working == 0, "all end")


async def test_who_waits_for_a_thread_may_give_up() -> None:
    pool, go_on = Threads(1), threading.Event()
    first = asyncio.create_task(run(lambda _: go_on.wait(SECONDS), pool=pool))
    await until(lambda: pool.working == 1, "it begins")
    second = asyncio.create_task(run(lambda _: None, pool=pool))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    go_on.set()
    await first
    await until(lambda: pool.working == 0, "it ends")
    assert await run(lambda _: 5, pool=pool) == 5


async def test_a_thread_that_does_not_stop_counts_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "ABANDON_AFTER", 0.01)
    pool, go_on = Threads(1), threading.Event()
    async with pool.run(lambda _: go_on.wait(SECONDS), channel()):
        pass
    assert (pool.working, pool.abandoned) == (1, 0)
    await until(lambda: pool.abandoned == 1, "it is counted")
    assert pool.working == 1, "its place is not free: there would be no bound"
    waiting = asyncio.create_task(run(lambda _: 5, pool=pool))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    go_on.set()
    assert await asyncio.wait_for(waiting, SECONDS) == 5
    await until(lambda: (pool.working, pool.abandoned) == (0, 0), "and no longer")


async def test_a_thread_that_stops_in_time_is_never_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "ABANDON_AFTER", 0.02)
    pool, go_on = Threads(1), threading.Event()
    async with pool.run(lambda _: go_on.wait(SECONDS), channel()):
        pass
    go_on.set()
    await until(lambda: pool.working == 0, "it ends")
    await asyncio.sleep(0.04)
    assert pool.abandoned == 0


async def test_the_end_of_all_is_waited_for_but_not_that_of_an_abandoned_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pool, go_on, stuck = Threads(2), threading.Event(), threading.Event()
    await asyncio.wait_for(pool.ended(), SECONDS)
    monkeypatch.setattr(threads, "ABANDON_AFTER", 0.01)
    async with pool.run(lambda _: stuck.wait(SECONDS), channel(), name="stuck"):
        pass
    await asyncio.wait_for(pool.ended(), SECONDS)
    assert (pool.working, pool.abandoned, pool.names) == (1, 1, ["stuck"])
    assert "stuck does not stop" in caplog.text
    monkeypatch.undo()
    async with pool.run(lambda _: go_on.wait(SECONDS), channel(), name="slow"):
        assert pool.names == ["stuck", "slow"]
    waiting = asyncio.create_task(pool.ended())
    await asyncio.sleep(0.02)
    assert not waiting.done()
    go_on.set()
    await asyncio.wait_for(waiting, SECONDS)
    assert pool.names == ["stuck"]
    stuck.set()
    await until(lambda: pool.names == [], "it ends")


async def test_who_waits_too_long_for_a_thread_is_told_and_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    pool, go_on = Threads(1), threading.Event()
    for shortage in (1, 2):
        go_on.clear()
        first = asyncio.create_task(run(lambda _: go_on.wait(SECONDS), pool=pool))
        await until(lambda: pool.working == 1, "it begins")
        for _ in range(3):
            with pytest.raises(NoThread, match=r"No thread was free for 0\.01 seconds"):
                async with pool.run(lambda _: 5, channel(), patience=0.01):
                    raise AssertionError("it began")
        assert caplog.text.count("no thread is free") == shortage
        go_on.set()
        await first
        await until(lambda: pool.working == 0, "it ends")
    assert await run(lambda _: 5, pool=pool) == 5


async def test_what_is_raised_after_the_end_is_logged_and_what_was_seen_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pool, go_on = Threads(1), threading.Event()

    def fails(_: Channel[Any]) -> None:
        go_on.wait(SECONDS)
        raise ValueError("cleanup failed")

    go_on.set()
    with pytest.raises(ValueError, match="cleanup failed"):
        await run(fails, pool=pool)
    await until(lambda: pool.working == 0, "it ends")
    assert caplog.records == []
    for early in (True, False):  # before whoever runs it leaves, and after
        caplog.clear()
        with pytest.raises(KeyError):
            async with pool.run(fails, channel(), name="it") as outcome:
                go_on.clear()
                if early:
                    go_on.set()
                    await asyncio.wait({outcome})
                raise KeyError
        go_on.set()
        await until(lambda: pool.working == 0, "it ends")
        await until(lambda: len(caplog.records) == 1, "it is logged")
        assert caplog.records[0].getMessage() == "it raised while being stopped"
        assert caplog.records[0].exc_info


async def test_a_system_without_threads_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pool = Threads(1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start"):
            await run(lambda _: 5, pool=pool)
    assert (pool.working, pool.abandoned) == (0, 0)
    assert await run(lambda _: 5, pool=pool) == 5


def test_a_thread_may_outlive_its_loop() -> None:
    go_on, ended = threading.Event(), threading.Event()

    def work(to: Channel[Any]) -> None:
        go_on.wait(SECONDS)
        try:
            to.put("x")
        finally:
            ended.set()

    async def main() -> None:
        async with Threads(1).run(work, channel()):
            pass

    asyncio.run(main())
    go_on.set()
    assert ended.wait(SECONDS)
