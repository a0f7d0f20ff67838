"""How a run ends: once, with one last event that everybody sees, whatever its tool does about it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from loop_clock import on_loop_clock
from runs_stage import SlowLog, Stage, error_of, now, read_to_end, settle, shown

from mcp_app import Context, ToolError, UnknownResource, errors
from mcp_app.protocol.errors import Cancelled, McpAppError, Shutdown
from mcp_app.protocol.event import MAX_EVENT_BYTES
from mcp_app.protocol.linked import MAX_RESULT_BYTES
from mcp_app.protocol.policy import PLAIN_DETACHED, PLAIN_EVENTSOURCE, PLAIN_POST
from mcp_app.runs.results import METADATA_BYTES

LOGS = pytest.mark.parametrize("slow", [False, True], ids=["memory", "slow"])


def log(slow: bool) -> SlowLog | None:
    return SlowLog() if slow else None


# --- a result --------------------------------------------------------------------------------------------------------


@LOGS
@on_loop_clock
async def test_a_whole_run(slow: bool) -> None:
    async def tool(ctx: Context) -> dict[str, int]:
        await ctx.progress(1, 6, "dns")
        await asyncio.sleep(1.5)
        await ctx.log("info", "done")
        return {"a": 1}

    async with Stage(log(slow), cap_seconds=7.5) as stage:
        run = await stage.start(tool, metadata={"heartbeat_seconds": 15})
        reader = run.attach()
        entries = [shown(entry) for entry in await read_to_end(reader)]
        await run.stopped()
        duration = entries[-1]["meta"].pop("duration_ms")
        assert 1500 <= duration <= 1520
        assert entries == [
            {"n": 1, "type": "started", "data": "tool",
             "meta": {"run": run.id, "heartbeat_seconds": 15, "cap_seconds": 7.5}},
            {"n": 2, "type": "progress", "data": {"message": "dns"}, "meta": {"progress": 1, "total": 6}},
            {"n": 3, "type": "log", "data": {"level": "info", "message": "done"}, "meta": {}},
            {"n": 4, "type": "complete", "data": {"a": 1}, "meta": {"events": 4}},
        ]  # fmt: skip
        assert (run.code, run.over, run.events) == ("complete", True, 4)
        reader.close()


@on_loop_clock
async def test_a_generator_without_result_says_how_many_items_it_yielded() -> None:
    async def tool(ctx: Context) -> AsyncIterator[int]:
        for each in range(3):
            await ctx.log("info", "x")
            yield each

    async with Stage() as stage:
        end = (await stage.told(tool))[-1]
        assert (end["type"], end["data"], end["meta"]["items"], end["meta"]["events"]) == ("complete", None, 3, 8)


# --- what tools raise ------------------------------------------------------------------------------------------------


def raises(error: BaseException) -> Callable[[], Any]:
    async def tool() -> None:
        raise error

    return tool


class Quota(ToolError):
    code = "quota"
    status = 429
    hint = "Come back tomorrow."


class Loose(ToolError):
    """An author's class that forgets its parent."""

    def __init__(self) -> None:
        pass


class Lying(ToolError):
    code = "complete"


class Nameless(ToolError):
    code = ""


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (ToolError("Not there.", hint="Look."), "tool_failed", "Not there."),
        (ToolError(ValueError("as it is")), "tool_failed", "as it is"),  # type: ignore[arg-type]
        (ToolError("\ud800 half"), "tool_failed", "\N{REPLACEMENT CHARACTER} half"),
        (Quota("Enough."), "quota", "Enough."),
        (ExceptionGroup("g", [ToolError("In a group.")]), "tool_failed", "In a group."),
        (ExceptionGroup("g", [ExceptionGroup("g", [Quota("Deep.")])]), "quota", "Deep."),
        (ExceptionGroup("g", [Quota("First."), ToolError("Second.")]), "quota", "First."),
    ],
)
@on_loop_clock
async def test_the_authors_word_reaches_the_caller(raised: Exception, code: str, message: str) -> None:
    async with Stage() as stage:
        error = error_of(await stage.told(raises(raised)))
        assert (error["code"], error["message"]) == (code, message)
        hint = "Look." if message == "Not there." else Quota.hint if code == "quota" else ""
        assert error["hint"] == hint  # of the author's: none is made up
        assert "error_id" not in error


