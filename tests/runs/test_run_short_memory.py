"""While memory is short: tools wait for their readers, logs keep little, what still grows ends with `overloaded`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any

import pytest
from loop_clock import on_loop_clock
from runs_stage import SECONDS, Stage, read_to_end, settle, shown, take

from mcp_app import Context
from mcp_app.protocol.errors import Cancelled, Purged
from mcp_app.protocol.event import Event, EventType
from mcp_app.protocol.policy import MCP_2025_11_25, PLAIN_DETACHED, PLAIN_EVENTSOURCE, PLAIN_POST, Policy
from mcp_app.runs import Run, results
from mcp_app.runs.memory import ENTRY_BYTES, MOST, RUN_BYTES, SHORT, Memory, NoMemory, Share
from mcp_app.runs.window import Window
from mcp_app.runs.writer import CLOCK_EVENTS, COUNTED_BYTES, SHORT_BYTES

MIB = 1024 * 1024
UNCOUNTED = 2 * COUNTED_BYTES + CLOCK_EVENTS * ENTRY_BYTES
"""What the log of a run may have grown by since it was counted."""


def flood(size: int, events: int | None = None) -> Callable[[], AsyncIterator[str]]:
    async def flood() -> AsyncIterator[str]:
        for _ in count() if events is None else range(events):
            yield "x" * size

    return flood


async def error_of(run: Run) -> dict[str, Any]:
    last = (await read_to_end(run.follow(run.events - 1)))[-1]
    assert last.event.type is EventType.ERROR
    return dict(json.loads(last.event.data))


async def over_the_mark(stage: Stage) -> None:
    """A run that is worked on and takes memory, as many do."""
    size = int(stage.runs.memory.limit * SHORT) // 2
    await stage.start(asyncio.Event().wait, body=b"x" * size)
    assert stage.runs.memory.short


async def waits(ctx: Context) -> None:
    await asyncio.Event().wait()


# --- the parts -------------------------------------------------------------------------------------------------------


def test_a_narrow_window_is_filled_by_one_entry() -> None:
    events = [Event(EventType.LOG, b"x")] * 3
    window = Window()
    window.narrow(True)
    assert window.fitting(events) == window.fitting(events[:1]) == 1
    window.append(1, 1)
    assert window.fitting(events) == 0
    window.acknowledge(1, 1)
    assert window.fitting(events) == 1
    window.narrow(False)
    assert window.fitting(events) == 3


def test_a_share_is_of_a_request_and_of_what_was_said() -> None:
    memory = Memory(1000)
    share = Share(memory, 100)
    share.add(650)
    assert (memory.held, memory.short) == (750, False)
    share.add(1)
    assert memory.short
    share.check(int(1000 * MOST) - memory.held)
    with pytest.raises(NoMemory, match="as much memory as they may"):
        share.check(int(1000 * MOST) - memory.held + 1)
    share.release()
    assert memory.held == 100
    share.add(-50)
    share.release()
    share.release_request()
    share.release_request()
    assert memory.held == 0


# --- readers that do not read ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [PLAIN_POST, PLAIN_EVENTSOURCE], ids=lambda row: row.name)
@pytest.mark.parametrize("size", [1, 1000, 20_000])
@on_loop_clock
async def test_many_readers_that_do_not_read_stay_below_the_bound(policy: Policy, size: int) -> None:
    runs = 60 if size < 20_000 else 30
    async with Stage(working_bytes=4 * MIB) as stage:
        memory = stage.runs.memory
        started = []
        for _ in range(runs):
            started.append(await stage.start(flood(size), policy))
            started[-1].attach()
        await settle()
        each = RUN_BYTES + max(UNCOUNTED, size + ENTRY_BYTES + UNCOUNTED)
        assert memory.limit * SHORT < memory.held < memory.limit * SHORT + runs * each
        assert all(run.code is None for run in started), "they wait"
        await stage.start(waits)  # there is room for others
        for run in started:
            run.stop(Cancelled("enough"))
        await asyncio.gather(*(run.stopped() for run in started))


@pytest.mark.parametrize("policy", [PLAIN_POST, PLAIN_EVENTSOURCE, MCP_2025_11_25], ids=lambda row: row.name)
@pytest.mark.parametrize("size", [1, 1000, 20_000])
@on_loop_clock
async def test_a_reader_that_reads_gets_everything_and_holds_little(policy: Policy, size: int) -> None:
    async with Stage(working_bytes=2 * MIB) as stage:
        await over_the_mark(stage)
        before = stage.runs.memory.held
        run = await stage.start(flood(size, 1500), policy)
        reader = run.attach()
        seen, most = 0, 0
        while (batch := await asyncio.wait_for(reader.next(float("inf")), SECONDS)) is not None:
            seen += len(batch)
            most = max(most, stage.runs.memory.held - before)
        assert (seen, run.code) == (1502, "complete")
        assert most < RUN_BYTES + 2 * (size + ENTRY_BYTES + UNCOUNTED)
        reader.close()


@on_loop_clock
async def test_a_tool_that_waited_at_one_event_goes_on_as_before_when_memory_falls() -> None:
    async with Stage(working_bytes=2 * MIB) as stage:
        first = await stage.start(waits, body=b"x" * (MIB * 4 // 5))
        run = await stage.start(flood(1000), PLAIN_POST)
        reader = run.attach()
        for _ in range(5):
            await take(reader)
            await settle()
        held = run.events
        await take(reader)
        await settle()
        assert run.events == held + 1
        first.stop(Cancelled("enough"))
        await first.stopped()
        for _ in range(3):
            await take(reader)
            await settle()
        assert run.events > held + 200


@on_loop_clock
async def test_who_comes_back_to_what_was_dropped_is_told() -> None:
    async with Stage(working_bytes=2 * MIB) as stage:
        await over_the_mark(stage)
        run = await stage.start(flood(1000, 300), PLAIN_EVENTSOURCE)
        await read_to_end(run.attach())
        with pytest.raises(Purged):
            await take(run.attach(1))
        recent = [shown(entry)["n"] for entry in await read_to_end(run.attach(300))]
        assert recent == [301, 302]


# --- nobody is waited for --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 1000, 20_000])
@on_loop_clock
async def test_a_run_that_waits_for_nobody_keeps_the_newest_alone(size: int) -> None:
    async with Stage(working_bytes=2 * MIB) as stage:
        await over_the_mark(stage)
        before = stage.runs.memory.held
        run = await stage.start(flood(size, 2000), PLAIN_DETACHED)
        most = 0
        while not run.over:
            await asyncio.sleep(0)
            most = max(most, stage.runs.memory.held - before)
        assert run.code == "complete"
        assert most < 2 * SHORT_BYTES + 2 * (size + UNCOUNTED)
        assert stage.runs.memory.held == before
        assert run.held < 3 * SHORT_BYTES
        assert (await read_to_end(run.follow(run.events - 1)))[-1].event.type is EventType.COMPLETE


@on_loop_clock
async def test_what_nobody_can_wait_for_ends_a_quarter_above_the_bound() -> None:
    async with Stage(working_bytes=MIB) as stage:
        memory = stage.runs.memory
        runs = [await stage.start(flood(50_000), PLAIN_DETACHED) for _ in range(40)]
        most = 0
        for _ in range(2000):
            await asyncio.sleep(0)
            most = max(most, memory.held)
        assert MIB < most <= MIB * MOST + len(runs) * UNCOUNTED
        ended = [run for run in runs if run.ended]
        assert {run.code for run in ended} == {"overloaded"}
        assert 0 < len(ended) < len(runs)
        assert (await error_of(ended[0]))["message"].startswith("The run was ended: the runs that are being worked on")


@pytest.mark.parametrize("size", [300_000, 3 * MIB])
@on_loop_clock
async def test_a_result_that_there_is_no_memory_for_is_an_error(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "THREAD_BYTES", 2 * size)  # the loop's clock would run away while a thread works

    async def large() -> str:
        return "x" * size

    async with Stage(working_bytes=MIB) as stage:
        await stage.start(waits, body=b"x" * (MIB // 2 - 10_000))
        run = await stage.start(large, PLAIN_DETACHED)
        await run.stopped()
        assert run.code == "overloaded"
        assert stage.runs.memory.held < MIB


@on_loop_clock
async def test_a_result_that_a_stalled_reader_holds_is_counted() -> None:
    async def large() -> str:
        return "x" * 300_000

    async with Stage() as stage:
        run = await stage.start(large, PLAIN_POST)
        reader = run.attach()
        await run.stopped()
        assert 300_000 < stage.runs.memory.held < 310_000
        reader.close()
        assert stage.runs.memory.held == 0
