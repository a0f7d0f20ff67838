"""What a call takes by `Depends`: in order, once, and closed in the reverse order, after its result."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import anyio
import pytest
from loop_clock import on_loop_clock
from pydantic import AfterValidator
from runs_stage import Stage, circles, end_of, error_of, now, read, settle

from mcp_app import Context, Depends, Result, Shared, ToolError, tool
from mcp_app.protocol.access import ANONYMOUS
from mcp_app.protocol.errors import Cancelled, Shutdown
from mcp_app.protocol.policy import PLAIN_DETACHED, PLAIN_POST
from mcp_app.runs import Run
from mcp_app.runs.closings import CANCEL_TRIES, CLOSE_SECONDS


class Book:
    """What happened, in order. `maker(name)` is one that writes down its take and its end."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def maker(self, name: str) -> Callable[[], AsyncIterator[str]]:
        async def make() -> AsyncIterator[str]:
            self.lines.append(f"take {name}")
            try:
                yield name
            except BaseException as error:
                self.lines.append(f"{name} sees {type(error).__name__}")
                raise
            finally:
                self.lines.append(f"close {name}")

        make.__qualname__ = f"make_{name}"
        return make


# --- a call ----------------------------------------------------------------------------------------------------------


@on_loop_clock
async def test_each_is_taken_once_in_order_and_closed_in_the_reverse_order() -> None:
    book = Book()
    base = book.maker("base")

    async def middle(base: Annotated[str, Depends(base)]) -> AsyncIterator[str]:
        book.lines.append(f"take middle of {base}")
        yield f"middle of {base}"
        book.lines.append("close middle")

    async def plain_value(middle: Annotated[str, Depends(middle)]) -> int:
        return len(middle)

    @tool
    async def query(
        text: str,
        size: Annotated[int, Depends(plain_value)],
        base: Annotated[str, Depends(base)],
        again: Annotated[str, Depends(base)],
    ) -> list[Any]:
        book.lines.append("work")
        return [text, size, base, again is base]

    async with Stage() as stage:
        end = await end_of(stage, query, text="a")
        assert end["data"] == ["a", 14, "base", True]
        assert book.lines == ["take base", "take middle of base", "work", "close middle", "close base"]
        book.lines.clear()
        assert (await end_of(stage, query, text="b"))["type"] == "complete"
        assert book.lines[0] == "take base"  # for each call anew


@on_loop_clock
async def test_a_maker_has_the_arguments_of_the_same_name() -> None:
    async def greeting(name: str, times: int) -> str:
        return f"{name}!" * times

    @tool
    async def greet(name: str, greeting: Annotated[str, Depends(greeting)], times: int = 2) -> str:
        return greeting

    async with Stage() as stage:
        assert (await end_of(stage, greet, **greet.arguments({"name": "Ada"})))["data"] == "Ada!Ada!"


@on_loop_clock
async def test_an_async_generator_has_its_own_while_it_yields() -> None:
    book = Book()

    @tool
    async def rows(source: Annotated[str, Depends(book.maker("source"))]) -> AsyncIterator[str | Result[int]]:
        yield source
        book.lines.append("yielded")
        yield Result(1)

    async with Stage() as stage:
        assert (await end_of(stage, rows))["data"] == 1
        assert book.lines == ["take source", "yielded", "close source"]


@on_loop_clock
async def test_the_result_is_there_before_anything_is_closed() -> None:
    closing, closed = asyncio.Event(), asyncio.Event()
    over: list[bool] = []

    async def take() -> AsyncIterator[int]:
        yield 1
        over.append(run.over)
        closing.set()
        await asyncio.sleep(2)
        closed.set()

    @tool
    async def query(value: Annotated[int, Depends(take)]) -> int:
        return value

    async with Stage() as stage:
        run = await stage.start(query)
        began = now()
        assert (await read(run))[-1]["data"] == 1
        await run.stopped()
        assert (now(), closed.is_set()) == (began, False)
        await closing.wait()
        await stage.runs.dependencies.closings.ended()
        assert (over, closed.is_set(), now()) == ([True], True, began + 2)


@on_loop_clock
async def test_what_a_maker_sets_for_its_context_the_tool_sees_and_it_is_set_back() -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")
    seen: list[str] = []

    async def signed_in(name: str) -> AsyncIterator[str]:
        token = who.set(name)
        yield name
        who.reset(token)  # ValueError in another context than that of the set
        seen.append(who.get())

    @tool
    async def query(name: str, user: Annotated[str, Depends(signed_in)]) -> str:
        return who.get()

    async with Stage() as stage:
        assert (await end_of(stage, query, name="Ada"))["data"] == "Ada"
        assert seen == ["nobody"]
        assert who.get() == "nobody"


