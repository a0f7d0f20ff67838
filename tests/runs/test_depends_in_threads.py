"""Plain makers: in the very thread of a plain tool, in a thread of the pool for a coroutine, never on the loop."""

from __future__ import annotations

import asyncio
import contextvars
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import pytest
from runs_stage import Stage, end_of, error_of, read

from mcp_app import Context, Depends, Result, tool
from mcp_app.protocol.errors import Cancelled
from mcp_app.protocol.policy import PLAIN_DETACHED

BOUND = 20.0


class Threads:
    """Which thread did what."""

    def __init__(self) -> None:
        self.of: dict[str, threading.Thread] = {}

    def note(self, what: str) -> None:
        self.of[what] = threading.current_thread()

    def maker(self, name: str) -> Callable[[], Iterator[str]]:
        def make() -> Iterator[str]:
            self.note(f"take {name}")
            yield name
            self.note(f"close {name}")

        return make


# --- a plain tool ----------------------------------------------------------------------------------------------------


async def test_a_plain_tool_works_in_the_thread_of_its_makers_whatever_stands_between() -> None:
    threads = Threads()
    conn = threads.maker("conn")

    async def on_loop(conn: Annotated[str, Depends(conn)]) -> AsyncIterator[str]:
        threads.note("take on_loop")
        yield f"on the loop {conn}"
        threads.note("close on_loop")

    def last(on_loop: Annotated[str, Depends(on_loop)]) -> str:
        threads.note("take last")
        return on_loop.upper()

    @tool
    def query(text: str, last: Annotated[str, Depends(last)], conn: Annotated[str, Depends(conn)]) -> list[str]:
        threads.note("work")
        return [text, last, conn]

    async with Stage() as stage:
        assert (await end_of(stage, query, text="a"))["data"] == ["a", "ON THE LOOP CONN", "conn"]
        assert stage.runs.threads.abandoned == 0
    here = threading.current_thread()
    assert threads.of.pop("take on_loop") is threads.of.pop("close on_loop") is here
    assert len(threads.of) == 4
    assert len(set(threads.of.values())) == 1
    assert here not in threads.of.values()


async def test_sqlite_whose_connections_are_of_one_thread() -> None:
    """sqlite3 raises ProgrammingError in any other thread, also when it is closed."""

    def connect() -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(":memory:")
        try:
            yield connection
        finally:
            connection.close()

    def transaction(connection: Annotated[sqlite3.Connection, Depends(connect)]) -> Iterator[sqlite3.Cursor]:
        with connection:
            yield connection.cursor()

    @tool
    def rows(cursor: Annotated[sqlite3.Cursor, Depends(transaction)], count: int) -> Iterator[int | Result[int]]:
        cursor.execute("create table t (n)")
        for each in range(count):
            cursor.execute("insert into t values (?)", (each,))
            yield each
        yield Result(cursor.execute("select count(*) from t").fetchone()[0])

    async with Stage() as stage:
        entries = await read(await stage.start(rows, arguments={"count": 3}))
        assert [each["data"] for each in entries] == ["rows", 0, 1, 2, 3]


async def test_an_error_is_seen_in_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def transaction() -> Iterator[int]:
        try:
            yield 1
        except ValueError as error:
            seen.append(f"{error} in {threading.current_thread().name}")
            raise OSError("cannot roll back") from error

    @tool
    def query(value: Annotated[int, Depends(transaction)]) -> int:
        seen.append(threading.current_thread().name)
        raise ValueError("no such row")

    async with Stage() as stage:
        assert (await end_of(stage, query))["data"]["code"] == "tool_failed"
    assert seen[1] == f"no such row in {seen[0]}"
    assert "transaction (" in caplog.text
    assert "cannot roll back" in caplog.text


