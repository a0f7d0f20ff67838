"""What calls share: made once, at the start or at first use, and closed in the reverse order when all is over."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import re
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import pytest
from loop_clock import on_loop_clock
from runs_stage import Stage, end_of, error_of, now

from mcp_app import Depends, Shared, Tool, override, tool
from mcp_app.protocol.errors import Cancelled
from mcp_app.protocol.policy import PLAIN_DETACHED
from mcp_app.runs import MakerFailed
from mcp_app.runs.shared import CLOSE_SECONDS

BOUND = 20.0
HERE = re.escape(__file__)


class Book:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def maker(self, name: str, seconds: float = 0) -> Callable[[], AsyncIterator[str]]:
        async def make() -> AsyncIterator[str]:
            await asyncio.sleep(seconds)
            self.lines.append(f"make {name}")
            yield name
            self.lines.append(f"close {name}")

        make.__qualname__ = f"make_{name}"
        return make


async def start(stage: Stage, *tools: Tool) -> None:
    await stage.runs.dependencies.shared.start([each.plan for each in tools if each.plan is not None])


# --- made once -------------------------------------------------------------------------------------------------------


@on_loop_clock
async def test_what_is_shared_is_made_at_the_start_in_order_and_closed_in_the_reverse_order() -> None:
    book = Book()
    settings = book.maker("settings")

    async def make_pool(settings: Annotated[str, Shared(settings)]) -> AsyncIterator[str]:
        book.lines.append(f"make pool of {settings}")
        yield "pool"
        book.lines.append("close pool")

    @tool
    async def one(pool: Annotated[str, Shared(make_pool)]) -> str:
        return pool

    @tool
    async def two(client: Annotated[str, Shared(book.maker("client"))], pool: Annotated[str, Shared(make_pool)]) -> str:
        return client

    async with Stage() as stage:
        await start(stage, one, two)
        assert book.lines == ["make settings", "make pool of settings", "make client"]
        assert [(await end_of(stage, each))["data"] for each in (one, two, one)] == ["pool", "client", "pool"]
        assert len(book.lines) == 3
    assert book.lines[3:] == ["close client", "close pool", "close settings"]


@on_loop_clock
async def test_a_tool_that_was_added_later_has_it_made_at_its_first_use_once_for_all_who_wait() -> None:
    book = Book()

    @tool
    async def query(pool: Annotated[str, Shared(book.maker("pool", seconds=2))]) -> str:
        return pool

    async with Stage() as stage:
        began = now()
        ends = await asyncio.gather(*(end_of(stage, query) for _ in range(5)))
        assert [each["data"] for each in ends] == ["pool"] * 5
        assert now() == began + 2
        assert book.lines == ["make pool"]
    assert book.lines == ["make pool", "close pool"]


@on_loop_clock
async def test_order_of_closing_is_that_of_making_not_of_asking() -> None:
    book = Book()
    base = book.maker("base", seconds=1)

    async def derived(base: Annotated[str, Shared(base)]) -> AsyncIterator[str]:
        book.lines.append("make derived")
        yield base
        book.lines.append("close derived")

    @tool
    async def one(value: Annotated[str, Shared(derived)]) -> str:
        return value

    async with Stage() as stage:
        await end_of(stage, one)
    assert book.lines == ["make base", "make derived", "close derived", "close base"]


@on_loop_clock
async def test_who_is_cancelled_leaves_the_maker_to_the_others() -> None:
    book = Book()

    @tool
    async def query(pool: Annotated[str, Shared(book.maker("pool", seconds=5))]) -> str:
        return pool

    async with Stage() as stage:
        run = await stage.start(query, PLAIN_DETACHED)
        await asyncio.sleep(1)
        run.stop(Cancelled("no longer wanted"))
        await run.stopped()
        assert (await end_of(stage, query))["data"] == "pool"
        assert book.lines == ["make pool"]


@on_loop_clock
async def test_a_maker_that_fails_at_first_use_fails_those_calls_and_is_called_again() -> None:
    calls: list[float] = []

    async def make_pool() -> str:
        calls.append(now())
        await asyncio.sleep(1)
        if len(calls) == 1:
            raise ConnectionError("not yet")
        return "pool"

    @tool
    async def query(pool: Annotated[str, Shared(make_pool)]) -> str:
        return pool

    async with Stage() as stage:
        first = await asyncio.gather(end_of(stage, query), end_of(stage, query))
        assert [each["data"]["code"] for each in first] == ["tool_failed"] * 2
        assert (await end_of(stage, query))["data"] == "pool"
        assert len(calls) == 2


@on_loop_clock
async def test_it_is_not_made_in_the_context_of_the_call_that_came_first() -> None:
    caller: contextvars.ContextVar[str] = contextvars.ContextVar("caller", default="nobody")

    async def make_pool() -> str:
        return caller.get()

    @tool
    async def query(pool: Annotated[str, Shared(make_pool)]) -> str:
        return pool

    async with Stage() as stage:
        caller.set("Ada")
        assert (await end_of(stage, query))["data"] == "nobody"


async def test_a_plain_generator_has_a_thread_of_its_own_beside_those_of_calls() -> None:
    threads: list[threading.Thread] = []

    def make_table() -> Iterator[sqlite3.Connection]:
        threads.append(threading.current_thread())
        connection = sqlite3.connect(":memory:")  # which is closed in its thread, or raises
        yield connection
        connection.close()
        threads.append(threading.current_thread())

    def make_number() -> int:
        threads.append(threading.current_thread())
        return 7

    @tool
    async def query(table: Annotated[Any, Shared(make_table)], number: Annotated[int, Shared(make_number)]) -> int:
        return number

    async with Stage(threads=1) as stage:
        assert (await end_of(stage, query))["data"] == 7
        assert stage.runs.threads.working == 0
        await stage.runs.dependencies.stop()
        assert stage.runs.dependencies.closings.abandoned == 0
    first, number, last = threads
    assert first is last
    assert len({first, number, threading.current_thread()}) == 3
    first.join(BOUND)
    assert not first.is_alive()


# --- a start that fails ----------------------------------------------------------------------------------------------


@on_loop_clock
async def test_a_start_that_fails_says_which_maker_in_one_line_and_closes_what_was_made() -> None:
    book = Book()

    async def make_pool(settings: Annotated[str, Shared(book.maker("settings"))]) -> str:
        raise ConnectionError("nobody\nlistens at port 5432")

    @tool
    async def query(pool: Annotated[str, Shared(make_pool)]) -> str:
        return pool

    async with Stage() as stage:
        with pytest.raises(MakerFailed) as caught:
            await start(stage, query)
        assert re.fullmatch(
            rf"\S+make_pool \({HERE}:\d+\) raised ConnectionError: nobody listens at port 5432", str(caught.value)
        )
        assert book.lines == ["make settings", "close settings"]


@on_loop_clock
async def test_a_maker_that_never_returns_is_ended_at_the_cap() -> None:
    ended: list[str] = []

    async def make_pool() -> str:
        try:
            await asyncio.sleep(100_000)
        finally:
            ended.append("cancelled")
        return "pool"

    @tool
    async def query(pool: Annotated[str, Shared(make_pool)]) -> str:
        return pool

    async with Stage(cap_seconds=30) as stage:
        began = now()
        with pytest.raises(MakerFailed, match=r"make_pool \(.*\) had no value after 30 s, the cap"):
            await start(stage, query)
        assert (now(), ended) == (began + 30, ["cancelled"])


@on_loop_clock
async def test_a_maker_that_ignores_the_cap_does_not_hold_the_start(caplog: pytest.LogCaptureFixture) -> None:
    swallowed: list[float] = []

    async def make_pool() -> str:
        while len(swallowed) < 2:
            try:
                await asyncio.sleep(100_000)
            except asyncio.CancelledError:
                swallowed.append(now())
        return "pool"

    @tool
    async def query(pool: Annotated[str, Shared(make_pool)]) -> str:
        return pool

    async with Stage(cap_seconds=30) as stage:
        began = now()
        with pytest.raises(MakerFailed, match=r"make_pool \(.*\) goes on after the cap, and when it is cancelled"):
            await start(stage, query)
        assert swallowed == [began + 30, began + 31]


@on_loop_clock
async def test_a_timeout_of_the_makers_own_is_told_as_what_it_is() -> None:
    async def make_pool() -> str:
        raise TimeoutError("no answer in 2 s")

    @tool
    async def query(pool: Annotated[str, Shared(make_pool)]) -> str:
        return pool

    async with Stage() as stage:
        with pytest.raises(MakerFailed, match=r"raised TimeoutError: no answer in 2 s"):
            await start(stage, query)


@on_loop_clock
async def test_a_start_that_is_ended_from_outside_names_who_was_at_work(caplog: pytest.LogCaptureFixture) -> None:
    book = Book()

    async def make_pool(settings: Annotated[str, Shared(book.maker("settings"))]) -> str:
        await asyncio.sleep(100_000)
        return "pool"

    @tool
    async def query(pool: Annotated[str, Shared(make_pool)]) -> str:
        return pool

    async with Stage() as stage:
        starting = asyncio.create_task(start(stage, query))
        await asyncio.sleep(5)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert book.lines == ["make settings", "close settings"]
    assert re.search(r"the start was ended while \S+make_pool \(.*\) was at work", caplog.text)


async def test_a_plain_maker_that_hangs_does_not_hold_the_loop_and_is_closed_when_it_ends() -> None:
    loop, go_on, closed = asyncio.get_running_loop(), threading.Event(), asyncio.Event()

    def make_pool() -> Iterator[int]:
        go_on.wait(BOUND)
        try:
            yield 1
        finally:
            loop.call_soon_threadsafe(closed.set)

    @tool
    async def query(pool: Annotated[int, Shared(make_pool)]) -> int:
        return pool

    async with Stage(cap_seconds=0.05) as stage:
        with pytest.raises(MakerFailed, match=r"had no value after 0.05 s, the cap"):
            await start(stage, query)
        assert not closed.is_set()
        go_on.set()
        await asyncio.wait_for(closed.wait(), BOUND)


# --- closing ---------------------------------------------------------------------------------------------------------


@on_loop_clock
async def test_one_that_hangs_in_closing_leaves_time_for_the_others(caplog: pytest.LogCaptureFixture) -> None:
    book = Book()

    async def hangs() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(100_000)

    async def fails() -> AsyncIterator[int]:
        yield 1
        raise OSError("the disk is full")

    @tool
    async def query(
        first: Annotated[str, Shared(book.maker("first"))],
        failing: Annotated[int, Shared(fails)],
        hanging: Annotated[int, Shared(hangs)],
    ) -> str:
        return first

    stage = Stage()
    await start(stage, query)
    began = now()
    with caplog.at_level(logging.WARNING):
        await stage.runs.dependencies.stop()
    stage.runs.close()
    assert book.lines == ["make first", "close first"]
    assert now() == began + CLOSE_SECONDS / 3
    assert stage.runs.dependencies.closings.abandoned == 1
    messages = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(
        rf"the application: \S+hangs \({HERE}:\d+\) is not closed after 1.0 s, and is given up", messages[0]
    )
    assert re.fullmatch(rf"the application: \S+fails \({HERE}:\d+\) raised while it was closed", messages[1])
    with pytest.raises(RuntimeError, match="after all that is shared had been closed"):
        await stage.runs.dependencies.shared.get(query.plan.shared[0])  # type: ignore[union-attr]


# --- override --------------------------------------------------------------------------------------------------------


@on_loop_clock
async def test_an_override_stands_for_what_was_made_already_and_for_what_is_made_of_it() -> None:
    book = Book()
    make_pool = book.maker("pool")

    async def make_store(pool: Annotated[str, Shared(make_pool)]) -> AsyncIterator[str]:
        book.lines.append(f"store of {pool}")
        yield f"store of {pool}"
        book.lines.append(f"close store of {pool}")

    async def take(pool: Annotated[str, Shared(make_pool)]) -> str:
        return f"conn of {pool}"

    @tool
    async def query(
        pool: Annotated[str, Shared(make_pool)],
        store: Annotated[str, Shared(make_store)],
        conn: Annotated[str, Depends(take)],
    ) -> list[str]:
        return [pool, store, conn]

    async with Stage() as stage:
        await start(stage, query)
        real = ["pool", "store of pool", "conn of pool"]
        assert (await end_of(stage, query))["data"] == real
        with override(make_pool, "fake") as fake:
            assert fake == "fake"
            assert (await end_of(stage, query))["data"] == ["fake", "store of fake", "conn of fake"]
            with override(take, "none"), override(make_pool, "inner"):
                assert (await end_of(stage, query))["data"] == ["inner", "store of inner", "none"]
            assert (await end_of(stage, query))["data"] == ["fake", "store of fake", "conn of fake"]
        assert (await end_of(stage, query))["data"] == real
        assert book.lines == ["make pool", *(f"store of {each}" for each in ("pool", "fake", "inner"))]
    assert book.lines[4:] == [
        *(f"close store of {each}" for each in ("inner", "fake", "pool")),
        "close pool",
    ]


@on_loop_clock
async def test_what_only_an_overridden_maker_needs_is_not_made() -> None:
    book = Book()

    async def take(pool: Annotated[str, Shared(book.maker("pool"))]) -> AsyncIterator[str]:
        book.lines.append("take")
        yield pool

    @tool
    async def query(conn: Annotated[Any, Depends(take)]) -> str:
        return str(conn)

    with override(take, None):
        async with Stage() as stage:
            await start(stage, query)
            assert (await end_of(stage, query))["data"] == "None"
    assert book.lines == []


async def test_an_override_reaches_threads_and_other_tasks() -> None:
    def connect() -> Iterator[str]:
        raise AssertionError("it is overridden")
        yield ""

    @tool
    def query(conn: Annotated[Any, Depends(connect)]) -> str:
        return str(conn())

    async with Stage() as stage:
        running = asyncio.create_task(asyncio.sleep(0))
        with override(connect, lambda: "fake"):
            assert (await end_of(stage, query))["data"] == "fake"
        await running
        assert error_of([await end_of(stage, query) | {"n": 1}])["code"] == "tool_failed"
