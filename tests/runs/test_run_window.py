"""The window: a tool waits when the reader that started its run is 256 entries or 1 MiB behind, and for nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loop_clock import on_loop_clock
from runs_stage import SlowLog, Stage, now, read_to_end, settle, shown, take

from mcp_app import Context
from mcp_app.protocol.errors import Cancelled, Purged
from mcp_app.protocol.event import MAX_EVENT_BYTES, Event, EventType
from mcp_app.protocol.policy import (
    PLAIN_DETACHED,
    PLAIN_EVENTSOURCE,
    PLAIN_POST,
    WINDOW_BYTES,
    WINDOW_ENTRIES,
    Policy,
)
from mcp_app.runs.window import Window

WAITING = [PLAIN_POST, PLAIN_EVENTSOURCE]


def by_name(policies: list[Policy]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("policy", policies, ids=lambda policy: policy.name.replace(" ", ""))


def flood(count: int, size: int = 1) -> Callable[[], AsyncIterator[str]]:
    async def flood() -> AsyncIterator[str]:
        for _ in range(count):
            yield "x" * size

    return flood


# --- the arithmetic --------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.lists(st.integers(0, 600_000), max_size=300), st.integers(0, 300)), max_size=20))
def test_a_window_is_never_overrun_by_more_than_the_event_that_fills_it(
    steps: list[tuple[list[int], int]],
) -> None:
    window = Window()
    ends = [0]
    for sizes, taken in steps:
        events = [Event(EventType.LOG, b"x" * size) for size in sizes]
        count = window.fitting(events)
        behind = window.appended_bytes - window.acknowledged_bytes
        room = behind < WINDOW_BYTES and window.appended - window.acknowledged < WINDOW_ENTRIES
        assert (count > 0) == (room and bool(events))
        for event in events[:count]:
            assert ends[-1] - window.acknowledged_bytes < WINDOW_BYTES
            ends.append(ends[-1] + event.size)
        window.append(len(ends) - 1, ends[-1])
        assert window.appended - window.acknowledged <= WINDOW_ENTRIES
        if count < len(events):
            full = window.appended_bytes - window.acknowledged_bytes >= WINDOW_BYTES
            assert full or window.appended - window.acknowledged == WINDOW_ENTRIES
        number = min(window.acknowledged + taken, window.appended)
        window.acknowledge(number, ends[number])
        assert window.acknowledged_bytes == ends[number]


def test_a_reader_may_see_an_entry_before_the_writer_knows_it_is_there() -> None:
    window = Window()
    window.append(1, 100)
    window.acknowledge(2, 100 + WINDOW_BYTES)
    window.append(2, 100 + WINDOW_BYTES)
    assert window.fitting([Event(EventType.LOG, b"x")]) == 1


# --- the reader that started it --------------------------------------------------------------------------------------


@by_name(WAITING)
@on_loop_clock
async def test_the_tool_waits_at_256_entries(policy: Policy) -> None:
    async with Stage() as stage:
        run = await stage.start(flood(1000), policy)
        reader = run.attach()
        await settle()
        assert run.events == WINDOW_ENTRIES
        first = await take(reader)
        assert len(first) == WINDOW_ENTRIES
        await settle()
        assert run.events == WINDOW_ENTRIES, "what was handed out is not yet written"
        assert await take(reader)
        await settle()
        assert run.events == 2 * WINDOW_ENTRIES
        rest = await read_to_end(reader)
        assert rest[-1].number == 1002
        assert rest[-1].event.type is EventType.COMPLETE
        reader.close()


@by_name(WAITING)
@on_loop_clock
async def test_the_tool_waits_at_one_mebibyte(policy: Policy) -> None:
    size = 100_000
    async with Stage() as stage:
        run = await stage.start(flood(50, size), policy)
        reader = run.attach()
        await settle()
        assert run.events == 1 + 11, "the event that fills the window is the last"
        for _ in range(5):
            await take(reader)
        await settle()
        # Entries 1 to 4 were written, the fifth is handed out: eleven more make the window full again.
        assert run.events == 5 + 10
        assert (await read_to_end(reader))[-1].number == 52
        reader.close()


@by_name(WAITING)
@pytest.mark.parametrize("slow", [False, True])
@on_loop_clock
async def test_a_reader_that_is_waited_for_is_never_purged(policy: Policy, slow: bool) -> None:
    # The sizes that fill window and log to the last byte: a window less one byte, then the largest events there are.
    async def worst() -> AsyncIterator[str]:
        yield "x" * (WINDOW_BYTES - 500)
        for _ in range(3):
            yield "x" * (MAX_EVENT_BYTES - 2)

    async def result(ctx: Context) -> str:
        await ctx.partial("x" * (WINDOW_BYTES - 503))
        await ctx.partial("x" * (MAX_EVENT_BYTES - 2))
        return "x" * (MAX_EVENT_BYTES - 300)

    for tool in (worst, result):
        async with Stage(SlowLog() if slow else None) as stage:
            run = await stage.start(tool, policy)
            reader = run.attach()
            await asyncio.sleep(1)
            entries = await read_to_end(reader)
            await run.stopped()
            assert [entry.number for entry in entries] == list(range(1, run.events + 1))
            assert entries[-1].event.type is EventType.COMPLETE
            reader.close()


@by_name(WAITING)
@on_loop_clock
async def test_without_any_reader_the_tool_waits_at_the_window(policy: Policy) -> None:
    async with Stage() as stage:
        run = await stage.start(flood(1000), policy)
        await settle()
        assert run.events == WINDOW_ENTRIES


@on_loop_clock
async def test_a_detached_run_waits_for_nobody() -> None:
    async with Stage() as stage:
        run = await stage.start(flood(5000), PLAIN_DETACHED)
        reader, follower = run.attach(), run.follow()
        await run.stopped()
        assert (run.over, run.events) == (True, 5002)
        for behind in (reader, follower):
            with pytest.raises(Purged, match="Events 1 to "):
                await take(behind)
            behind.close()


# --- other readers ---------------------------------------------------------------------------------------------------


@by_name(WAITING)
@on_loop_clock
async def test_other_followers_never_hold_the_tool(policy: Policy) -> None:
    async with Stage() as stage:
        run = await stage.start(flood(600), policy)
        reader, follower = run.attach(), run.follow()
        assert await take(follower)
        entries = await read_to_end(reader)
        assert (run.over, entries[-1].number) == (True, 602)
        follower.close()
        reader.close()


@by_name(WAITING)
@on_loop_clock
async def test_other_followers_do_not_let_it_go_on_either(policy: Policy) -> None:
    async with Stage() as stage:
        run = await stage.start(flood(600), policy)
        reader, follower = run.attach(), run.follow()
        following = asyncio.create_task(read_to_end(follower))
        await settle()
        assert run.events == WINDOW_ENTRIES
        reader.close()
        follower.close()
        following.cancel()
        await asyncio.wait({following})
        run.stop(Cancelled("enough"))


@on_loop_clock
async def test_a_second_reader_is_promoted_when_the_first_leaves() -> None:
    async with Stage() as stage:
        run = await stage.start(flood(2000), PLAIN_EVENTSOURCE)
        first, second = run.attach(), run.attach()
        for _ in range(2):
            await settle()
            await take(first)
            await take(second)
        await settle()
        assert run.events == 2 * WINDOW_ENTRIES
        await take(second)
        await settle()
        assert run.events == 2 * WINDOW_ENTRIES, "the second is ahead, the first is waited for"
        first.close()
        await settle()
        assert run.events >= 2 * WINDOW_ENTRIES + 1, "now it is the second"
        assert run.events <= 3 * WINDOW_ENTRIES
        first.close()  # twice does nothing
        assert (await read_to_end(second))[-1].number == 2002
        second.close()


# --- a lingering run -------------------------------------------------------------------------------------------------


@on_loop_clock
async def test_a_lingering_run_pauses_at_the_window_and_is_cancelled_after_the_linger() -> None:
    cleaned: list[float] = []

    async def tool() -> AsyncIterator[int]:
        try:
            for each in range(10_000):
                yield each
        finally:
            cleaned.append(now())

    async with Stage(linger_seconds=30) as stage:
        run = await stage.start(tool, PLAIN_EVENTSOURCE)
        reader = run.attach()
        await take(reader)
        left_at = now()
        reader.close()
        await settle()
        assert (run.events, run.ended, cleaned) == (WINDOW_ENTRIES, False, [])
        await asyncio.sleep(29.9)
        assert (run.events, run.ended, cleaned) == (WINDOW_ENTRIES, False, [])
        await asyncio.sleep(0.2)
        assert (run.code, run.over) == ("left", True)
        assert cleaned == [pytest.approx(left_at + 30)]
        entries = [shown(entry) for entry in await read_to_end(run.follow(run.events - 1))]
        assert entries[0]["data"]["code"] == "left"


@on_loop_clock
async def test_a_reader_that_comes_back_goes_on_where_it_was_and_so_does_the_tool() -> None:
    async with Stage(linger_seconds=30) as stage:
        run = await stage.start(flood(1000), PLAIN_EVENTSOURCE)
        reader = run.attach()
        await settle()
        seen = await take(reader)
        reader.close()
        await asyncio.sleep(29)
        back = run.attach(100)
        await asyncio.sleep(60)
        assert not run.ended, "it has come back"
        entries = seen[:100] + await read_to_end(back)
        assert [entry.number for entry in entries] == list(range(1, 1003))
        back.close()


@on_loop_clock
async def test_each_leaving_begins_the_linger_anew() -> None:
    async with Stage(linger_seconds=30) as stage:
        run = await stage.start(flood(1000), PLAIN_EVENTSOURCE)
        for _ in range(3):
            reader = run.attach()
            reader.close()
            await asyncio.sleep(29)
            assert not run.ended
        await asyncio.sleep(2)
        assert run.code == "left"


@on_loop_clock
async def test_lingering_ends_at_the_runs_deadline_as_a_cap() -> None:
    async with Stage(linger_seconds=30, cap_seconds=10) as stage:
        run = await stage.start(flood(1000), PLAIN_EVENTSOURCE)
        run.attach().close()
        await asyncio.sleep(9.9)
        assert not run.ended
        await asyncio.sleep(0.2)
        assert run.code == "time_cap"


@on_loop_clock
async def test_a_reader_that_comes_back_is_waited_for_though_its_old_stream_still_looks_alive() -> None:
    async with Stage() as stage:
        run = await stage.start(flood(2000), PLAIN_EVENTSOURCE)
        dead = run.attach()
        await settle()
        await take(dead)
        await take(dead)
        await settle()
        assert run.events == 2 * WINDOW_ENTRIES
        back = run.attach(WINDOW_ENTRIES)
        assert (await read_to_end(back))[-1].number == 2002, "the tool does not wait for the stream nobody reads"
        dead.close()
        back.close()


@on_loop_clock
async def test_a_second_tab_does_not_take_over() -> None:
    async with Stage() as stage:
        run = await stage.start(flood(2000), PLAIN_EVENTSOURCE)
        first = run.attach()
        second = run.attach()
        await take(second)
        await take(second)
        await settle()
        assert run.events == WINDOW_ENTRIES
        first.close()
        second.close()
        run.stop(Cancelled("enough"))


# --- many tasks of one tool ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slow", [False, True])
@by_name(WAITING)
@on_loop_clock
async def test_tasks_that_emit_at_once_keep_numbering_and_window(policy: Policy, slow: bool) -> None:
    async def many(ctx: Context) -> str:
        async def one(name: int) -> None:
            for at in range(100):
                await ctx.progress(at, 100, str(name))

        async with asyncio.TaskGroup() as group:
            for name in range(10):
                group.create_task(one(name))
        return "done"

    async with Stage(SlowLog() if slow else None) as stage:
        run = await stage.start(many, policy)
        reader = run.attach()
        await asyncio.sleep(10)
        assert run.events == WINDOW_ENTRIES
        entries = [shown(entry) for entry in await read_to_end(reader)]
        assert [entry["n"] for entry in entries] == list(range(1, 1003))
        assert entries[-1]["meta"]["events"] == 1002
        for name in range(10):
            own = [entry["meta"]["progress"] for entry in entries if entry["data"] == {"message": str(name)}]
            assert own == list(range(100))
        reader.close()