@pytest.mark.parametrize(
    "raised",
    [
        ValueError("a secret"),
        TimeoutError("a secret"),
        ExceptionGroup("a secret", [ValueError("a secret")]),
        ExceptionGroup("a secret", [ToolError("a secret"), ValueError("x")]),
        BaseExceptionGroup("a secret", [SystemExit("a secret")]),
        SystemExit("a secret"),
        KeyboardInterrupt("a secret"),
        GeneratorExit("a secret"),
        asyncio.CancelledError("a secret"),
        StopAsyncIteration("a secret"),
        RecursionError("a secret"),
        Loose(),
        Lying("a secret"),
        Nameless("a secret"),
        ToolError("x", details=[{"field": object()}]),  # type: ignore[dict-item]
        errors.Shutdown("a secret"),
        errors.InternalError("a secret"),
        errors.Overloaded("a secret"),
        errors.UnknownTool("a secret"),
        errors.InvalidParams("a secret"),
        UnknownResource("a secret"),
        ExceptionGroup("a secret", [UnknownResource("a secret")]),
    ],
    ids=repr,
)
@on_loop_clock
async def test_anything_else_is_masked_and_in_the_log(raised: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    async with Stage() as stage:
        error = error_of(await stage.told(raises(raised)))
        assert (error["code"], error["message"]) == ("tool_failed", "The tool tool failed.")
        assert "secret" not in str(error)
        logged = [record for record in caplog.records if error["error_id"] in record.getMessage()]
        assert len(logged) == 1
        assert logged[0].exc_info
        assert stage.runs.ended == {"tool_failed": 1}


@on_loop_clock
async def test_a_tool_that_cancels_itself_has_failed() -> None:
    async def at_once() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    async with Stage() as stage:
        assert error_of(await stage.told(at_once))["code"] == "tool_failed"


@on_loop_clock
async def test_a_tool_that_cancels_itself_and_returns_has_returned() -> None:
    async def late() -> int:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return 5

    async with Stage() as stage:
        assert (await stage.told(late))[-1]["data"] == 5


@on_loop_clock
async def test_what_cannot_be_sent_names_the_tool(caplog: pytest.LogCaptureFixture) -> None:
    async def returns() -> Any:
        return object()

    async def yields() -> AsyncIterator[Any]:
        yield 1
        yield object()

    async with Stage() as stage:
        for tool, did in ((returns, "returned"), (yields, "yielded")):
            error = error_of(await stage.told(tool))
            assert error["code"] == "tool_failed"
            assert f"{tool.__name__} {did} what cannot be sent as JSON" in error["message"]
            assert error["error_id"] in caplog.text


# --- too large -------------------------------------------------------------------------------------------------------


def returning(size: int) -> Callable[[], Any]:
    async def tool() -> str:
        return "x" * (size - 2)

    return tool


async def test_a_result_may_be_as_large_as_an_event() -> None:
    async with Stage() as stage:
        most = MAX_EVENT_BYTES - METADATA_BYTES
        for size, linked in ((most, False), (most + 1, True), (MAX_RESULT_BYTES + 2, True)):
            last = (await stage.told(returning(size)))[-1]
            assert last["type"] == "complete"
            assert last["meta"].get("linked", False) is linked
        error = error_of(await stage.told(returning(MAX_RESULT_BYTES + 3)))
        assert error["code"] == "event_too_large"
        assert error["message"] == (
            f"A result of {MAX_RESULT_BYTES + 1} bytes is larger than the {MAX_RESULT_BYTES} bytes that it may have."
        )


async def test_an_item_may_be_as_large_as_an_event() -> None:
    def yielding(size: int) -> Callable[[], Any]:
        async def tool() -> AsyncIterator[str]:
            yield "small"
            yield "x" * (size - 2)
            raise AssertionError("it went on")

        return tool

    async with Stage() as stage:
        assert len(await stage.told(yielding(MAX_EVENT_BYTES))) == 4
        told = await stage.told(yielding(MAX_EVENT_BYTES + 1))
        assert [each["meta"] for each in told[1:-1]] == [{}, {"content": True, "linked": True}]
        told = await stage.told(yielding(MAX_RESULT_BYTES + 3))
        assert error_of(told)["code"] == "event_too_large"
        assert [each["data"] for each in told[1:-1]] == ["small"]


async def test_a_large_part_in_a_task_group_is_too_large_as_well() -> None:
    async def tool(ctx: Context) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(_partial(ctx, "x" * (MAX_RESULT_BYTES + 1)))

    async def _partial(ctx: Context, data: str) -> None:
        await ctx.partial(data)

    async with Stage() as stage:
        assert error_of(await stage.told(tool))["code"] == "event_too_large"


@on_loop_clock
async def test_an_error_of_any_length_ends_the_run_all_the_same() -> None:
    async with Stage() as stage:
        error = error_of(await stage.told(raises(ToolError("x" * (5 * MAX_EVENT_BYTES)))))
        assert error["code"] == "event_too_large"


# --- stopped ---------------------------------------------------------------------------------------------------------


STOPS = [Cancelled("c"), Shutdown("s"), errors.Left("l"), errors.TimeCap("t")]


@LOGS
@pytest.mark.parametrize("why", STOPS, ids=lambda error: error.code)
@on_loop_clock
async def test_a_stopped_tool_knows_why_and_cleans_up(why: McpAppError, slow: bool) -> None:
    saw: list[Any] = []

    async def tool(ctx: Context) -> None:
        try:
            assert (ctx.cancelled, ctx.cancel_reason) == (False, None)
            await asyncio.sleep(1000)
        finally:
            saw.append((ctx.cancelled, ctx.cancel_reason))
            await asyncio.sleep(3)
            saw.append("clean")

    async with Stage(log(slow)) as stage:
        run = await stage.start(tool)
        reader = run.attach()
        await asyncio.sleep(1)
        began = now()
        run.stop(why)
        run.stop(Cancelled("again"))
        entries = [shown(entry) for entry in await read_to_end(reader)]
        assert error_of(entries) == why.object()
        assert now() - began < 0.1, "the last event does not wait for the tool"
        await run.stopped()
        assert saw == [(True, why.code), "clean"]
        assert now() - began == pytest.approx(3, abs=0.1)
        reader.close()
        assert stage.runs.ended == {why.code: 1}


class Cleaning:
    """Tools that are always at a word, each with a cleanup that takes a while."""

    def __init__(self) -> None:
        self.saw: list[str] = []

    async def _clean(self) -> None:
        self.saw.append("begins")
        await asyncio.sleep(0.1)
        self.saw.append("ends")

    async def generator(self) -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            await self._clean()

    async def coroutine(self, ctx: Context) -> None:
        try:
            while True:
                await ctx.progress(1)
        finally:
            await self._clean()

    async def group(self, ctx: Context) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(self.coroutine(ctx))


@LOGS
@pytest.mark.parametrize("kind", ["generator", "coroutine", "group"])
@pytest.mark.parametrize("after", [0.0, 0.0005, 0.0015, 2.0])
@on_loop_clock
async def test_a_tool_stopped_in_the_middle_of_a_word_is_told_once(kind: str, slow: bool, after: float) -> None:
    cleaning = Cleaning()
    async with Stage(log(slow)) as stage:
        run = await stage.start(getattr(cleaning, kind))
        reader = run.attach()
        await asyncio.sleep(after)
        await settle()
        run.stop(Cancelled("c"))
        await run.stopped()
        count = 3 if kind == "group" else 1
        assert cleaning.saw == ["begins"] * count + ["ends"] * count
        assert error_of([shown(entry) for entry in await read_to_end(reader)])["code"] == "cancelled"
        reader.close()


@LOGS
@on_loop_clock
async def test_a_word_in_the_cleanup_of_a_stopped_tool_is_refused_at_once(slow: bool) -> None:
    refused: list[float] = []

    async def tool(ctx: Context) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            began = now()
            try:
                await ctx.log("info", "cleaning up")
            except asyncio.CancelledError:
                refused.append(now() - began)

    async with Stage(log(slow)) as stage:
        run = await stage.start(tool)
        await asyncio.sleep(1)
        run.stop(Cancelled("c"))
        await run.stopped()
        assert refused == [0]


@LOGS
@on_loop_clock
async def test_a_task_that_outlives_its_tool_is_cancelled_at_its_next_word(slow: bool) -> None:
    orphans: list[asyncio.Task[None]] = []

    async def orphan(ctx: Context) -> None:
        while True:
            await ctx.progress(1)

    async def tool(ctx: Context) -> None:
        orphans.append(asyncio.create_task(orphan(ctx)))
        await asyncio.sleep(0.5)

    async with Stage(log(slow)) as stage:
        run = await stage.start(tool)
        reader = run.attach()
        await asyncio.sleep(1)
        assert run.code == "complete"
        await read_to_end(reader)
        await asyncio.wait_for(asyncio.wait(orphans), 1)
        assert orphans[0].cancelled()
        held = await stage.start(tool)
        held.attach()
        await asyncio.sleep(0.4)
        held.stop(Cancelled("c"))
        await asyncio.wait_for(asyncio.wait(orphans), 1)
        assert orphans[1].cancelled()
        reader.close()


@on_loop_clock
async def test_the_last_event_is_there_when_the_tool_swallows_its_cancellation() -> None:
    heard: list[str] = []

    async def tool(ctx: Context) -> str:
        for _ in range(3):
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                heard.append("cancelled")
        for word in (ctx.progress(1), ctx.partial(1), ctx.log("info", "x")):
            with pytest.raises(asyncio.CancelledError):
                await word
        return "a result that nobody gets"

    async with Stage() as stage:
        run = await stage.start(tool)
        reader = run.attach()
        await asyncio.sleep(1)
        began = now()
        run.stop(Cancelled("c"))
        entries = [shown(entry) for entry in await read_to_end(reader)]
        assert error_of(entries)["code"] == "cancelled"
        assert len(entries) == 2
        await run.stopped()
        # Told again after the grace, and then every second.
        assert (heard, now() - began) == (["cancelled"] * 3, pytest.approx(6, abs=0.1))
        reader.close()


@on_loop_clock
async def test_a_tool_that_never_stops_is_given_up_and_named(caplog: pytest.LogCaptureFixture) -> None:
    let_go = asyncio.Event()

    async def defiant() -> None:
        while not let_go.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await let_go.wait()

    async with Stage() as stage:
        run = await stage.start(defiant)
        await asyncio.sleep(1)
        began = now()
        await asyncio.wait_for(stage.runs.drain(), 60)
        assert now() - began < 15
        assert "defiant does not stop when it is cancelled" in caplog.text
        let_go.set()
        await settle()
        assert run.over


@on_loop_clock
async def test_a_tool_that_stops_at_the_last_try_is_not_called_defiant(caplog: pytest.LogCaptureFixture) -> None:
    async def stubborn() -> None:
        for _ in range(6):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1000)

    async with Stage() as stage:
        run = await stage.start(stubborn)
        await asyncio.sleep(1)
        run.stop(Cancelled("c"))
        await run.stopped()
        assert "does not stop" not in caplog.text


