"""The four kinds of function at work: what they say, what they end with, and how they are stopped."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from typing import Any

import pytest

from mcp_app import Context, Image, Result, errors, tool
from mcp_app.authoring.context import Caller
from mcp_app.authoring.kind import Encoded
from mcp_app.protocol.access import Access
from mcp_app.protocol.event import Event
from mcp_app.runs.channel import CHANNEL_ITEMS
from mcp_app.runs.execution import Outcome, work
from mcp_app.runs.threads import Threads

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)

SECONDS = 20.0
VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


class Worked:
    """Works on functions and keeps what they say. `gate` closed: nobody takes any event."""

    def __init__(self) -> None:
        self.threads = Threads(4)
        self.said: list[tuple[str, bytes]] = []
        self.batches: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.caller = Caller(access=Access("ann"), headers={}, deadline=time.monotonic() + 60, clock=time.monotonic)

    async def emit(self, events: Sequence[Event]) -> None:
        await self.gate.wait()
        self.batches.append(len(events))
        self.said += [(event.type.value, event.data) for event in events]

    async def on(self, function: Callable[..., Any], **arguments: Any) -> Outcome:
        made = tool(function)
        # Not in a task of its own: asyncio lets SystemExit out of the loop when a task ends with it.
        return await work(made, made.arguments(arguments), self.caller, self.emit, self.threads)

    async def threads_ended(self) -> None:
        end = time.monotonic() + SECONDS
        while self.threads.working:
            assert time.monotonic() < end
            await asyncio.sleep(0.001)


@pytest.fixture
async def worked() -> Worked:
    return Worked()


async def coroutine(n: int, ctx: Context) -> int:
    await ctx.progress(n, 2 * n)
    await ctx.partial({"n": n})
    await ctx.log("info", VARIABLE.get())
    return n


def function(n: int, ctx: Context) -> int:
    ctx.progress(n, 2 * n)
    ctx.partial({"n": n})
    ctx.log("info", VARIABLE.get())
    return n


async def async_generator(n: int, ctx: Context) -> AsyncIterator[Any]:
    await ctx.progress(n, 2 * n)
    yield {"n": n}
    await ctx.log("info", VARIABLE.get())
    yield Result(n)


def generator(n: int, ctx: Context) -> Iterator[Any]:
    ctx.progress(n, 2 * n)
    yield {"n": n}
    ctx.log("info", VARIABLE.get())
    yield Result(n)


@pytest.mark.parametrize("kind", [coroutine, function, async_generator, generator], ids=lambda each: each.__name__)
async def test_every_kind_says_the_same_in_order(worked: Worked, kind: Callable[..., Any]) -> None:
    VARIABLE.set("seen")
    assert await worked.on(kind, n=5) == Outcome(Encoded(b"5"))
    assert worked.said == [
        ("progress", b"{}"),
        ("partial", b'{"n":5}'),
        ("log", b'{"level":"info","message":"seen"}'),
    ]
    await worked.threads_ended()


# --- what generators end with ----------------------------------------------------------------------------------------


async def test_generators_without_result_end_with_their_count(worked: Worked) -> None:
    async def items() -> AsyncIterator[int]:
        for each in range(3):
            yield each

    def plain_items() -> Iterator[int]:
        yield from range(3)

    def nothing() -> Iterator[int]:
        yield from ()

    assert await worked.on(items) == Outcome(Encoded(b"null"), items=3)
    assert await worked.on(plain_items) == Outcome(Encoded(b"null"), items=3)
    assert await worked.on(nothing) == Outcome(Encoded(b"null"), items=0)


async def test_what_a_generator_returns_is_its_result(worked: Worked) -> None:
    def returns() -> Iterator[int]:
        yield 1
        return 5

    def returns_result() -> Iterator[int]:
        yield 1
        return Result([5])

    async def result_of_none() -> AsyncIterator[Any]:
        yield 1
        yield Result(None)

    async def result_of_a_coroutine() -> int:
        return Result(5)  # type: ignore[return-value]

    assert await worked.on(result_of_a_coroutine) == Outcome(Encoded(b"5"))
    assert await worked.on(returns) == Outcome(Encoded(b"5"))
    assert await worked.on(returns_result) == Outcome(Encoded(b"[5]"))
    assert await worked.on(result_of_none) == Outcome(Encoded(b"null"))


async def test_a_result_that_is_declared_is_owed(worked: Worked) -> None:
    async def owes() -> AsyncIterator[int | Result[str]]:
        yield 1

    def plain_owes() -> Generator[int, None, str]:
        yield 1
        return None  # type: ignore[return-value]

    def owes_content() -> Iterator[int | Result[Image]]:
        yield 1

    async def may_have_none() -> AsyncIterator[int | Result[str | None]]:
        yield 1

    for each in (owes, plain_owes, owes_content):
        with pytest.raises(errors.ToolFailed, match=f"The tool {each.__name__} ended without the Result that it"):
            await worked.on(each)
    assert await worked.on(may_have_none) == Outcome(Encoded(b"null"), items=1)


async def test_content_is_no_value_of_another_type(worked: Worked) -> None:
    async def number() -> int:
        return Image(PNG)  # type: ignore[return-value]

    def numbers() -> Iterator[int]:
        yield Image(PNG)  # type: ignore[misc]

    async def picture() -> Image:
        return None  # type: ignore[return-value]

    for each, did in ((number, "returned"), (numbers, "yielded"), (picture, "returned")):
        with pytest.raises(errors.ToolFailed, match=f"The tool {each.__name__} {did} what it does not declare"):
            await worked.on(each)


async def test_nothing_comes_after_a_result(worked: Worked) -> None:
    async def goes_on() -> AsyncIterator[Any]:
        yield Result(1)
        yield 2

    def plain_goes_on() -> Iterator[Any]:
        yield Result(1)
        yield Result(2)

    def returns_another() -> Iterator[Any]:
        yield Result(1)
        return 2

    for each in (goes_on, plain_goes_on, returns_another):
        with pytest.raises(errors.ToolFailed, match=f"The tool {each.__name__} went on after its Result"):
            await worked.on(each)
    assert worked.said == []


async def test_work_between_the_result_and_the_end_is_done(worked: Worked) -> None:
    done: list[int] = []

    async def tidy() -> AsyncIterator[Any]:
        yield Result(1)
        await asyncio.sleep(0)
        done.append(1)

    assert await worked.on(tidy) == Outcome(Encoded(b"1"))
    assert done == [1]


async def test_a_result_of_a_function_is_its_value(worked: Worked) -> None:
    async def returns() -> Result[int]:
        return Result(5)

    def plain_returns() -> Result[int]:
        return Result(5)

    assert await worked.on(returns) == await worked.on(plain_returns) == Outcome(Encoded(b"5"))


async def test_a_plain_function_that_returns_what_must_be_awaited(worked: Worked) -> None:
    def forgot() -> Any:
        return asyncio.sleep(0)

    with pytest.raises(errors.ToolFailed, match="forgot returned what has to be awaited"):
        await worked.on(forgot)


# --- what they raise -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), errors.ToolError("x"), TimeoutError()], ids=repr)
async def test_what_a_tool_raises_comes_through_with_what_it_said_before(worked: Worked, error: BaseException) -> None:
    async def one() -> AsyncIterator[int]:
        yield 1
        raise error

    def two() -> Iterator[int]:
        yield 1
        raise error

    async def three(ctx: Context) -> None:
        await ctx.partial(1)
        raise error

    def four(ctx: Context) -> None:
        ctx.partial(1)
        raise error

    for each in (one, two, three, four):
        with pytest.raises(type(error)):
            await worked.on(each)
        assert worked.said.pop() == ("partial", b"1")


async def test_stop_iteration_is_an_error_like_any(worked: Worked) -> None:
    def raises() -> None:
        raise StopIteration(5)

    def generates() -> Iterator[int]:
        raise StopIteration(5)
        yield 1

    for each in (raises, generates):
        with pytest.raises(RuntimeError, match="StopIteration"):
            await worked.on(each)


# --- how they are stopped --------------------------------------------------------------------------------------------


async def cancelled(worked: Worked, function: Callable[..., Any], begun: Callable[[], bool]) -> None:
    task = asyncio.create_task(worked.on(function))
    end = time.monotonic() + SECONDS
    while not begun():
        assert time.monotonic() < end
        await asyncio.sleep(0.001)
    worked.caller.reason = "left"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_generator_in_a_thread_stops_at_its_next_item_and_is_closed_there(worked: Worked) -> None:
    yielded: list[int] = []
    closed: list[str] = []

    def counts() -> Iterator[int]:
        try:
            for each in range(10**9):
                yielded.append(each)
                yield each
        finally:
            closed.append(threading.current_thread().name)

    worked.gate.clear()
    await cancelled(worked, counts, lambda: len(yielded) >= CHANNEL_ITEMS)
    await worked.threads_ended()
    assert len(closed) == 1
    assert closed[0].startswith("tool-")
    # A channel, what the loop had taken out of it, and the one that was on its way.
    assert len(yielded) <= 2 * CHANNEL_ITEMS + 1


async def test_a_function_in_a_thread_stops_at_its_next_word(worked: Worked) -> None:
    said: list[int] = []
    ended: list[str] = []

    def talks(ctx: Context) -> None:
        try:
            while True:
                ctx.progress(len(said))
                said.append(1)
        except Exception:
            ended.append("swallowed")
        finally:
            ended.append("finally")

    await cancelled(worked, talks, lambda: len(said) > 10)
    await worked.threads_ended()
    assert ended == ["finally"]


async def test_a_function_that_says_nothing_can_look(worked: Worked) -> None:
    saw: list[Any] = []

    def computes(ctx: Context) -> None:
        saw.append("begun")
        while not ctx.cancelled:
            time.sleep(0.001)
        saw.append(ctx.cancel_reason)

    await cancelled(worked, computes, lambda: bool(saw))
    await worked.threads_ended()
    assert saw == ["begun", "left"]


async def test_a_slow_reader_holds_up_a_thread(worked: Worked) -> None:
    yielded: list[int] = []

    def counts() -> Iterator[int]:
        for each in range(1000):
            yielded.append(each)
            yield each

    worked.gate.clear()
    task = asyncio.create_task(worked.on(counts))
    await asyncio.sleep(0.04)
    assert CHANNEL_ITEMS < len(yielded) + 1 <= 2 * CHANNEL_ITEMS + 2
    worked.gate.set()
    assert await task == Outcome(Encoded(b"null"), items=1000)
    assert [data for _, data in worked.said] == [b"%d" % each for each in range(1000)]
    assert max(worked.batches) <= CHANNEL_ITEMS


async def test_large_items_of_a_thread_are_bounded_by_their_bytes(worked: Worked) -> None:
    yielded: list[int] = []

    def large() -> Iterator[str]:
        for each in range(12):
            yielded.append(each)
            yield "x" * 1_000_000

    worked.gate.clear()
    task = asyncio.create_task(worked.on(large))
    await asyncio.sleep(0.04)
    assert len(yielded) <= 4
    worked.gate.set()
    assert await task == Outcome(Encoded(b"null"), items=12)


async def test_an_async_generator_is_closed_when_it_is_left(worked: Worked) -> None:
    closed: list[str] = []

    async def counts() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(0)
            closed.append("closed")

    worked.gate.clear()
    task = asyncio.create_task(worked.on(counts))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed == ["closed"]