async def test_the_context_of_a_thread_is_one() -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")

    def signed_in(name: str) -> Iterator[str]:
        token = who.set(name)
        yield name
        who.reset(token)

    @tool
    def query(name: str, user: Annotated[str, Depends(signed_in)]) -> str:
        return who.get()

    async with Stage() as stage:
        assert (await end_of(stage, query, name="Ada"))["data"] == "Ada"
        assert stage.runs.dependencies.closings.abandoned == 0


async def test_what_is_set_on_the_loop_is_seen_in_the_thread_that_was_there_before() -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")
    seen: list[str] = []

    def conn() -> Iterator[str]:
        token = who.set("thread")
        yield "conn"
        seen.append(who.get())
        who.reset(token)
        seen.append(who.get())

    async def signed_in(name: str, conn: Annotated[str, Depends(conn)]) -> AsyncIterator[str]:
        token = who.set(name)
        yield name
        who.reset(token)

    def table(user: Annotated[str, Depends(signed_in)]) -> str:
        return f"table of {who.get()}"

    @tool
    def query(name: str, table: Annotated[str, Depends(table)], conn: Annotated[str, Depends(conn)]) -> list[str]:
        return [table, who.get(), conn]

    async with Stage() as stage:
        assert (await end_of(stage, query, name="Ada"))["data"] == ["table of Ada", "Ada", "conn"]
        await asyncio.wait_for(stage.runs.dependencies.closings.ended(), BOUND)
        assert stage.runs.dependencies.closings.abandoned == 0
    assert seen == ["Ada", "nobody"]


async def test_a_cancelled_function_is_over_before_its_connection_is_closed() -> None:
    order: list[str] = []
    loop, working, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def connect() -> Iterator[int]:
        try:
            yield 1
        except asyncio.CancelledError:
            order.append("cancelled")
            raise
        finally:
            order.append("closed")

    @tool
    def query(value: Annotated[int, Depends(connect)]) -> int:
        loop.call_soon_threadsafe(working.set)
        go_on.wait(BOUND)
        order.append("worked")
        return value

    async with Stage() as stage:
        run = await stage.start(query, PLAIN_DETACHED)
        await asyncio.wait_for(working.wait(), BOUND)
        run.stop(Cancelled("no longer wanted"))
        assert error_of(await read(run))["code"] == "cancelled"
        await asyncio.wait_for(run.stopped(), BOUND)
        assert order == []
        go_on.set()
        await asyncio.wait_for(stage.runs.dependencies.closings.ended(), BOUND)
        assert order == ["worked", "cancelled", "closed"]
        await asyncio.wait_for(stage.runs.threads.ended(), BOUND)
        assert stage.runs.threads.working == 0


# --- a coroutine -----------------------------------------------------------------------------------------------------


async def test_a_coroutine_has_its_plain_makers_in_one_thread_of_the_pool() -> None:
    threads = Threads()
    outer = threads.maker("outer")

    def inner(outer: Annotated[str, Depends(outer)], ctx: Context) -> Iterator[str]:
        threads.note("take inner")
        ctx.progress(1, 2, "inside")
        yield f"in {outer}"
        threads.note("close inner")

    @tool
    async def query(inner: Annotated[str, Depends(inner)]) -> str:
        threads.note("work")
        return inner

    async with Stage() as stage:
        entries = await read(await stage.start(query))
        assert [each["data"] for each in entries] == ["query", {"message": "inside"}, "in outer"]
        await asyncio.wait_for(stage.runs.dependencies.closings.ended(), BOUND)
        await asyncio.wait_for(stage.runs.threads.ended(), BOUND)
    assert threads.of.pop("work") is threading.current_thread()
    assert len(threads.of) == 4
    (thread,) = set(threads.of.values())
    assert thread is not threading.current_thread()


async def test_a_thread_is_kept_only_for_what_has_to_be_closed_in_it() -> None:
    def returns() -> int:
        return 1

    def yields() -> Iterator[int]:
        yield 2

    working: list[int] = []

    @tool
    async def one(value: Annotated[int, Depends(returns)]) -> int:
        await asyncio.wait_for(stage.runs.threads.ended(), BOUND)
        working.append(stage.runs.threads.working)
        return value

    @tool
    async def two(value: Annotated[int, Depends(yields)]) -> int:
        working.append(stage.runs.threads.working)
        return value

    async with Stage() as stage:
        assert [(await end_of(stage, each))["data"] for each in (one, two)] == [1, 2]
        assert working == [0, 1]


