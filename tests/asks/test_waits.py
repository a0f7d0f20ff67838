"""A thread that waits for a coroutine: in its place among what was said, and never longer than the run lasts."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import threading
from collections.abc import Callable

import pytest
from asks_stage import SECONDS, Server

from mcp_app import Context, ToolError
from mcp_app.asking import Asker
from mcp_app.asking.questions import Questions
from mcp_app.authoring import caller

Make = Callable[..., Server]


async def test_what_was_said_before_stands_before(serve: Make) -> None:
    seen: list[str] = []

    def says(ctx: Context) -> None:
        for each in range(3):
            ctx.log("info", f"before {each}")
            ctx.wait(ctx.once(f"k{each}", functools.partial(seen.append, f"once {each}")))
            ctx.log("info", f"after {each}")

    said = await serve(says).plain("says")
    assert said.status == 200
    assert seen == ["once 0", "once 1", "once 2"]


async def test_what_the_coroutine_raises_is_raised_in_the_thread(serve: Make) -> None:
    def fails(ctx: Context) -> str:
        def make() -> None:
            raise ToolError("no luck")

        try:
            ctx.wait(ctx.once("k", make))
        except ToolError as error:
            return error.message
        return "made"

    assert (await serve(fails).plain("fails")).message["data"] == "no luck"


async def test_threads_of_the_tool_may_wait_too(serve: Make) -> None:
    def many(ctx: Context) -> list[int]:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda n: ctx.wait(ctx.once(str(n), lambda: n)), range(8)))

    assert (await serve(many).plain("many")).message["data"] == list(range(8))


async def test_what_is_made_once_for_a_plain_function_may_block_and_the_loop_goes_on(serve: Make) -> None:
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

    assert (await serve(waits).plain("waits")).message["data"] == ["made", "awaited"]
    assert daemons == [True], "it delays no exit"


async def test_threads_that_are_first_together_make_once_what_is_made_once(
    serve: Make, monkeypatch: pytest.MonkeyPatch
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
    assert (await serve(many).plain("many")).status == 200
    assert len(made) == 1


async def test_a_coroutine_awaits_and_does_not_wait(serve: Make) -> None:
    async def wrong(ctx: Context) -> str:
        with pytest.raises(RuntimeError, match="await"):
            ctx.wait(ctx.once("k", lambda: 1))
        return "told"

    assert (await serve(wrong).plain("wrong")).message["data"] == "told"


async def test_a_run_that_is_ended_lets_its_thread_go(serve: Make) -> None:
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

    server = serve(waits)
    call = asyncio.create_task(server.plain("waits"))
    await asyncio.wait_for(begun.wait(), SECONDS)
    await server.runs.drain()
    await asyncio.wait_for(ended.wait(), SECONDS)
    assert raised == [asyncio.CancelledError]
    assert (await call).error["code"] == "shutdown"
