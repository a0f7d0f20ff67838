"""What a call has taken is not closed while its function uses it, whatever a maker's task group or time-out does."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from typing import Annotated

import pytest
from loop_clock import on_loop_clock
from runs_stage import Stage, read_to_end, settle, shown

from mcp_app import Context, Depends, Shared, Tool, tool
from mcp_app.protocol.errors import Cancelled
from mcp_app.protocol.policy import PLAIN_DETACHED
from mcp_app.runs.shared import TURN_SECONDS

BOUND = 20.0


class Connection:
    """It knows whether it is open, and who closed it."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def make(self) -> AsyncIterator[Connection]:
        self.lines.append("open")
        try:
            yield self
        finally:
            self.lines.append("closed")

    @property
    def is_open(self) -> bool:
        return self.lines[-1] != "closed"


async def fail_later() -> None:
    await asyncio.sleep(1)
    raise ValueError("the listener died")


async def listening() -> AsyncIterator[int]:
    async with asyncio.TaskGroup() as group:
        group.create_task(fail_later())
        yield 1


async def hurried() -> AsyncIterator[int]:
    async with asyncio.timeout(1):
        yield 1


def cleaning_up(connection: Connection, maker: Callable[[], AsyncIterator[int]]) -> Tool:
    """It works for ever, and needs its connection for two seconds more when it is cancelled."""

    @tool
    async def query(
        conn: Annotated[Connection, Depends(connection.make)], other: Annotated[int, Depends(maker)]
    ) -> str:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(2)
            connection.lines.append("cleaned up" if conn.is_open else "cleaned up too late")
        return "done"

    return query


async def end_of(stage: Stage, made: Tool) -> dict[str, object]:
    run = await stage.start(made)
    reader = run.attach()
    entries = [shown(entry) for entry in await read_to_end(reader)]
    reader.close()
    await asyncio.wait_for(stage.runs.dependencies.closings.ended(), BOUND)
    return entries[-1]


@pytest.mark.parametrize(("maker", "raised"), [(listening, "the listener died"), (hurried, "TimeoutError")])
def test_a_task_group_or_a_timeout_around_a_yield_ends_the_function(
    maker: Callable[[], AsyncIterator[int]], raised: str, caplog: pytest.LogCaptureFixture
) -> None:
    connection = Connection()

    query = cleaning_up(connection, maker)

    @on_loop_clock
    async def scene() -> None:
        async with Stage() as stage:
            error = (await end_of(stage, query))["data"]
            assert isinstance(error, dict)
            assert error["code"] == "tool_failed"
            assert str(error["error_id"]) in caplog.text
            assert connection.lines == ["open", "cleaned up", "closed"]
            assert stage.runs.dependencies.closings.abandoned == 0
        assert "was cancelled while it worked, by a task group or a time-out" in caplog.text
        assert "raised while it was closed" in caplog.text
        assert raised in caplog.text

    scene()


@on_loop_clock
async def test_the_tool_that_called_it_is_not_cancelled() -> None:
    connection = Connection()

    @tool
    async def query(
        conn: Annotated[Connection, Depends(connection.make)], other: Annotated[int, Depends(listening)]
    ) -> str:
        await asyncio.sleep(1000)
        return "done"

    @tool
    async def outer(ctx: Context) -> str:
        try:
            return str(await ctx.call(query))
        except Exception as error:
            await asyncio.sleep(1)
            return type(error).__name__

    async with Stage() as stage:
        assert (await end_of(stage, outer))["data"] == "StepFailed"
        assert connection.lines == ["open", "closed"]


@on_loop_clock
async def test_a_function_that_is_cancelled_already_is_not_cancelled_again() -> None:
    connection = Connection()

    query = cleaning_up(connection, listening)

    async with Stage() as stage:
        run = await stage.start(query, PLAIN_DETACHED)
        await asyncio.sleep(0.5)
        run.stop(Cancelled("no longer wanted"))  # the group fails while it cleans up
        await run.stopped()
        await stage.runs.dependencies.closings.ended()
        assert connection.lines == ["open", "cleaned up", "closed"]