@on_loop_clock
async def test_a_task_group_is_left_in_the_task_that_entered_it() -> None:
    ended: list[str] = []

    async def worker(name: str) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append(name)

    async def group() -> AsyncIterator[int]:
        async with anyio.create_task_group() as tasks, asyncio.TaskGroup() as more:
            tasks.start_soon(worker, "anyio")
            task = more.create_task(worker("asyncio"))
            yield 1
            tasks.cancel_scope.cancel()
            task.cancel()

    @tool
    async def query(value: Annotated[int, Depends(group)]) -> int:
        await asyncio.sleep(1)
        return value

    async with Stage() as stage:
        assert (await end_of(stage, query))["data"] == 1
        assert sorted(ended) == ["anyio", "asyncio"]
        assert stage.runs.dependencies.closings.abandoned == 0


@on_loop_clock
async def test_a_context_manager_is_as_good_a_maker() -> None:
    book = Book()
    managed = asynccontextmanager(book.maker("managed"))

    @tool
    async def query(value: Annotated[str, Depends(managed)]) -> str:
        return value

    async with Stage() as stage:
        assert (await end_of(stage, query))["data"] == "managed"
        assert book.lines == ["take managed", "close managed"]


# --- its Context -----------------------------------------------------------------------------------------------------


@on_loop_clock
async def test_a_maker_says_what_it_does_by_its_context() -> None:
    async def connect(ctx: Context) -> int:
        await ctx.progress(0, 2, "connecting")
        return 1

    @tool
    async def query(value: Annotated[int, Depends(connect)], ctx: Context) -> str:
        await ctx.progress(1, 2, "asking")
        return ctx.principal

    async with Stage() as stage:
        entries = await read(await stage.start(query))
        assert [each["data"] for each in entries] == [
            "query",
            {"message": "connecting"},
            {"message": "asking"},
            "anonymous",
        ]


@on_loop_clock
async def test_a_maker_that_forgets_an_await_is_told_so() -> None:
    async def connect(ctx: Context) -> int:
        ctx.progress(0, 2, "connecting")  # type: ignore[unused-coroutine]
        return 1

    @tool
    async def query(value: Annotated[int, Depends(connect)]) -> int:
        return value

    async with Stage() as stage:
        error = error_of(await read(await stage.start(query)))
        assert error["code"] == "tool_failed"
        assert "connect" in error["message"]
        assert "called ctx.progress(…) without await" in error["message"]


# --- how it ends -----------------------------------------------------------------------------------------------------


@on_loop_clock
async def test_an_error_of_the_tool_is_seen_by_every_maker_and_none_changes_it() -> None:
    book = Book()

    async def swallows(outer: Annotated[str, Depends(book.maker("outer"))]) -> AsyncIterator[int]:
        try:
            yield 1
        except ValueError:
            book.lines.append("rolled back")

    @tool
    async def query(
        value: Annotated[int, Depends(swallows)], inner: Annotated[str, Depends(book.maker("inner"))]
    ) -> int:
        raise ValueError("no such row")

    async with Stage() as stage:
        assert (await end_of(stage, query))["data"]["code"] == "tool_failed"
        assert book.lines == [
            *("take outer", "take inner"),
            *("inner sees ValueError", "close inner"),
            "rolled back",
            *("outer sees ValueError", "close outer"),
        ]


@on_loop_clock
async def test_a_result_that_does_not_fit_its_declaration_is_an_error_to_makers() -> None:
    book = Book()

    @tool
    async def query(conn: Annotated[str, Depends(book.maker("conn"))]) -> int:
        return "one"  # type: ignore[return-value]

    async with Stage() as stage:
        assert (await end_of(stage, query))["data"]["code"] == "tool_failed"
        assert book.lines == ["take conn", "conn sees ToolFailed", "close conn"]


@on_loop_clock
async def test_an_error_of_a_maker_ends_the_call_and_closes_what_was_taken() -> None:
    book = Book()

    async def denied(conn: Annotated[str, Depends(book.maker("conn"))]) -> int:
        raise ToolError("you may not", hint="ask Ada")

    @tool
    async def query(value: Annotated[int, Depends(denied)]) -> int:
        book.lines.append("worked")
        return value

    async with Stage() as stage:
        end = await end_of(stage, query)
        assert (end["data"]["message"], end["data"]["hint"]) == ("you may not", "ask Ada")
        assert book.lines == ["take conn", "conn sees ToolError", "close conn"]


