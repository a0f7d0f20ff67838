"""Tools that call tools: what they get, what their callers see of it, and that nothing outlives who called it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from datetime import date
from typing import Annotated, Any

import pytest
from loop_clock import on_loop_clock
from pydantic import BaseModel
from runs_stage import SECONDS, SlowLog, Stage, circles, error_of, now, read_to_end, settle, shown

from mcp_app import Context, Depends, Image, Result, Shared, ToolError, errors, tool
from mcp_app.aio.in_thread import in_thread
from mcp_app.protocol.errors import Cancelled
from mcp_app.protocol.linked import MAX_RESULT_BYTES
from mcp_app.protocol.policy import WINDOW_ENTRIES

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
LOGS = pytest.mark.parametrize("slow", [False, True], ids=["memory", "slow"])


class Place(BaseModel):
    city: str
    since: date


@tool
async def double(n: int, ctx: Context) -> int:
    await ctx.progress(1, 2, "doubling")
    await ctx.log("info", "almost")
    return 2 * n


@tool
def double_there(n: int, ctx: Context) -> int:
    assert threading.current_thread() is not threading.main_thread()
    ctx.progress(1, 2, "doubling")
    ctx.log("info", "almost")
    return 2 * n


@tool
async def count(to: int) -> AsyncIterator[int | Result[str]]:
    for n in range(to):
        yield n
    yield Result("counted")


@tool
def only_items(to: int) -> Iterator[date]:
    for n in range(to):
        yield date(2026, 1, 1 + n)


@tool
async def where(place: Place) -> Place:
    return place


def seen(entries: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """(type, data, path, the run's number, the step's numbers) of what is between the first event and the last."""
    return [
        (each["type"], each["data"], each["meta"].get("path"), each["meta"].get("progress"), each["meta"].get("step"))
        for each in entries[1:-1]
    ]


# --- results ---------------------------------------------------------------------------------------------------------


async def result_of(other: Any, /, **params: Any) -> Any:
    """What a tool gets of the call, which is more than its own caller could be sent."""
    found: list[Any] = []

    @tool
    async def calls(ctx: Context) -> None:
        found.append(await ctx.call(other, **params))

    async with Stage(tools=[double, where]) as stage:
        end = (await stage.told(calls))[-1]
        assert end["type"] == "complete", end["data"]
    return found[0]


@pytest.mark.parametrize(
    ("other", "params", "result"),
    [
        (double, {"n": 4}, 8),
        (double_there, {"n": "4"}, 8),  # repaired, as a model's
        (count, {"to": 2}, "counted"),
        (only_items, {"to": 2}, [date(2026, 1, 1), date(2026, 1, 2)]),
        (where, {"place": {"city": "Bergen", "since": "2026-01-01"}}, Place(city="Bergen", since=date(2026, 1, 1))),
        (where, {"place": Place(city="Bergen", since=date(2026, 1, 1))}, Place(city="Bergen", since=date(2026, 1, 1))),
        ("double", {"n": 1}, 2),
    ],
)
async def test_the_result_is_a_value_of_its_type(other: Any, params: dict[str, Any], result: Any) -> None:
    assert await result_of(other, **params) == result


async def test_content_and_what_is_not_declared_are_as_they_were_returned() -> None:
    picture = Image(PNG)

    @tool
    async def draw() -> Image:
        return picture

    @tool
    async def anything():  # type: ignore[no-untyped-def]
        return {"at": date(2026, 1, 1)}

    @tool
    def items() -> Iterator[Image]:
        yield picture

    assert await result_of(draw) is picture
    assert await result_of(anything) == {"at": date(2026, 1, 1)}
    assert await result_of(items) == [picture]


async def test_names_of_parameters_may_be_those_of_the_method() -> None:
    @tool
    async def odd(self: str, other: str) -> str:
        return self + other

    assert await result_of(odd, self="a", other="b") == "ab"


# --- events ----------------------------------------------------------------------------------------------------------


@LOGS
@pytest.mark.parametrize("other", [double, double_there], ids=["coroutine", "plain"])
async def test_what_a_step_sends_is_the_runs_with_its_path(slow: bool, other: Any) -> None:
    @tool
    async def calls(ctx: Context) -> int:
        await ctx.progress(0, 100)
        first = await ctx.part(0, 50).call(other, n=1)
        second = await ctx.part(50, 100, "again").call(other, n=first)
        return second + await ctx.call(other, n=1)

    async with Stage(SlowLog() if slow else None) as stage:
        entries = await stage.told(calls)
    name, step, almost = other.name, {"progress": 1, "total": 2}, {"level": "info", "message": "almost"}
    assert seen(entries) == [
        ("progress", {}, None, 0, None),
        ("progress", {"message": "doubling"}, [name], 25, step),
        ("log", almost, [name], None, None),
        ("progress", {}, [name], 50, {"progress": 1, "total": 1}),
        ("progress", {"message": "doubling"}, ["again"], 75, step),
        ("log", almost, ["again"], None, None),
        ("progress", {}, ["again"], 100, {"progress": 1, "total": 1}),
        ("progress", {"message": "doubling"}, [f"{name}-2"], None, step),
        ("log", almost, [f"{name}-2"], None, None),
    ]
    assert (entries[-1]["type"], entries[-1]["data"]) == ("complete", 6)


async def test_a_plain_function_calls_by_wait_and_its_parts_need_none() -> None:
    @tool
    def calls(ctx: Context) -> int:
        half = ctx.part(0, 50, "half")
        half.progress(1, 2, "here")
        return ctx.wait(ctx.part(50, 100).call(double_there, n=3)) + ctx.wait(ctx.call(double, n=1))

    async with Stage() as stage:
        entries = await stage.told(calls)
    assert seen(entries)[0] == ("progress", {"message": "here"}, ["half"], 25, {"progress": 1, "total": 2})
    assert [each[2] for each in seen(entries)] == [["half"], *[["double_there"]] * 3, *[["double"]] * 2]
    assert entries[-1]["data"] == 8


async def test_what_a_step_yields_is_no_item_of_the_run() -> None:
    @tool
    async def calls(ctx: Context) -> AsyncIterator[str]:
        yield "mine"
        await ctx.call(only_items, to=2)

    async with Stage() as stage:
        entries = await stage.told(calls)
    assert seen(entries) == [
        ("partial", "mine", None, None, None),
        ("step", "2026-01-01", ["only_items"], None, None),
        ("step", "2026-01-02", ["only_items"], None, None),
    ]
    assert (entries[-1]["data"], entries[-1]["meta"]["items"]) == (None, 1)


async def test_steps_of_steps_have_all_names_and_shares_of_shares() -> None:
    @tool
    async def middle(ctx: Context) -> int:
        return await ctx.part(50, 100).call(double, n=5)

    @tool
    async def calls(ctx: Context) -> int:
        return await ctx.part(0, 10).call(middle)

    async with Stage() as stage:
        entries = await stage.told(calls)
    assert seen(entries)[0] == (
        *("progress", {"message": "doubling"}, ["middle", "double"], 7.5),
        {"progress": 1, "total": 2},
    )
    assert [each[3] for each in seen(entries) if each[0] == "progress"] == [7.5, 10]


async def test_several_at_once() -> None:
    met = asyncio.Barrier(3)

    @tool
    async def meet(n: int, ctx: Context) -> int:
        await met.wait()
        await ctx.progress(1, 1)
        return n

    @tool
    async def calls(ctx: Context) -> list[int]:
        parts = [ctx.part(n * 30, n * 30 + 30) for n in range(3)]
        return await asyncio.gather(*(part.call(meet, n=n) for n, part in enumerate(parts)))

    async with Stage() as stage:
        entries = await stage.told(calls)
    assert sorted(each[2][0] for each in seen(entries)) == ["meet", "meet-2", "meet-3"]
    assert [each[3] for each in seen(entries)] == [30, 60, 90]
    assert entries[-1]["data"] == [0, 1, 2]


async def test_a_part_of_the_function_itself_is_passed_to_what_it_calls() -> None:
    async def fetch(ctx: Context) -> None:
        await ctx.progress(1, 2, "fetching")
        await ctx.part(50, 100).progress(1, 1)
        await ctx.partial("a part")

    @tool
    async def calls(ctx: Context) -> None:
        await fetch(ctx.part(0, 40, "fetch"))
        await fetch(ctx.part(40, 80))

    async with Stage() as stage:
        entries = await stage.told(calls)
    assert [(each[0], each[2], each[3]) for each in seen(entries)] == [
        ("progress", ["fetch"], 20),
        ("progress", ["fetch"], 40),
        ("partial", ["fetch"], None),
        ("progress", None, 60),
        ("progress", None, 80),
        ("partial", None, None),
    ]


async def test_a_step_waits_for_the_reader_of_its_run() -> None:
    @tool
    async def floods(ctx: Context) -> None:
        for n in range(3 * WINDOW_ENTRIES):
            await ctx.progress(n)

    @tool
    async def calls(ctx: Context) -> None:
        await ctx.call(floods)

    async with Stage() as stage:
        run = await stage.start(calls)
        reader = run.attach()
        await settle()
        assert run.events == WINDOW_ENTRIES
        assert len(await read_to_end(reader)) == 3 * WINDOW_ENTRIES + 2
        reader.close()


# --- errors ----------------------------------------------------------------------------------------------------------


class Gone(ToolError):
    code = "gone"


@tool
async def refuses() -> None:
    raise Gone("There is none.", hint="Ask for another.")


@tool
async def breaks() -> None:
    raise LookupError("a secret of the server")


@tool
def breaks_there() -> None:
    raise LookupError("a secret of the server")


async def test_a_tool_error_comes_up_as_it_is() -> None:
    caught: list[ToolError] = []

    @tool
    async def calls(ctx: Context) -> None:
        try:
            await ctx.call(refuses)
        except ToolError as error:
            caught.append(error)
            raise

    async with Stage() as stage:
        assert error_of(await stage.told(calls)) == {
            "code": "gone",
            "message": "There is none.",
            "hint": "Ask for another.",
        }
    assert type(caught[0]) is Gone


@pytest.mark.parametrize("other", [breaks, breaks_there])
async def test_a_failure_is_masked_once_and_logged_once(other: Any, caplog: pytest.LogCaptureFixture) -> None:
    @tool
    async def middle(ctx: Context) -> None:
        await ctx.call(other)

    @tool
    def calls(ctx: Context) -> None:
        ctx.wait(ctx.call(middle))

    async with Stage() as stage:
        error = error_of(await stage.told(calls))
    assert (error["code"], error["message"]) == ("tool_failed", f"The tool {other.name} failed.")
    failed = [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR]
    assert len(failed) == 1
    assert f"middle/{other.name}: {other.name} failed [error_id {error['error_id']}]" in failed[0]


async def test_a_failure_can_be_caught() -> None:
    @tool
    async def calls(ctx: Context) -> str:
        with pytest.raises(errors.ToolFailed, match=r"The tool breaks failed\.") as raised:
            await ctx.call(breaks)
        return raised.value.error_id or "none"

    async with Stage() as stage:
        assert len((await stage.told(calls))[-1]["data"]) == 16


async def test_a_failure_in_a_task_group_is_told_as_it_is() -> None:
    @tool
    async def calls(ctx: Context) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(ctx.call(refuses))
            group.create_task(asyncio.sleep(SECONDS))

    async with Stage() as stage:
        assert error_of(await stage.told(calls))["code"] == "gone"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda ctx: ctx.call(double, n="four"),
            "double was not called: params.n: Input should be a valid integer",
        ),
        (lambda ctx: ctx.call(double), "The tool double was not called: params.n: Field required"),
        (lambda ctx: ctx.call(double, n=object()), "The tool double was not called: its params are not serialisable"),
        (lambda ctx: ctx.call("doubel", n=1), "There is no tool named 'doubel'."),
        (lambda ctx: ctx.call(double.function, n=1), "ctx.call takes a tool, or a tool's name, not <function double"),
    ],
)
async def test_what_cannot_be_called_is_told_to_the_author(
    call: Callable[[Context], Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    raised: list[str] = []

    @tool
    async def calls(ctx: Context) -> None:
        try:
            await call(ctx)
        except Exception as error:
            raised.append(str(error))
            raise

    async with Stage(tools=[double]) as stage:
        error = error_of(await stage.told(calls))
    assert said in raised[0]
    assert error["message"] == "The tool calls failed."  # whose parameters these are is not its caller's affair
    assert said in caplog.text


async def test_what_is_lazy_is_not_read_on_the_loop_for_a_call() -> None:
    @tool
    async def calls(ctx: Context) -> None:
        await ctx.call(count, to=(n for n in "a"))

    async with Stage() as stage:
        assert "a generator would work on the event loop" in error_of(await stage.told(calls))["message"]


async def test_what_a_step_does_not_declare_is_a_failure_of_the_step() -> None:
    @tool
    async def wrong() -> int:
        return "four"  # type: ignore[return-value]

    @tool
    async def calls(ctx: Context) -> None:
        await ctx.call(wrong)

    async with Stage() as stage:
        error = error_of(await stage.told(calls))
    assert error["message"].startswith("The tool wrong returned what it does not declare")


async def test_what_a_step_yields_is_bounded() -> None:
    @tool
    async def much() -> AsyncIterator[str]:
        for _ in range(40):
            yield "x" * (MAX_RESULT_BYTES // 32)

    @tool
    async def calls(ctx: Context) -> None:
        await ctx.call(much)

    async with Stage() as stage:
        error = error_of(await stage.told(calls))
    assert (error["code"], "What the tool much yields for another" in error["message"]) == ("event_too_large", True)


async def test_a_forgotten_await_of_a_call_is_found() -> None:
    @tool
    async def calls(ctx: Context) -> None:
        ctx.call(double, n=1)

    @tool
    def calls_there(ctx: Context) -> None:
        ctx.call(double, n=1)

    async with Stage() as stage:
        assert "called ctx.call(…) without await, once" in error_of(await stage.told(calls))["message"]
        assert "called ctx.call(…) without ctx.wait, once" in error_of(await stage.told(calls_there))["message"]


async def test_a_forgotten_await_in_a_part_is_found() -> None:
    @tool
    async def calls(ctx: Context) -> None:
        ctx.part(0, 50).progress(1, 2)

    @tool
    async def once(ctx: Context) -> None:
        ctx.part(0, 50, "a").once("key", lambda: 1)

    async with Stage() as stage:
        assert "called ctx.progress(…) without await" in error_of(await stage.told(calls))["message"]
        assert "called ctx.once(…) without await" in error_of(await stage.told(once))["message"]


# --- bounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [False, True])
async def test_a_tool_that_calls_itself_without_end_ends(plain: bool, caplog: pytest.LogCaptureFixture) -> None:
    if plain:

        @tool
        def again(ctx: Context) -> int:
            return int(ctx.wait(ctx.call("again")))
    else:

        @tool
        async def again(ctx: Context) -> int:
            return int(await ctx.call("again"))

    async with Stage(tools=[again]) as stage:
        error = error_of(await asyncio.wait_for(stage.told(again), 30))
        assert stage.runs.steps == {("again", "tool_failed"): 8}
    assert "tools call each other 8 deep at most" in error["message"]
    assert len([each for each in caplog.records if each.levelno >= logging.ERROR]) == 1


async def test_a_run_calls_a_thousand_others() -> None:
    @tool
    async def one() -> int:
        return 1

    @tool
    async def calls(ctx: Context) -> int:
        return sum([await ctx.call(one) for _ in range(500)])

    @tool
    async def root(ctx: Context, more: int) -> int:
        return await ctx.call(calls) + sum([await ctx.call(one) for _ in range(more)])

    async with Stage() as stage:
        run = await stage.start(root, arguments={"more": 499})
        assert [shown(each) for each in await read_to_end(run.attach())][-1]["data"] == 999
        run = await stage.start(root, arguments={"more": 500})
        error = error_of([shown(each) for each in await read_to_end(run.attach())])
    assert "one call of root calls at most 1000 others" in error["message"]


@on_loop_clock
async def test_a_steps_own_time_limit_ends_it_and_can_be_caught() -> None:
    left: list[float] = []
    reasons: list[str | None] = []

    @tool(time_limit=2)
    async def slow(ctx: Context) -> None:
        left.append(ctx.seconds_left)
        try:
            await asyncio.sleep(100)
        finally:
            reasons.append(ctx.cancel_reason)

    @tool
    async def catches(ctx: Context) -> str:
        began = now()
        with pytest.raises(errors.TimeCap, match="The tool slow reached its time limit of 2 seconds"):
            await ctx.call(slow)
        assert now() - began == 2
        assert not ctx.cancelled
        return "went on"

    @tool
    async def calls(ctx: Context) -> None:
        await ctx.call(slow)

    async with Stage(cap_seconds=10) as stage:
        assert (await stage.told(catches))[-1]["data"] == "went on"
        assert error_of(await stage.told(calls))["code"] == "time_cap"
        assert stage.runs.steps == {("slow", "time_cap"): 2}
    assert left == [2, 2]


@on_loop_clock
async def test_the_deadline_is_the_runs() -> None:
    left: list[float] = []

    @tool(time_limit=50)
    async def slow(ctx: Context) -> None:
        left.append(ctx.seconds_left)
        await asyncio.sleep(100)

    @tool
    async def calls(ctx: Context) -> None:
        await asyncio.sleep(4)
        await ctx.call(slow)

    async with Stage(cap_seconds=10) as stage:
        error = error_of(await stage.told(calls))
        assert (error["code"], error["message"]) == ("time_cap", "The run reached the cap of 10 seconds and was ended.")
        assert stage.runs.steps == {("slow", "time_cap"): 1}
    assert left == [6]


# --- cancelling ------------------------------------------------------------------------------------------------------


@on_loop_clock
async def test_cancelling_goes_down_to_the_last_step() -> None:
    ended: list[tuple[str, str | None]] = []

    @tool
    async def waits(ctx: Context) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(1)  # cleanup
            ended.append(("waits", ctx.cancel_reason))

    @tool
    async def middle(ctx: Context) -> None:
        try:
            await ctx.call(waits)
        finally:
            ended.append(("middle", ctx.cancel_reason))

    @tool
    async def calls(ctx: Context) -> None:
        try:
            await asyncio.gather(ctx.call(middle), ctx.call(middle))
        finally:
            ended.append(("calls", ctx.cancel_reason))

    async with Stage() as stage:
        run = await stage.start(calls)
        await asyncio.sleep(5)
        run.stop(Cancelled("enough"))
        await run.stopped()
        assert stage.runs.steps == {("waits", "cancelled"): 2, ("middle", "cancelled"): 2}
    assert sorted(ended) == [
        ("calls", "cancelled"),
        *[("middle", "cancelled")] * 2,
        *[("waits", "cancelled")] * 2,
    ]


async def test_a_plain_step_is_told_that_its_run_is_over() -> None:
    begun, ended = threading.Event(), threading.Event()

    @tool
    def works(ctx: Context) -> None:
        begun.set()
        while not ctx.cancelled:
            ended.wait(0.001)
        ended.set()

    @tool
    def calls(ctx: Context) -> None:
        ctx.wait(ctx.call(works))

    async with Stage() as stage:
        run = await stage.start(calls)
        assert await in_thread(lambda: begun.wait(20))
        run.stop(Cancelled("enough"))
        assert await in_thread(lambda: ended.wait(20))
        await run.stopped()


@on_loop_clock
async def test_a_call_in_a_task_that_nobody_waits_for_ends_before_its_caller() -> None:
    ended: list[str] = []
    tasks: list[asyncio.Task[Any]] = []

    @tool
    async def waits() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(1)
            ended.append("waits")

    @tool
    async def calls(ctx: Context) -> str:
        tasks.append(asyncio.create_task(ctx.call(waits)))
        await asyncio.sleep(1)
        return "done"

    @tool
    async def root(ctx: Context) -> str:
        done = await ctx.call(calls)
        ended.append("calls")
        return done

    async with Stage() as stage:
        assert (await stage.told(root))[-1]["data"] == "done"
        assert ended == ["waits", "calls"]
        assert (await stage.told(calls))[-1]["data"] == "done"
        assert ended == ["waits", "calls", "waits"]
        assert all(each.cancelled() for each in tasks)


@on_loop_clock
async def test_after_its_end_a_function_calls_nothing() -> None:
    outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    @tool
    async def calls(ctx: Context) -> None:
        async def later() -> None:
            await asyncio.sleep(10)
            try:
                outcome.set_result(await ctx.call(double, n=1))
            except asyncio.CancelledError as error:
                outcome.set_result(str(error))

        kept.append(asyncio.create_task(later()))

    kept: list[asyncio.Task[None]] = []
    async with Stage() as stage:
        await stage.told(calls)
        assert await outcome == "the run was ended"
        assert stage.runs.steps == {}


@on_loop_clock
async def test_a_step_is_cancelled_by_the_time_out_of_who_awaits_it() -> None:
    @tool
    async def waits() -> None:
        await asyncio.sleep(1000)

    @tool
    async def calls(ctx: Context) -> str:
        try:
            async with asyncio.timeout(3):
                await ctx.call(waits)
        except TimeoutError:
            return "gave up"
        return "not seen"

    async with Stage() as stage:
        assert (await stage.told(calls))[-1]["data"] == "gave up"
        assert stage.runs.steps == {("waits", "cancelled"): 1}


async def test_a_step_that_cancels_itself_has_failed() -> None:
    @tool
    async def odd() -> None:
        raise asyncio.CancelledError("by itself")

    @tool
    async def calls(ctx: Context) -> None:
        await ctx.call(odd)

    async with Stage() as stage:
        assert error_of(await stage.told(calls))["message"] == "The tool odd failed."


@pytest.mark.parametrize("caught", [True, False])
@pytest.mark.parametrize(
    ("other", "raised"), [("inner", None), ("inner", Gone), ("inner", LookupError), ("inner_there", None)]
)
async def test_what_steps_made_is_free_when_they_are_over(
    other: str, raised: type[Exception] | None, caught: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def fail_or_not() -> None:
        if raised is not None:
            raise raised("no")

    @tool
    async def inner(ctx: Context) -> None:
        await ctx.progress(1, 2)
        fail_or_not()

    @tool
    def inner_there(ctx: Context) -> None:
        ctx.progress(1, 2)
        fail_or_not()

    @tool
    async def middle(ctx: Context) -> None:
        await ctx.part(0, 50).call(other)

    @tool
    async def outer(ctx: Context) -> None:
        try:
            await ctx.call(middle)
        except (Gone, errors.ToolFailed):
            if not caught:
                raise

    async def once() -> None:
        await stage.told(outer)
        await asyncio.wait_for(stage.runs.threads.ended(), 20)
        caplog.clear()

    async with Stage(tools=[inner, inner_there]) as stage:
        assert await circles(once) == 0


# --- threads ---------------------------------------------------------------------------------------------------------


@tool
def leaf(ctx: Context, n: int) -> int:
    return n


@tool
async def leaves(ctx: Context) -> int:
    return sum(await asyncio.gather(*(ctx.call(leaf, n=n) for n in range(5))))


@tool
def branch(ctx: Context) -> int:
    return ctx.wait(ctx.call(leaves)) + ctx.wait(ctx.call(leaf, n=1))


@tool
def tree(ctx: Context) -> int:
    return ctx.wait(ctx.call(branch))


@pytest.mark.parametrize("threads", [1, 2, 3])
async def test_plain_functions_that_wait_for_others_lend_them_their_place(threads: int) -> None:
    async with Stage(threads=threads) as stage:
        readers = [(await stage.start(tree)).attach() for _ in range(4)]
        async with asyncio.timeout(20):
            ends = [shown((await read_to_end(reader))[-1]) for reader in readers]
        assert [each["data"] for each in ends] == [11] * 4
        await stage.runs.threads.ended()
        assert not stage.runs.threads.full
        assert (stage.runs.threads.working, stage.runs.threads._free._free) == (0, threads)


async def test_a_thread_that_is_kept_for_what_a_function_depends_on_is_lent_too() -> None:
    def take() -> Iterator[int]:
        yield threading.get_ident()

    @tool
    def needs(ctx: Context, thread: Annotated[int, Depends(take)]) -> bool:
        assert ctx.wait(ctx.call(leaf, n=1)) == 1
        return thread == threading.get_ident()

    @tool
    def calls(ctx: Context) -> bool:
        return bool(ctx.wait(ctx.call(needs)))

    async with Stage(threads=1) as stage:
        async with asyncio.timeout(20):
            assert (await stage.told(needs))[-1]["data"] is True
            assert (await stage.told(calls))[-1]["data"] is True
            await stage.runs.dependencies.closings.ended()
        await stage.runs.threads.ended()
        assert (stage.runs.threads.working, stage.runs.threads._free._free) == (0, 1)


async def test_a_maker_calls_tools() -> None:
    async def take(ctx: Context) -> int:
        return await ctx.call(double, n=2)

    @tool
    async def needs(four: Annotated[int, Depends(take)]) -> int:
        return four

    @tool
    async def calls(ctx: Context) -> int:
        return await ctx.call(needs)

    async with Stage() as stage:
        assert (await stage.told(needs))[-1]["data"] == 4
        entries = await stage.told(calls)
    assert (entries[-1]["data"], seen(entries)[0][2]) == (4, ["needs", "double"])


async def test_a_place_that_is_lent_is_free_when_its_borrower_has_ended() -> None:
    begun, go_on = threading.Event(), threading.Event()

    @tool
    def stubborn(ctx: Context) -> None:
        begun.set()
        go_on.wait(20)

    @tool
    def calls(ctx: Context) -> None:
        ctx.wait(ctx.call(stubborn))

    async with Stage(threads=1) as stage:
        run = await stage.start(calls)
        assert await in_thread(lambda: begun.wait(20))
        run.stop(Cancelled("enough"))
        await run.stopped()
        await settle()
        assert (stage.runs.threads.full, stage.runs.threads.working) == (True, 1)
        go_on.set()
        await stage.runs.threads.ended()
        assert (stage.runs.threads.full, stage.runs.threads.working) == (False, 0)


# --- for the operator ------------------------------------------------------------------------------------------------


async def test_each_step_has_a_line_in_the_log_and_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mcp_app.runs")

    @tool
    async def middle(ctx: Context) -> int:
        return await ctx.call(double, n=1)

    @tool
    async def calls(ctx: Context) -> int:
        return await ctx.call(middle)

    async with Stage() as stage:
        run = await stage.start(calls)
        await read_to_end(run.attach())
        assert stage.runs.steps == {("double", "complete"): 1, ("middle", "complete"): 1}
        assert (stage.runs.started, stage.runs.ended) == (1, {"complete": 1})
    lines = [each.getMessage() for each in caplog.records]
    assert [line.split()[:2] for line in lines] == [[each, "complete"] for each in ("double", "middle", "calls")]
    assert [line.rpartition(" ")[2] for line in lines] == ["step=middle/double", "step=middle", "-"]
    assert all(f"run={run.id[:8]} " in line for line in lines)
    assert [getattr(each, "fields").get("step") for each in caplog.records] == ["middle/double", "middle", None]  # noqa: B009


# --- queues ----------------------------------------------------------------------------------------------------------


@on_loop_clock
async def test_a_step_waits_for_its_turn_and_says_its_place() -> None:
    working: list[int] = []

    @tool(at_once=1)
    async def alone(ctx: Context) -> None:
        working.append(1)
        assert sum(working) == 1
        await asyncio.sleep(3)
        working.append(-1)

    @tool
    async def calls(ctx: Context) -> None:
        await asyncio.gather(ctx.call(alone), ctx.call(alone))

    async with Stage() as stage:
        entries = await stage.told(calls)
        assert stage.runs.queues.waiting == 0
        assert stage.runs.steps == {("alone", "complete"): 2}
    assert seen(entries) == [("progress", {"message": "waiting for a call before this one"}, ["alone-2"], None, None)]


async def test_a_step_that_would_wait_for_itself_fails_at_once() -> None:
    @tool(at_once=1)
    async def alone(ctx: Context, deep: int = 0) -> int:
        return await ctx.call("middle") if deep == 0 else 0

    @tool
    async def middle(ctx: Context) -> Any:
        return await ctx.call("alone", deep=1)

    @tool
    async def outer(ctx: Context) -> Any:
        return await ctx.call("alone")

    async with Stage(tools=[alone, middle]) as stage:
        for root in (alone, outer):
            error = error_of(await asyncio.wait_for(stage.told(root), SECONDS))
            assert "would wait here for a call that waits for this one" in error["message"]
        assert stage.runs.queues.waiting == 0
        assert stage.runs.queues._queues == {}


@on_loop_clock
async def test_a_full_queue_is_told_as_it_is() -> None:
    @tool(at_once=1, waiting=0)
    async def alone() -> None:
        await asyncio.sleep(3)

    @tool
    async def calls(ctx: Context) -> None:
        await asyncio.gather(ctx.call(alone), ctx.call(alone))

    @tool
    async def catches(ctx: Context) -> str:
        first = asyncio.create_task(ctx.call(alone))
        await asyncio.sleep(1)
        with pytest.raises(errors.QueueFull):
            await ctx.call(alone)
        await first
        await ctx.call(alone)
        return "later"

    async with Stage() as stage:
        assert error_of(await stage.told(calls))["code"] == "queue_full"
        assert (await stage.told(catches))[-1]["data"] == "later"
        assert stage.runs.queues._queues == {}


# --- dependencies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [False, True])
async def test_a_step_has_what_it_needs_until_it_ends(plain: bool) -> None:
    seen_there: list[Any] = []
    name: ContextVar[str] = ContextVar("name", default="unset")

    async def take() -> AsyncIterator[str]:
        seen_there.append("taken")
        token = name.set("set")
        try:
            yield "a connection"
        finally:
            name.reset(token)
            seen_there.append("closed")

    pools: list[int] = []

    async def make_pool() -> int:
        pools.append(1)
        return len(pools)

    if plain:

        @tool
        def needs(conn: Annotated[str, Depends(take)], pool: Annotated[int, Shared(make_pool)]) -> str:
            seen_there.append(name.get())
            return f"{conn} of pool {pool}"
    else:

        @tool
        async def needs(conn: Annotated[str, Depends(take)], pool: Annotated[int, Shared(make_pool)]) -> str:
            seen_there.append(name.get())
            return f"{conn} of pool {pool}"

    @tool
    async def only_shared(pool: Annotated[int, Shared(make_pool)]) -> int:
        return pool

    @tool
    async def calls(ctx: Context) -> list[Any]:
        return [await ctx.call(needs), await ctx.call(needs), await ctx.call(only_shared), name.get()]

    async with Stage() as stage:
        end = (await stage.told(calls))[-1]
        assert end["data"] == [*["a connection of pool 1"] * 2, 1, "unset"], end
    await settle()
    assert seen_there == ["taken", "set", "closed"] * 2


async def test_what_a_maker_of_a_step_raises_is_the_steps() -> None:
    async def take() -> str:
        raise Gone("There is none.")

    async def exits() -> str:
        raise SystemExit(3)

    @tool
    async def needs(conn: Annotated[str, Depends(take)]) -> str:
        return conn

    @tool
    async def leaves_all(conn: Annotated[str, Depends(exits)]) -> str:
        return conn

    @tool
    async def calls(ctx: Context) -> str:
        with pytest.raises(Gone):
            await ctx.call(needs)
        return await ctx.call(leaves_all)

    async with Stage() as stage:
        assert error_of(await stage.told(calls))["message"] == "The tool leaves_all failed."


@on_loop_clock
async def test_what_a_step_took_is_closed_when_its_run_is_cancelled() -> None:
    closed: list[BaseException | None] = []

    async def take() -> AsyncIterator[int]:
        try:
            yield 1
        except BaseException as error:
            closed.append(error)
            raise

    @tool
    async def needs(conn: Annotated[int, Depends(take)]) -> None:
        await asyncio.sleep(1000)

    @tool
    async def calls(ctx: Context) -> None:
        await ctx.call(needs)

    async with Stage() as stage:
        run = await stage.start(calls)
        await asyncio.sleep(5)
        run.stop(Cancelled("enough"))
        await run.stopped()
        assert stage.runs.steps == {("needs", "cancelled"): 1}
    assert [type(each) for each in closed] == [asyncio.CancelledError]


async def test_of_a_result_with_more_beside_it_the_data_is_returned() -> None:
    @tool
    async def much() -> Result[dict[str, int]]:
        return Result({"n": 1}, text="one", content=Image(PNG))

    assert await result_of(much) == {"n": 1}
