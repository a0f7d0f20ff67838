"""A run whose process is gone begins again in another, where its tool says so: under its id, behind its last event."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from loop_clock import on_loop_clock
from nodes_stage import EVENTS, KEY, RUNS, Play, Site, nodes, settle, value

from mcp_app import Context, tool
from mcp_app.authoring.tool import Tool
from mcp_app.nodes.restarts import MAX_ATTEMPTS

WITHIN = 20.0


class Restartable(Play):
    """Tools that begin again, which wait to be told."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[dict[str, Any]] = []
        self.made = 0

    def tools(self) -> tuple[Tool, ...]:
        play = self

        @tool(read_only=True, interrupted="restart")
        async def walk(ctx: Context, steps: int = 3, who: str = "x") -> dict[str, Any]:
            """Say as many numbers as it is told, from the first on."""
            play.begun.append({"steps": steps, "who": who, "principal": ctx.principal, "trace": ctx.trace.headers()})
            once = await ctx.once("made", play.make)
            for step in range(steps):
                await play.go.get()
                await ctx.progress(step + 1, steps)
            return {"walked": steps, "once": once}

        @tool(read_only=True, interrupted="restart")
        async def parts() -> AsyncIterator[int]:
            play.begun.append({})
            for number in range(3):
                yield number
                await play.go.get()

        @tool(read_only=True, interrupted="restart", time_limit=30)
        async def brief(ctx: Context) -> None:
            play.begun.append({})
            await asyncio.Event().wait()

        @tool(read_only=True, interrupted="restart", at_once=1)
        async def alone(ctx: Context) -> str:
            play.begun.append({})
            await play.go.get()
            return "done"

        return walk, parts, brief, alone

    def make(self) -> int:
        self.made += 1
        return self.made


@asynccontextmanager
async def restarting(count: int = 2, **settings: Any) -> AsyncIterator[list[Site]]:
    async with nodes(count, play=Restartable(), **settings) as sites:
        for site in sites:
            site.node.begin_again_with(site.runs)
        yield sites


def restartable(site: Site) -> Restartable:
    assert isinstance(site.play, Restartable)
    return site.play


@on_loop_clock
async def test_a_detached_run_begins_again_and_its_followers_read_on() -> None:
    async with restarting() as (here, there):
        run = await here.start("walk", steps=3, who="Ann")
        stream = await there.follow(run["id"])
        here.play.step(1)
        await stream.until(2)
        await here.die()
        died = asyncio.get_running_loop().time()
        await stream.until(3)
        assert asyncio.get_running_loop().time() - died <= WITHIN
        for _ in range(3):
            there.play.step(1)
        events = await stream.rest()
        assert stream.types == ["started", "progress", "restarted", "progress", "progress", "progress", "complete"]
        assert stream.numbers == [1, 2, 3, 4, 5, 6, 7]
        assert events[2]["data"] == {"attempt": 2}
        assert events[-1]["data"] == {"walked": 3, "once": 1}, "what was known once holds"
        assert [each["who"] for each in restartable(there).begun] == ["Ann", "Ann"]
        state = await there.state(run["id"])
        assert (state["state"], state["data"], state["created"]) == ("complete", events[-1]["data"], run["created"])
        assert (there.node.counts.restarted, there.node.counts.taken_over) == (1, 0)


@on_loop_clock
async def test_all_of_it_is_read_from_its_start_where_it_works_now() -> None:
    async with restarting() as (here, there):
        run = await here.start("walk", steps=1)
        await settle(2)
        await here.die()
        await asyncio.sleep(WITHIN)
        there.play.step(1)
        stream = await there.follow(run["id"])
        await stream.rest()
        assert stream.types == ["started", "restarted", "progress", "complete"]


@on_loop_clock
async def test_an_event_source_that_comes_back_in_time_holds_it() -> None:
    async with restarting(linger_seconds=40) as (here, there):
        first = await here.listen("walk", steps=2)
        here.play.step(1)
        await first.until(2)
        await here.die()
        await asyncio.sleep(WITHIN)
        second = await there.listen("walk", after=first.last_id, steps=2)
        for _ in range(2):
            there.play.step(1)
        await second.rest()
        assert second.types == ["restarted", "progress", "progress", "complete"]


@on_loop_clock
async def test_one_whose_reader_does_not_come_back_is_cancelled() -> None:
    async with restarting(linger_seconds=10) as (here, there):
        first = await here.listen("walk", steps=2)
        await first.until(1)
        run = first.events[0]["metadata"]["run"]
        await here.die()
        await asyncio.sleep(WITHIN + 11)
        assert there.runs.working == 0
        assert (await there.state(run))["error"]["code"] == "left"