@on_loop_clock
async def test_what_a_tool_raises_while_being_stopped_is_for_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def tool() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            raise ValueError("in cleanup")

    async with Stage() as stage:
        run = await stage.start(tool)
        reader = run.attach()
        await asyncio.sleep(1)
        run.stop(Cancelled("c"))
        assert error_of([shown(entry) for entry in await read_to_end(reader)])["code"] == "cancelled"
        await run.stopped()
        assert "raised while being stopped" in caplog.text
        assert "in cleanup" in caplog.text
        reader.close()


@LOGS
@on_loop_clock
async def test_the_first_end_wins(slow: bool) -> None:
    async def tool() -> int:
        await asyncio.sleep(1)
        return 5

    async with Stage(log(slow)) as stage:
        # At every point around the tool's own end, in steps finer than those of the log.
        for step in range(-10, 60):
            run = await stage.start(tool)
            reader = run.attach()
            await asyncio.sleep(1 + step * 0.0001)
            run.stop(Cancelled("c"))
            entries = [shown(entry) for entry in await read_to_end(reader)]
            assert [entry["n"] for entry in entries] == [1, 2]
            assert entries[-1]["type"] == ("complete" if run.code == "complete" else "error")
            await run.stopped()
            reader.close()
        assert set(stage.runs.ended) == {"cancelled", "complete"}
        assert stage.runs.ended.total() == 70