async def test_no_thread_is_free_for_a_maker() -> None:
    loop, working, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    @tool
    def occupies() -> None:
        loop.call_soon_threadsafe(working.set)
        go_on.wait(BOUND)

    def connect() -> int:
        return 1

    @tool
    async def query(value: Annotated[int, Depends(connect)]) -> int:
        return value

    async with Stage(threads=1, cap_seconds=0.4) as stage:
        first = await stage.start(occupies)
        await asyncio.wait_for(working.wait(), BOUND)
        entries = await read(await stage.start(query))
        assert entries[1]["data"]["message"].startswith("queued: no thread is free")
        assert error_of(entries)["code"] == "overloaded"
        go_on.set()
        await read(first)


async def test_a_take_that_nobody_waits_for_is_closed_in_its_thread() -> None:
    order: list[str] = []
    loop, taking, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def connect() -> Iterator[int]:
        loop.call_soon_threadsafe(taking.set)
        go_on.wait(BOUND)
        order.append("taken")
        try:
            yield 1
        finally:
            order.append("closed")

    @tool
    async def query(value: Annotated[int, Depends(connect)]) -> int:
        order.append("worked")
        return value

    async with Stage() as stage:
        run = await stage.start(query, PLAIN_DETACHED)
        await asyncio.wait_for(taking.wait(), BOUND)
        run.stop(Cancelled("no longer wanted"))
        await asyncio.wait_for(run.stopped(), BOUND)
        go_on.set()
        await asyncio.wait_for(stage.runs.dependencies.closings.ended(), BOUND)
        assert order == ["taken", "closed"]
        await asyncio.wait_for(stage.runs.threads.ended(), BOUND)
        assert stage.runs.threads.working == 0


async def test_a_plain_maker_that_has_to_be_awaited_or_yields_twice_is_named(caplog: pytest.LogCaptureFixture) -> None:
    async def later() -> int:
        return 1

    def wrapper() -> Any:
        return later()

    def twice() -> Iterator[int]:
        yield 1
        yield 2

    def never() -> Iterator[int]:
        yield from ()

    @tool
    async def awaits(value: Annotated[int, Depends(wrapper)]) -> int:
        return value

    @tool
    def yields(value: Annotated[int, Depends(twice)]) -> int:
        return value

    @tool
    def nothing(value: Annotated[int, Depends(never)]) -> int:
        return value

    async with Stage() as stage:
        assert (await end_of(stage, awaits))["data"]["code"] == "tool_failed"
        assert (await end_of(stage, yields))["data"] == 1
        assert (await end_of(stage, nothing))["data"]["code"] == "tool_failed"
        await asyncio.wait_for(stage.runs.threads.ended(), BOUND)
        assert stage.runs.threads.working == 0
    for problem in (
        "wrapper (",
        "returned a coroutine in the place of a value",
        "yielded a second time",
        "ended without a yield",
    ):
        assert problem in caplog.text


async def test_a_plain_maker_that_asks_waits_for_its_answer() -> None:
    def connect(ctx: Context) -> int:
        made: int = ctx.wait(ctx.once("made", lambda: 5))
        return made

    def forgets(ctx: Context) -> int:
        ctx.once("made", lambda: 5)
        return 1

    @tool
    async def query(value: Annotated[int, Depends(connect)]) -> int:
        return value

    @tool
    async def forgetful(value: Annotated[int, Depends(forgets)]) -> int:
        return value

    async with Stage() as stage:
        assert (await end_of(stage, query))["data"] == 5
        error = (await end_of(stage, forgetful))["data"]
        assert "forgets, called ctx.once(…) without ctx.wait" in error["message"]
