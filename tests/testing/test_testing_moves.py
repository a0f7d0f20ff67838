"""`mcp_app.testing`: the moves of a client (leaving, coming back, cancelling, reading slowly), and the clock."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated

import pytest
import tested_tools
from tested_tools import COUNTED, ENDED

from mcp_app import Context, Depends, Settings, errors, tool
from mcp_app.protocol.policy import WINDOW_ENTRIES
from mcp_app.testing import ERAS, Era, NoClock, NotSpoken, RunCut, TaskEvent, client

TOOLS = "tests/testing/tested_tools.py"


@pytest.fixture(autouse=True)
def fresh() -> None:
    ENDED.clear()
    COUNTED.clear()


async def test_heartbeats_come_when_it_is_time() -> None:
    async with client(TOOLS) as c:
        run = c.run("wait")
        await run.until("progress")
        c.clock.stop()
        await c.clock.advance(14.9)
        assert run.heartbeats == 0
        await c.clock.advance(0.2)
        assert run.heartbeats == 1
        c.clock.start()
        await c.clock.advance(30)
        assert await run == "waited"
        assert run.heartbeats == 2


@pytest.mark.parametrize("era", ERAS)
async def test_the_cap_comes_when_it_is_time(era: Era) -> None:
    async with client(TOOLS, era=era, settings=Settings(cap_seconds=60)) as c:
        run = c.run("wait", seconds=600)
        await run.until("progress")
        await c.clock.advance(59)
        assert not run.ended
        assert ENDED == []
        await c.clock.advance(1.5)
        if era == "2025-11-25":  # its stream ends, and its client comes back for the rest
            assert not run.ended
            await c.clock.advance(600)
            assert await run == "waited"
        else:
            with pytest.raises(errors.TimeCap):
                await run
            assert ENDED == ["time_cap"]


async def test_a_cap_of_the_call() -> None:
    async with client(TOOLS, cap_seconds=2, heartbeat_seconds=1) as c:
        run = c.run("wait")
        await run.until("progress")
        await c.clock.advance(1)
        assert run.heartbeats == 1
        await c.clock.advance(1)
        with pytest.raises(errors.TimeCap):
            await run


async def test_how_long_a_run_can_be_read() -> None:
    async with client(TOOLS, settings=Settings(keep_seconds=600), by="detached") as c:
        run = c.run("wait", seconds=1)
        await run.until("progress")
        await run.disconnect()
        await c.clock.advance(600)
        await run.reconnect()
        assert await run == "waited"
        late = c.run("wait", seconds=1)
        await late.until("progress")
        await late.disconnect()
        await c.clock.advance(3600 + 601)
        await late.reconnect()
        with pytest.raises(errors.UnknownRun):
            await late


async def test_a_tool_that_sleeps_a_little_needs_no_clock() -> None:
    async with client(TOOLS) as c:
        assert await c.run("wait", seconds=0.01) == "waited"


async def test_what_the_author_waits_for_goes_by_the_same_clock() -> None:
    async with client(TOOLS) as c:
        loop = asyncio.get_running_loop()
        before = loop.time()
        sleeping = asyncio.create_task(asyncio.sleep(1000))
        await c.clock.advance(1000)
        assert sleeping.done()
        assert 1000 <= loop.time() - before < 1010
        async with client(TOOLS) as other:
            assert other.clock is c.clock


# --- leaving ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("era", ["plain", "2026-07-28", "2024-11-05"])
async def test_leaving_cancels(era: Era) -> None:
    async with client(TOOLS, era=era) as c:
        run = c.run("wait")
        await run.until("progress")
        await run.leave()
        await c.idle()
        reason = "cancelled" if era == "2024-11-05" else "left"  # there the session has ended
        assert [reason] == ENDED
        with pytest.raises(errors.Left):
            await run
        await run.leave()


async def test_over_http_sse_calls_share_a_stream_and_end_with_it() -> None:
    async with client(TOOLS, era="2024-11-05", answer=lambda _: "Hi") as c:
        # Progress, which is a sign of life as well, may come in the place of a heartbeat.
        waiting, added = c.with_options(progress=False).run("wait"), c.run("add", a=1, b=2)
        assert await added == "3"
        await c.clock.advance(15)
        assert waiting.heartbeats == 1
        other = c.run("wait")
        await other.until("progress")
        await waiting.disconnect()
        for run in (waiting, other):
            with pytest.raises(RunCut):
                await run
        with pytest.raises(RunCut, match="cannot be come back to"):
            await waiting.reconnect()
        assert len(ENDED) == 2
        assert await c.run("add", a=2, b=2) == "4"  # by a new session


async def test_where_http_sse_is_off_it_is_said() -> None:
    async with client(TOOLS, era="2024-11-05", settings=Settings(legacy_sse=False)) as c:
        with pytest.raises(NotSpoken, match="no stream, but 4"):
            await c.run("add", a=1, b=2)


async def test_leaving_while_the_clock_stands_still() -> None:
    async with client(TOOLS) as c:
        run = c.run("wait")
        await run.until("progress")
        c.clock.stop()
        await run.leave()
        await c.idle()
        assert ENDED == ["left"]


async def test_a_run_that_is_left_open_is_left_at_the_end() -> None:
    async with client(TOOLS) as c:
        run = c.run("wait")
        await run.until("progress")
    assert ENDED == ["left"]
    with pytest.raises(errors.Left):
        await run


@pytest.mark.parametrize("era", ["2025-11-25", "2025-06-18", "2025-03-26"])
async def test_a_session_goes_on_without_its_reader(era: Era) -> None:
    async with client(TOOLS, era=era) as c:
        run = c.run("wait")
        await run.until("progress")
        await run.disconnect()
        await c.clock.advance(41)
        assert ENDED == [None]
        await run.reconnect()
        assert await run == "waited"
        assert [event.type for event in run.events].count("complete") == 1


@pytest.mark.parametrize("by", ["get", "detached"])
async def test_a_plain_run_is_come_back_to(by: str) -> None:
    async with client(TOOLS, by=by, reads="on_demand") as c:
        run = c.run("count", upto=2000)
        await run.next()
        seen = list(run.events)
        await run.disconnect()
        await run.reconnect()
        await run
        numbers = [event.id for event in run.events]
        assert len(set(numbers)) == len(numbers) == 2002
        assert list(run.events)[: len(seen)] == seen


async def test_what_is_cut_at_once_is_cut() -> None:
    async with client(TOOLS) as c:
        run = c.run("wait")
        await run.disconnect()
        await c.idle()
        assert (ENDED, list(run.events)) == (["left"], [])
        again = c.with_options(by="get").run("wait")
        await again.disconnect()
        await c.clock.advance(5)
        assert list(again.events) == []
        await again.reconnect()
        await c.clock.advance(40)
        assert await again == "waited"


async def test_who_is_cut_as_soon_as_it_comes_back_is_cut_and_twice_is_once() -> None:
    async with client(TOOLS, by="get") as c:
        run = c.run("wait")
        await run.until("progress")
        for _ in range(2):
            await run.disconnect()
            await run.disconnect()
            before = list(run.events)
            await run.reconnect()
        await run.disconnect()
        await c.clock.advance(5)
        assert list(run.events) == before
        await run.reconnect()
        await c.clock.advance(40)
        assert await run == "waited"


async def test_who_has_left_does_not_come_back() -> None:
    async with client(TOOLS, by="get") as c:
        run = c.run("wait")
        await run.until("progress")
        await run.disconnect()
        await run.leave()
        with pytest.raises(RunCut):
            await run.reconnect()


async def test_who_lingers_too_long_has_left() -> None:
    async with client(TOOLS, by="get", settings=Settings(linger_seconds=30)) as c:
        run = c.run("wait", seconds=100)
        await run.until("progress")
        await run.disconnect()
        await c.clock.advance(31)
        await c.idle()
        assert ENDED == ["left"]
        await run.reconnect()
        with pytest.raises(errors.Left):
            await run


async def test_a_call_by_post_cannot_be_come_back_to() -> None:
    async with client(TOOLS) as c:
        run = c.run("wait")
        await run.until("progress")
        await run.disconnect()
        with pytest.raises(RunCut, match='by="get" or by="detached"'):
            await run.reconnect()
        await c.idle()
        assert ENDED == ["left"]
        await run.leave()
        with pytest.raises(RuntimeError, match="has ended"):
            await run.disconnect()


# --- cancelling ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("era", ERAS)
async def test_cancelling(era: Era) -> None:
    async with client(TOOLS, era=era) as c:
        run = c.run("wait")
        await run.until("progress")
        await run.cancel()
        await c.idle()
        with pytest.raises((errors.Cancelled, errors.Left)):
            await run
        assert ENDED[0] == ("left" if era == "2026-07-28" else "cancelled")


async def test_stopping() -> None:
    async with client(TOOLS) as c:
        run = c.run("wait")
        await run.until("progress")
        await c.stop()
        with pytest.raises(errors.Shutdown):
            await run
        with pytest.raises(errors.Draining):
            await c.run("add", a=1, b=2)
        assert ENDED == ["shutdown"]


async def test_idle_is_when_what_a_call_took_is_closed_too() -> None:
    closed: list[int] = []
    released = asyncio.Event()

    async def take() -> AsyncIterator[int]:
        yield 1
        await released.wait()
        closed.append(1)

    @tool
    async def takes(value: Annotated[int, Depends(take)]) -> int:
        return value

    async with client(takes) as c:
        assert await c.run(takes) == 1
        idle = asyncio.create_task(c.idle())
        await c.clock.advance(0)
        assert not idle.done()
        released.set()
        await idle
        assert closed == [1]


async def test_stopping_while_the_clock_stands_still() -> None:
    """What does not end is waited for, so that the time has to go on."""
    released = asyncio.Event()

    @tool
    async def holds(ctx: Context) -> None:
        await ctx.progress(1)
        while not released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await released.wait()

    async with client(holds) as c:
        run = c.run(holds)
        await run.until("progress")
        c.clock.stop()
        stopping = asyncio.create_task(c.stop())
        await asyncio.sleep(0)
        assert not c.clock.stopped
        await c.clock.advance(20)
        assert stopping.done()
        released.set()
        with pytest.raises(errors.Shutdown):
            await run


# --- tasks -----------------------------------------------------------------------------------------------------------


async def test_a_task_is_followed_without_polling() -> None:
    async with client(TOOLS, era="2026-07-28", tasks=True, answer=lambda _: {"name": "Ada"}) as c:
        run = c.run("long_work", ask=True)
        became = await run.until("task")
        assert isinstance(became, TaskEvent)
        assert run.task == became.task
        await c.clock.advance(300)  # over the cap of the subscription, which is opened again
        await run.disconnect()
        await c.clock.advance(300)
        await run.reconnect()
        assert await run == "done for Ada"


async def test_a_task_is_cancelled() -> None:
    async with client(TOOLS, era="2026-07-28", tasks=True) as c:
        run = c.run("long_work")
        await run.until("task")
        await run.cancel()
        with pytest.raises(errors.Cancelled):
            await run


async def test_a_call_becomes_a_task_near_the_cap() -> None:
    async with client(TOOLS, era="2026-07-28", tasks=True, settings=Settings(cap_seconds=60)) as c:
        run = c.run("wait", seconds=100)
        await run.until("progress")
        await c.clock.advance(101)
        assert await run == "waited"
        assert [event.type for event in run.events] == [
            "progress",
            "progress",
            "progress",
            "progress",
            "task",
            "complete",
        ]


# --- a slow reader ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("era", ["plain", "2026-07-28"])
async def test_a_tool_runs_into_the_window_of_a_slow_reader(era: Era) -> None:
    async with client(TOOLS, era=era, reads="on_demand") as c:
        run = c.run("count", upto=5000)
        await run.next()
        await c.clock.advance(0)
        ahead = len(COUNTED)
        assert 0 < ahead <= 2 * WINDOW_ENTRIES
        await c.clock.advance(0)
        assert len(COUNTED) == ahead
        while len(run.events) <= ahead:
            await run.next()
        await c.clock.advance(0)
        assert ahead < len(COUNTED) < 5000
        await run
        assert len(COUNTED) == 5000


async def test_a_reader_that_reads_on_demand_sees_all_by_iterating() -> None:
    async with client(tested_tools.count, reads="on_demand") as c:
        run = c.run("count", upto=1000)
        assert [event.data async for event in run if event.type == "progress"] == list(range(1000))  # type: ignore[attr-defined]


def test_on_uvloop_all_works_but_the_clock() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        async with client(TOOLS) as c:
            assert await c.run("add", a=1, b=2) == 3
            run = c.run("wait")
            await run.until("progress")
            with pytest.raises(NoClock, match="The clock of uvloop cannot be moved"):
                await c.clock.advance(15)
            with pytest.raises(NoClock):
                c.clock.stop()
            await run.leave()
            await c.idle()
            assert ENDED == ["left"]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