@LOGS
@on_loop_clock
async def test_a_run_can_be_stopped_before_its_tool_began(slow: bool) -> None:
    began: list[int] = []

    async def tool() -> None:
        began.append(1)

    async with Stage(log(slow)) as stage:
        starting = asyncio.create_task(stage.start(tool, PLAIN_DETACHED))
        await asyncio.sleep(0)
        assert stage.runs.working == 1
        await stage.runs.drain()
        run = await starting
        await run.stopped()
        entries = [shown(entry) for entry in await read_to_end(run.follow())]
        assert error_of(entries)["code"] == "shutdown"
        assert began == []


# --- left, capped, drained -------------------------------------------------------------------------------------------


async def forever(ctx: Context) -> None:
    await ctx.progress(1)
    await asyncio.sleep(100_000)


@on_loop_clock
async def test_leaving_cancels_a_posted_run_and_lets_a_detached_one_go_on() -> None:
    async with Stage(run_life_seconds=50) as stage:
        posted = await stage.start(forever, PLAIN_POST)
        watching = posted.follow()
        posted.attach().close()
        assert posted.code == "left"
        assert error_of([shown(entry) for entry in await read_to_end(watching)])["code"] == "left"
        watching.close()
        detached = await stage.start(forever, PLAIN_DETACHED)
        detached.attach().close()
        detached.follow().close()
        await asyncio.sleep(49)
        assert not detached.ended
        await asyncio.sleep(2)
        assert detached.code == "time_cap"