@on_loop_clock
async def test_what_a_maker_raises_is_masked_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def unreachable() -> int:
        raise ConnectionError("secret.internal:5432")

    @tool
    async def query(value: Annotated[int, Depends(unreachable)]) -> int:
        return value

    async with Stage() as stage:
        end = (await end_of(stage, query))["data"]
        assert "secret" not in str(end)
        assert end["error_id"] in caplog.text
        assert "secret.internal:5432" in caplog.text


ENDS: dict[str, Callable[[Run], object]] = {
    "cancelled": lambda run: run.stop(Cancelled("no longer wanted")),
    "shutdown": lambda run: run.stop(Shutdown("stopped")),
    "time_cap": lambda run: run.end_at_cap(),
    "twice": lambda run: (run.stop(Cancelled("no longer wanted")), run._task.cancel()),  # type: ignore[union-attr]
}


@pytest.mark.parametrize("how", ENDS)
def test_no_cancellation_reaches_a_closing(how: str) -> None:
    @on_loop_clock
    async def scene() -> None:
        book = Book()
        working = asyncio.Event()

        async def slow(conn: Annotated[str, Depends(book.maker("conn"))]) -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                await asyncio.sleep(3)  # the rollback
                book.lines.append("close slow")

        @tool
        async def query(value: Annotated[int, Depends(slow)]) -> int:
            working.set()
            await asyncio.sleep(1000)
            return value

        async with Stage() as stage:
            run = await stage.start(query)
            await working.wait()
            began = now()
            ENDS[how](run)
            assert error_of(await read(run))["code"] == {"twice": "cancelled"}.get(how, how)
            await run.stopped()
            assert now() == began
            await stage.runs.dependencies.closings.ended()
            assert book.lines == ["take conn", "close slow", "conn sees CancelledError", "close conn"]
            assert stage.runs.dependencies.closings.abandoned == 0

    scene()


@on_loop_clock
async def test_a_tool_that_goes_on_when_it_is_cancelled_has_not_succeeded() -> None:
    book = Book()
    working = asyncio.Event()

    @tool
    async def stubborn(conn: Annotated[str, Depends(book.maker("conn"))]) -> str:
        working.set()
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            return "done all the same"
        return "done"

    async with Stage() as stage:
        run = await stage.start(stubborn)
        await working.wait()
        run.stop(Cancelled("no longer wanted"))
        await run.stopped()
        await stage.runs.dependencies.closings.ended()
        assert book.lines == ["take conn", "conn sees CancelledError", "close conn"]


@on_loop_clock
async def test_who_leaves_while_a_maker_waits_has_it_cancelled() -> None:
    book = Book()
    waiting = asyncio.Event()

    async def exhausted(conn: Annotated[str, Depends(book.maker("conn"))]) -> AsyncIterator[int]:
        waiting.set()
        try:
            await asyncio.sleep(1000)  # for a connection of the pool
            yield 1
        finally:
            book.lines.append("waits no more")

    @tool
    async def query(value: Annotated[int, Depends(exhausted)]) -> int:
        return value

    async with Stage() as stage:
        run = await stage.start(query, PLAIN_POST)
        reader = run.attach()
        await waiting.wait()
        reader.close()
        await run.stopped()
        await stage.runs.dependencies.closings.ended()
        assert run.code == "left"
        assert book.lines == ["take conn", "waits no more", "conn sees CancelledError", "close conn"]


@on_loop_clock
async def test_the_time_of_makers_is_within_the_cap() -> None:
    async def exhausted() -> int:
        await asyncio.sleep(1000)
        return 1

    @tool
    async def query(value: Annotated[int, Depends(exhausted)]) -> int:
        return value

    async with Stage(cap_seconds=7) as stage:
        began = now()
        assert error_of(await read(await stage.start(query)))["code"] == "time_cap"
        assert now() == began + 7


@on_loop_clock
async def test_a_maker_that_swallows_its_cancellation_is_closed_and_no_other_is_taken() -> None:
    book = Book()
    waiting = asyncio.Event()

    async def stubborn() -> AsyncIterator[int]:
        waiting.set()
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            book.lines.append("swallowed")
        yield 1
        book.lines.append("never here: the call was cancelled")

    @tool
    async def query(value: Annotated[int, Depends(stubborn)], late: Annotated[str, Depends(book.maker("late"))]) -> int:
        return value

    async with Stage() as stage:
        run = await stage.start(query, PLAIN_DETACHED)
        await waiting.wait()
        run.stop(Cancelled("no longer wanted"))
        await stage.runs.dependencies.closings.ended()
        assert book.lines == ["swallowed"]