@on_loop_clock
async def test_a_call_with_an_idempotency_key_is_worked_on_to_its_result() -> None:
    async with restarting() as (here, there):
        call = {"tool": "walk", "params": {"steps": 1}}
        fields = {"accept": "application/json", "idempotency_key": KEY}
        lost = asyncio.create_task(here.ask("POST", EVENTS, call, **fields))
        await settle(2)
        await here.die()
        lost.cancel()
        again = asyncio.create_task(there.ask("POST", EVENTS, call, **fields))
        await asyncio.sleep(WITHIN)
        there.play.step(1)
        assert value(await again)["data"] == {"walked": 1, "once": 1}
        assert value(await there.ask("POST", EVENTS, call, **fields))["data"] == {"walked": 1, "once": 1}
        await asyncio.wait({lost})


@on_loop_clock
async def test_the_parts_before_are_no_parts_of_the_result() -> None:
    async with restarting() as (here, there):
        fields = {"accept": "application/json", "idempotency_key": KEY}
        lost = asyncio.create_task(here.ask("POST", EVENTS, {"tool": "parts"}, **fields))
        here.play.step(1)
        await settle(2)
        await here.die()
        lost.cancel()
        await asyncio.sleep(WITHIN)
        for _ in range(3):
            there.play.step(1)
        answer = value(await there.ask("POST", EVENTS, {"tool": "parts"}, **fields))
        assert [each["data"] for each in answer["progress"]] == [{"attempt": 2}, 0, 1, 2]
        assert answer["metadata"]["items"] == 3
        await asyncio.wait({lost})


@on_loop_clock
async def test_who_it_is_for_and_its_trace_hold() -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    async with restarting() as (here, there):
        await here.ask("POST", RUNS, {"tool": "walk"}, traceparent=trace, authorization="Bearer a-secret-of-the-caller")
        await settle(2)
        await here.die()
        await asyncio.sleep(WITHIN)
        first, second = restartable(there).begun
        assert first == second
        assert second["trace"]["traceparent"].split("-")[1] == trace.split("-")[1]
        [record] = [log.record for log in there.log._shared.runs.values()]
        assert b"secret" not in (record.arguments or b"")


@on_loop_clock
async def test_its_time_goes_on() -> None:
    async with restarting() as (here, there):
        run = await here.start("brief")
        await settle(2)
        await here.die()
        await asyncio.sleep(WITHIN)
        assert len(restartable(there).begun) == 2
        await asyncio.sleep(30 - WITHIN + 1)
        assert (await there.state(run["id"]))["error"]["code"] == "time_cap"


@on_loop_clock
async def test_one_that_ends_each_process_ends_at_last() -> None:
    async with restarting() as (here, there):
        run = await here.start("walk")
        await settle(2)
        log = there.log._shared.runs[run["id"]]
        log.record = replace(log.record, attempt=MAX_ATTEMPTS)
        await here.die()
        await asyncio.sleep(WITHIN)
        assert (await there.state(run["id"]))["error"]["code"] == "interrupted"


@on_loop_clock
async def test_it_waits_for_room() -> None:
    async with restarting(max_runs=1) as (here, there):
        run = await here.start("walk", steps=1)
        other = await there.start("walk", steps=1)
        await settle(2)
        await here.die()
        await asyncio.sleep(WITHIN)
        assert (await there.state(run["id"]))["state"] == "working"
        assert len(restartable(there).begun) == 2
        there.play.step(1)
        await asyncio.sleep(WITHIN)
        assert (await there.state(other["id"]))["state"] == "complete"
        assert len(restartable(there).begun) == 3
        there.play.step(1)
        await settle(2)
        assert (await there.state(run["id"]))["state"] == "complete"


@pytest.mark.parametrize(
    "change", [{"arguments": b'{"format": 99}'}, {"arguments": None}, {"policy": "of another release"}]
)
@on_loop_clock
async def test_what_cannot_begin_again_is_interrupted(change: dict[str, Any]) -> None:
    async with restarting() as (here, there):
        run = await here.start("walk")
        await settle(2)
        log = there.log._shared.runs[run["id"]]
        log.record = replace(log.record, **change)
        await here.die()
        await asyncio.sleep(WITHIN)
        assert (await there.log.record(run["id"])).code == "interrupted"


@on_loop_clock
async def test_one_that_was_thought_dead_stops_and_tells_nobody_what_it_knows() -> None:
    async with restarting() as (here, there):
        run = await here.start("walk", steps=1)
        await settle(2)
        here.log.reachable = False
        await asyncio.sleep(WITHIN + 5)
        assert here.runs.working == 0
        here.log.reachable = True
        there.play.step(1)
        await asyncio.sleep(WITHIN)
        assert (await there.state(run["id"]))["data"] == {"walked": 1, "once": 1}
        assert (await here.state(run["id"]))["data"] == {"walked": 1, "once": 1}
        assert json.loads((await there.log.get(f"once/{run['id']}")).value) == {"made": 1}  # type: ignore[union-attr]