@on_loop_clock
async def test_a_follower_that_leaves_ends_nothing() -> None:
    async with Stage() as stage:
        run = await stage.start(forever, PLAIN_POST)
        reader = run.attach()
        run.follow().close()
        await asyncio.sleep(5)
        assert not run.ended
        reader.close()
        assert run.code == "left"


@pytest.mark.parametrize("policy", [PLAIN_POST, PLAIN_EVENTSOURCE, PLAIN_DETACHED], ids=lambda row: row.name[:14])
@on_loop_clock
async def test_every_run_ends_at_its_deadline_though_its_reader_does_not_read(policy: Any) -> None:
    async with Stage(cap_seconds=20, run_life_seconds=20) as stage:
        run = await stage.start(forever, policy)
        stuck = run.attach()
        await asyncio.sleep(19.9)
        assert not run.ended
        await asyncio.sleep(0.2)
        assert (run.code, run.over) == ("time_cap", True)
        assert "20 seconds" in [shown(entry) for entry in await read_to_end(stuck)][-1]["data"]["message"]
        stuck.close()


@on_loop_clock
async def test_draining_waits_for_the_cleanup_of_runs_that_had_ended_before() -> None:
    cleaned: list[str] = []

    async def tool() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(2)
            cleaned.append("clean")

    async with Stage() as stage:
        run = await stage.start(tool)
        await asyncio.sleep(1)
        run.stop(Cancelled("c"))
        await asyncio.sleep(0.5)
        assert (run.over, cleaned) == (True, [])
        await asyncio.wait_for(stage.runs.drain(), 60)
        assert cleaned == ["clean"]


@on_loop_clock
async def test_nothing_is_said_about_runs_that_end_well(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "mcp_app")
    async with Stage() as stage:
        await stage.told(returning(5))
        [record] = caplog.records  # but that they have ended
        assert (record.levelno, " complete " in record.getMessage()) == (logging.INFO, True)