@on_loop_clock
async def test_a_maker_that_will_not_be_cancelled_is_cancelled_again_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    waiting = asyncio.Event()
    swallowed: list[float] = []

    async def stubborn() -> int:
        waiting.set()
        while len(swallowed) < CANCEL_TRIES + 1:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                swallowed.append(now())
        return 1

    @tool
    async def query(value: Annotated[int, Depends(stubborn)]) -> int:
        return value

    async with Stage() as stage:
        run = await stage.start(query, PLAIN_DETACHED)
        await waiting.wait()
        began = now()
        run.stop(Cancelled("no longer wanted"))
        await stage.runs.dependencies.closings.ended()
        assert [at - began for at in swallowed] == [0, *(CLOSE_SECONDS + each for each in range(CANCEL_TRIES))]
    assert "stubborn (" in caplog.text
    assert "does not stop when it is cancelled" in caplog.text


# --- closing ---------------------------------------------------------------------------------------------------------


def _hangs(cancelled: list[float], *, swallows: int) -> Callable[[], AsyncIterator[int]]:
    async def hangs() -> AsyncIterator[int]:
        yield 1
        for _ in range(swallows):
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                cancelled.append(now())
        await asyncio.sleep(1000)

    return hangs


@pytest.mark.parametrize("swallows", [0, 2])
def test_a_closing_that_hangs_is_cancelled_counted_and_named_and_the_others_are_closed(
    swallows: int, caplog: pytest.LogCaptureFixture
) -> None:
    @on_loop_clock
    async def scene() -> None:
        book, cancelled = Book(), [0.0][:0]
        hangs = _hangs(cancelled, swallows=swallows)

        @tool
        async def query(
            conn: Annotated[str, Depends(book.maker("conn"))], value: Annotated[int, Depends(hangs)]
        ) -> int:
            return value

        async with Stage() as stage:
            began = now()
            assert (await end_of(stage, query))["data"] == 1
            assert now() == began + CLOSE_SECONDS + swallows
            assert cancelled == [began + CLOSE_SECONDS + each for each in range(swallows)]
            assert book.lines == ["take conn", "close conn"]
            assert stage.runs.dependencies.closings.abandoned == 1

    with caplog.at_level(logging.WARNING):
        scene()
    (line,) = [record.getMessage() for record in caplog.records if "given up" in record.getMessage()]
    assert line.startswith("run ")
    assert f": query: _hangs.<locals>.hangs ({__file__}:" in line
    assert line.endswith(") is not closed after 5.0 s, and is given up")


@on_loop_clock
async def test_what_is_raised_in_closing_is_in_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    book = Book()

    async def fails() -> AsyncIterator[int]:
        yield 1
        raise OSError("the connection is gone")

    async def cancels(ctx: Context) -> AsyncIterator[int]:
        yield 1
        await ctx.progress(1)  # the run is over: nothing can be said any more

    @tool
    async def query(
        conn: Annotated[str, Depends(book.maker("conn"))],
        value: Annotated[int, Depends(fails)],
        other: Annotated[int, Depends(cancels)],
    ) -> int:
        return value

    async with Stage() as stage:
        assert (await end_of(stage, query))["data"] == 1
        assert book.lines == ["take conn", "close conn"]
        assert stage.runs.dependencies.closings.abandoned == 0
    messages = [record.getMessage() for record in caplog.records if "raised while it was closed" in record.getMessage()]
    assert ["cancels (" in messages[0], "fails (" in messages[1], len(messages)] == [True, True, 2]
    assert "the connection is gone" in caplog.text


@on_loop_clock
async def test_a_generator_that_yields_twice_is_closed_and_named(caplog: pytest.LogCaptureFixture) -> None:
    book = Book()

    async def twice() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            book.lines.append("closed all the same")

    @tool
    async def query(value: Annotated[int, Depends(twice)]) -> int:
        return value

    async with Stage() as stage:
        assert (await end_of(stage, query))["data"] == 1
        assert book.lines == ["closed all the same"]
    assert "yielded a second time: what follows its yield only closes" in caplog.text


