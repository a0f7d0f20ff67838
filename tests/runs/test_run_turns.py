"""A tool that never waits has the loop for a slice of time, then leaves it to all others for some turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from loop_clock import on_loop_clock
from loop_turns import Others
from runs_stage import SECONDS, Stage

from mcp_app.eventlog.memory import MemoryLog
from mcp_app.protocol.event import Event, EventType
from mcp_app.protocol.policy import PLAIN_DETACHED, Retention
from mcp_app.runs.writer import CLOCK_EVENTS, SLICE_SECONDS, YIELD_TURNS, Writer

EVENT = Event(EventType.LOG, b"1")


class Slices:
    """A writer whose clock goes on by what an event costs its tool."""

    def __init__(self) -> None:
        self.now = 0.0
        self.others = Others()
        self.writer = Writer(MemoryLog(), "a", waits=False, clock=lambda: self.now)

    async def turns(self, count: int, seconds: float) -> list[int]:
        """The turns that the others had after each of so many events, each of which took so long."""
        found = []
        for _ in range(count):
            self.now += seconds
            await self.writer.emit((EVENT,))
            found.append(self.others.since_the_last())
        return found


@asynccontextmanager
async def opened() -> AsyncIterator[Slices]:
    stage = Slices()
    await stage.writer.open(Retention(entries=10, bytes=1000), EVENT)
    with stage.others.busy():
        await asyncio.sleep(0)
        stage.others.since_the_last()
        yield stage


@pytest.mark.parametrize("events", [CLOCK_EVENTS, 2 * CLOCK_EVENTS, 5 * CLOCK_EVENTS])
@on_loop_clock
async def test_after_a_slice_the_others_have_their_turns(events: int) -> None:
    async with opened() as stage:
        turns = await stage.turns(3 * events, 1.001 * SLICE_SECONDS / events)
    assert turns == 3 * [*(events - 1) * [0], YIELD_TURNS]


@on_loop_clock
async def test_a_tool_that_is_slow_itself_gives_way_each_time_it_is_looked_at() -> None:
    async with opened() as stage:
        turns = await stage.turns(3 * CLOCK_EVENTS, 10 * SLICE_SECONDS)
    assert turns == 3 * [*(CLOCK_EVENTS - 1) * [0], YIELD_TURNS]


@on_loop_clock
async def test_a_few_events_cost_no_turn() -> None:
    async with opened() as stage:
        assert await stage.turns(CLOCK_EVENTS - 1, 10 * SLICE_SECONDS) == (CLOCK_EVENTS - 1) * [0]


@on_loop_clock
async def test_time_that_the_others_had_is_not_the_tools() -> None:
    async with opened() as stage:
        await stage.turns(CLOCK_EVENTS, SLICE_SECONDS)
        # While it was away the clock has gone on: by nothing here, and by whatever they did in a server.
        assert await stage.turns(CLOCK_EVENTS, 0.9 * SLICE_SECONDS / CLOCK_EVENTS) == CLOCK_EVENTS * [0]


@on_loop_clock
async def test_a_batch_counts_by_its_events() -> None:
    async with opened() as stage:
        stage.now += SLICE_SECONDS
        await stage.writer.emit((EVENT,) * CLOCK_EVENTS)
        assert stage.others.since_the_last() == YIELD_TURNS


async def test_a_flood_that_waits_for_nobody_holds_nobody_up() -> None:
    async def flood() -> AsyncIterator[int]:
        while True:
            yield 1

    async with Stage() as stage:
        run = await stage.start(flood, PLAIN_DETACHED)
        for _ in range(10 * YIELD_TURNS):
            await asyncio.wait_for(asyncio.sleep(0), SECONDS)
        assert run.events > 2 * CLOCK_EVENTS