@pytest.mark.parametrize("fails", [False, True], ids=["alone", "beside a task group that fails"])
async def test_what_a_thread_goes_on_to_use_is_closed_when_it_ends(fails: bool) -> None:
    connection = Connection()
    loop, working, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    failing = asyncio.Event()

    async def fail() -> None:
        await failing.wait()
        raise ValueError("the listener died")

    async def fragile() -> AsyncIterator[int]:
        async with asyncio.TaskGroup() as group:
            listener = group.create_task(fail())
            yield 1
            listener.cancel()

    @tool
    def query(conn: Annotated[Connection, Depends(connection.make)], other: Annotated[int, Depends(fragile)]) -> str:
        loop.call_soon_threadsafe(working.set)
        go_on.wait(BOUND)
        connection.lines.append("worked" if conn.is_open else "worked too long")
        return "done"

    async with Stage() as stage:
        run = await stage.start(query, PLAIN_DETACHED)
        await asyncio.wait_for(working.wait(), BOUND)
        run.stop(Cancelled("no longer wanted"))
        await asyncio.wait_for(run.stopped(), BOUND)
        if fails:
            failing.set()
            await settle()
        assert connection.lines == ["open"]
        go_on.set()
        await asyncio.wait_for(stage.runs.dependencies.closings.ended(), BOUND)
        assert connection.lines == ["open", "worked", "closed"]


@on_loop_clock
async def test_a_task_group_that_fails_in_closing_is_told_as_what_it_is(caplog: pytest.LogCaptureFixture) -> None:
    @tool
    async def query(other: Annotated[int, Depends(listening)]) -> str:
        return "done"

    async with Stage() as stage:
        assert (await end_of(stage, query))["data"] == "done"
        assert stage.runs.dependencies.closings.abandoned == 0
    assert "raised while it was closed" in caplog.text
    assert "the listener died" in caplog.text
    assert "given up" not in caplog.text


@on_loop_clock
async def test_what_is_shared_and_cancels_itself_is_made_anew_with_what_was_made_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lines: list[str] = []
    dies = True

    async def listener() -> AsyncIterator[int]:
        async with asyncio.TaskGroup() as group:
            if dies:
                group.create_task(fail_later())
            lines.append("listener")
            yield len(lines)

    async def make_pool(number: Annotated[int, Shared(listener)]) -> AsyncIterator[str]:
        lines.append("pool")
        yield f"pool of {number}"
        lines.append("pool closed")

    async def make_other() -> AsyncIterator[str]:
        yield "other"
        lines.append("other closed")

    @tool
    async def query(pool: Annotated[str, Shared(make_pool)], other: Annotated[str, Shared(make_other)]) -> str:
        return pool

    async with Stage() as stage:
        assert (await end_of(stage, query))["data"] == "pool of 1"
        dies = False
        await asyncio.sleep(1 + TURN_SECONDS + 1)
        assert lines == ["listener", "pool", "pool closed"]
        assert "listener" in caplog.text
        assert "the listener died" in caplog.text
        assert (await end_of(stage, query))["data"] == "pool of 4"
    assert sorted(lines[5:]) == ["other closed", "pool closed"]
    assert [each.message.count("made anew") for each in caplog.records if each.levelno >= logging.ERROR] == [1]


@on_loop_clock
async def test_who_needs_what_is_shared_while_it_closes_gets_the_next_one() -> None:
    lines: list[str] = []

    async def listener() -> AsyncIterator[int]:
        try:
            async with asyncio.TaskGroup() as group:
                if not lines:
                    group.create_task(fail_later())
                lines.append("listener")
                yield len(lines)
        finally:
            await asyncio.sleep(1)
            lines.append("listener closed")

    async def make_pool(number: Annotated[int, Shared(listener)]) -> AsyncIterator[str]:
        yield f"pool of {number}"
        await asyncio.sleep(1)
        lines.append("pool closed")

    @tool
    async def query(pool: Annotated[str, Shared(make_pool)]) -> str:
        return pool

    async with Stage() as stage:
        assert (await end_of(stage, query))["data"] == "pool of 1"
        await asyncio.sleep(1 + TURN_SECONDS + 0.5)
        assert lines == ["listener"]
        both = await asyncio.gather(end_of(stage, query), end_of(stage, query))
        assert [each["data"] for each in both] == ["pool of 4", "pool of 4"]
        assert lines == ["listener", "pool closed", "listener closed", "listener"]