async def _nothing() -> AsyncIterator[int]:
    if now() < 0:
        yield 1


async def _of_coroutines() -> Coroutine[Any, Any, int]:
    async def late() -> int:
        return 1

    return late()


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (_nothing, r"_nothing (.*) ended without a yield: it has to yield its value, once"),
        (_of_coroutines, r"_of_coroutines (.*) returned a coroutine in the place of a value: declare it"),
    ],
)
def test_what_makes_no_value_is_named_in_the_log(
    make: Callable[..., Any], problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    @on_loop_clock
    async def scene() -> None:
        wrong = make

        @tool
        async def query(value: Annotated[int, Depends(wrong)]) -> int:
            return value

        async with Stage() as stage:
            assert (await end_of(stage, query))["data"]["code"] == "tool_failed"

    scene()
    head, _, tail = problem.partition("(.*)")
    assert head in caplog.text
    assert tail in caplog.text


@on_loop_clock
async def test_a_drain_waits_for_closings_and_what_is_left_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    book = Book()
    hangs = _hangs([], swallows=0)

    async def slow() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(3)
        book.lines.append("close slow")

    @tool
    async def query(
        conn: Annotated[str, Depends(book.maker("conn"))],
        hanging: Annotated[int, Depends(hangs)],
        slow: Annotated[int, Depends(slow)],
    ) -> int:
        return hanging + slow

    stage = Stage()
    run = await stage.start(query)
    await read(run)
    began = now()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(stage.runs.drain(), 4)
    assert book.lines == ["take conn", "close slow"]
    await stage.runs.dependencies.stop()
    stage.runs.close()
    assert now() == began + 4
    assert book.lines == ["take conn", "close slow", "close conn"]
    assert stage.runs.dependencies.closings.abandoned == 1
    assert "is not closed after 1.0 s, and is given up" in caplog.text


@on_loop_clock
async def test_a_call_that_fails_validation_takes_nothing() -> None:
    book = Book()

    def explodes(value: int) -> int:
        raise RuntimeError("a validator of the author's")

    @tool
    async def query(
        number: Annotated[int, AfterValidator(explodes)], conn: Annotated[str, Depends(book.maker("conn"))]
    ) -> int:
        return number

    async with Stage() as stage:
        arguments = query.arguments({"number": 1})
        run = await stage.runs.start(query, arguments, PLAIN_POST, access=ANONYMOUS, headers={})
        assert error_of(await read(run))["code"] == "tool_failed"
        assert book.lines == []


@on_loop_clock
async def test_a_call_that_waits_for_its_turn_has_taken_nothing() -> None:
    book, go_on = Book(), asyncio.Event()

    @tool(at_once=1)
    async def query(conn: Annotated[str, Depends(book.maker("conn"))]) -> str:
        await go_on.wait()
        return conn

    async with Stage() as stage:
        first, second, third = [await stage.start(query, PLAIN_DETACHED) for _ in range(3)]
        await asyncio.sleep(5)
        assert book.lines == ["take conn"]
        second.stop(Cancelled("no longer wanted"))
        await second.stopped()
        go_on.set()
        assert [(await read(run))[-1]["type"] for run in (first, third)] == ["complete"] * 2
        await stage.runs.dependencies.closings.ended()
        assert book.lines.count("take conn") == book.lines.count("close conn") == 2


@on_loop_clock
async def test_a_shared_value_of_a_call_that_also_takes_one() -> None:
    book = Book()

    async def take(pool: Annotated[str, Shared(book.maker("pool"))]) -> str:
        return f"of {pool}"

    @tool
    async def query(conn: Annotated[str, Depends(take)]) -> str:
        return conn

    async with Stage() as stage:
        for _ in range(2):
            assert (await end_of(stage, query))["data"] == "of pool"
        await settle()
        assert book.lines == ["take pool"]
    assert book.lines == ["take pool", "close pool"]


@pytest.mark.parametrize("fails", [False, True])
async def test_what_a_call_took_is_free_when_it_is_over(fails: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def take() -> AsyncIterator[int]:
        yield 1

    def connect() -> Iterator[int]:
        yield 1

    @tool
    async def query(value: Annotated[int, Depends(take)], plain: Annotated[int, Depends(connect)]) -> int:
        if fails:
            raise ValueError("no such row")
        return value

    async def once() -> None:
        await end_of(stage, query)
        await asyncio.wait_for(stage.runs.threads.ended(), 20)
        caplog.clear()

    async with Stage() as stage:
        assert await circles(once) == 0
