"""A thread that waits for a coroutine: in its place among what was said, and never longer than the run lasts."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest

from mcp_app import Context, ToolError, errors, tool
from mcp_app.asking import Asker
from mcp_app.asking.questions import Questions
from mcp_app.authoring import caller
from mcp_app.testing import LogEvent, client

SECONDS = 20.0


async def called(function: Callable[..., Any]) -> Any:
    """What a call of the function comes to."""
    async with client(tool(function)) as c:
        return await c.run(function.__name__)


async def test_what_was_said_before_stands_before() -> None:
    seen: list[str] = []

    def says(ctx: Context) -> None:
        for each in range(3):
            ctx.log("info", f"before {each}")
            ctx.wait(ctx.once(f"k{each}", functools.partial(seen.append, f"once {each}")))
            ctx.log("info", f"after {each}")

    async with client(tool(says)) as c:
        run = c.run("says")
        await run
    assert seen == ["once 0", "once 1", "once 2"]
    lines = [event.message for event in run.events if isinstance(event, LogEvent)]
    assert lines == [f"{when} {each}" for each in range(3) for when in ("before", "after")]


async def test_what_the_coroutine_raises_is_raised_in_the_thread() -> None:
    def fails(ctx: Context) -> str:
        def make() -> None:
            raise ToolError("no luck")

        try:
            ctx.wait(ctx.once("k", make))
        except ToolError as error:
            return error.message
        return "made"

    assert await called(fails) == "no luck"


async def test_threads_of_the_tool_may_wait_too() -> None:
    def many(ctx: Context) -> list[int]:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda n: ctx.wait(ctx.once(str(n), lambda: n)), range(8)))

    assert await called(many) == list(range(8))


async def test_what_is_made_once_for_a_plain_function_may_block_and_the_loop_goes_on() -> None:
    loop_went_on = threading.Event()
    loop = asyncio.get_running_loop()
    daemons: list[bool] = []

    def make() -> str:
        daemons.append(threading.current_thread().daemon)
        loop.call_soon_threadsafe(loop_went_on.set)
        return "made" if loop_went_on.wait(SECONDS) else "the loop stood still"

    async def make_on_the_loop() -> str:
        assert asyncio.get_running_loop() is loop
        return "awaited"

    def waits(ctx: Context) -> list[str]:
        return [ctx.wait(ctx.once("a", make)), ctx.wait(ctx.once("b", make_on_the_loop))]

    assert await called(waits) == ["made", "awaited"]
    assert daemons == [True], "it delays no exit"


async def test_threads_that_are_first_together_make_once_what_is_made_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = threading.Barrier(2)
    made: list[int] = []

    class Slow(Questions):
        def __init__(self, asker: Asker) -> None:
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(0.2)  # for the other thread, which is not to come here
            super().__init__(asker)

    def many(ctx: Context) -> None:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda n: ctx.wait(ctx.once("k", lambda: made.append(n))), range(2)))

    monkeypatch.setattr(caller, "Questions", Slow)
    await called(many)
    assert len(made) == 1


async def test_a_coroutine_awaits_and_does_not_wait() -> None:
    async def wrong(ctx: Context) -> str:
        with pytest.raises(RuntimeError, match="await"):
            ctx.wait(ctx.once("k", lambda: 1))
        return "told"

    assert await called(wrong) == "told"


async def test_a_run_that_is_ended_lets_its_thread_go() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    raised: list[type[BaseException]] = []

    def waits(ctx: Context) -> None:
        async def never() -> None:
            begun.set()
            await asyncio.get_running_loop().create_future()

        try:
            ctx.wait(ctx.once("k", never))
        except BaseException as error:
            raised.append(type(error))
            with pytest.raises(asyncio.CancelledError):
                ctx.wait(ctx.once("later", lambda: 1))
            raise
        finally:
            loop.call_soon_threadsafe(ended.set)

    async with client(tool(waits)) as c:
        run = c.run("waits")
        await asyncio.wait_for(begun.wait(), SECONDS)
        await c.stop()
        await asyncio.wait_for(ended.wait(), SECONDS)
        assert raised == [asyncio.CancelledError]
        with pytest.raises(errors.Shutdown):
            await run
