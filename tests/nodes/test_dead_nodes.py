"""Nodes that die, nodes that are thought dead and come back, and a log that is away for a while."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from loop_clock import on_loop_clock
from nodes_stage import EVENTS, KEY, RUNS, Site, Stream, nodes, settle, value

from mcp_app.eventlog.shared import LEASE_SECONDS

TAKEN_OVER_WITHIN = 20.0


@on_loop_clock
async def test_the_runs_of_a_dead_node_are_ended_by_another_within_20_seconds() -> None:
    async with nodes() as (here, there):
        run = await here.start("walk")
        here.play.step(2)
        stream = await there.follow(run["id"])
        await stream.until(3)
        await here.die()
        died = asyncio.get_running_loop().time()
        events = await stream.rest()
        assert asyncio.get_running_loop().time() - died <= TAKEN_OVER_WITHIN
        assert stream.numbers == [1, 2, 3, 4]
        assert events[-1]["error"]["code"] == "interrupted"
        state = await there.state(run["id"])
        assert (state["state"], state["error"]["code"]) == ("error", "interrupted")
        assert there.node.counts.taken_over == 1


@on_loop_clock
async def test_each_run_of_a_dead_node_is_taken_over_once() -> None:
    async with nodes(4) as sites:
        runs = [(await sites[0].start("walk"))["id"] for _ in range(250)]
        await sites[0].die()
        await asyncio.sleep(TAKEN_OVER_WITHIN)
        assert sum(site.node.counts.taken_over for site in sites[1:]) == 250
        for run in runs:
            state = await sites[1].state(run)
            assert (state["error"]["code"], state["metadata"]["events"]) == ("interrupted", 2)


@on_loop_clock
async def test_a_node_that_was_cut_off_stops_its_runs_and_comes_back_as_another() -> None:
    async with nodes() as (here, there):
        run = await here.start("walk")
        here.play.step(1)
        own, remote = await here.follow(run["id"]), await there.follow(run["id"])
        await own.until(2)
        before = here.node.id
        here.log.reachable = False
        here.play.step(1)  # which cannot be written, and is not shown
        await own.rest()
        assert own.types == ["started", "progress"], "its stream ends without a last event"
        assert not here.node.present
        await settle(2)
        assert here.play.cancelled == 1
        assert here.runs.working == 0
        assert (await remote.rest())[-1]["error"]["code"] == "interrupted"
        here.log.reachable = True
        await asyncio.sleep(5)
        assert here.node.present
        assert here.node.id != before
        back = await here.follow(run["id"], own.last_id)
        await back.rest()
        assert own.numbers + back.numbers == [1, 2, 3]
        assert back.types == ["error"]
        assert (await here.start("walk"))["state"] == "working"


@on_loop_clock
async def test_a_log_that_is_away_for_less_than_a_lease_costs_a_wait() -> None:
    async with nodes() as (here, there):
        run = await here.start("walk", steps=3)
        stream = await there.follow(run["id"])
        await stream.until(1)
        for site in (here, there):
            site.log.reachable = False
        here.play.step(3)
        await asyncio.sleep(LEASE_SECONDS - 6)
        for site in (here, there):
            site.log.reachable = True
        await stream.rest()
        assert stream.types == ["started", "progress", "progress", "progress", "complete"]
        assert here.node.counts.waits > 0
        assert here.node.counts.lost == 0


@on_loop_clock
async def test_who_was_thought_dead_appends_nothing_once_another_owns_the_run() -> None:
    async with nodes() as (here, there):
        run = await here.start("walk")
        await settle()
        here.node._stop_keeping()  # a process that stands still renews nothing
        await asyncio.sleep(TAKEN_OVER_WITHIN)
        assert (await there.state(run["id"]))["error"]["code"] == "interrupted"
        own = await here.follow(run["id"])
        here.play.step(1)
        await own.rest()
        assert own.types in (["started"], ["started", "error"])
        assert here.play.cancelled == 1
        again = await here.follow(run["id"], own.last_id) if own.types == ["started"] else own
        await again.rest()
        assert again.events[-1]["error"]["code"] == "interrupted"
        assert again.numbers[-1] == 2


@on_loop_clock
async def test_without_the_log_a_start_says_so_and_a_plain_call_is_answered() -> None:
    async with nodes(1) as (here,):
        here.log.reachable = False
        answer = await here.ask("POST", RUNS, {"tool": "walk", "params": {}})
        assert (answer.status, value(answer)["error"]["code"]) == (503, "log_unavailable")
        assert ("Retry-After", "1") in answer.headers
        await settle(10)
        assert here.play.cancelled == 1
        plain = await here.ask("POST", RUNS.replace("runs", "sse"), {"tool": "echo", "params": {"text": "hi"}})
        assert plain.status == 200
        unknown = await here.ask("GET", f"{RUNS}/{'0' * 32}")
        assert unknown.status == 503
        here.log.reachable = True
        await settle(2)
        assert (await here.start("walk"))["state"] == "working"


@on_loop_clock
async def test_a_command_for_a_dead_owner_waits_for_the_take_over() -> None:
    async with nodes() as (here, there):
        run = await here.start("walk")
        await here.die()
        answer = await there.ask("DELETE", f"{RUNS}/{run['id']}")
        assert (answer.status, value(answer)["error"]["code"]) == (200, "interrupted")


@on_loop_clock
async def test_a_node_that_is_stopped_ends_its_runs_for_all_and_leaves() -> None:
    async with nodes() as (here, there):
        run = await here.start("walk")
        elsewhere = await there.start("walk")
        follower = await there.follow(run["id"])
        remote = await here.follow(elsewhere["id"])
        await follower.until(1)
        await remote.until(1)
        began = asyncio.get_running_loop().time()
        await here.close()
        assert asyncio.get_running_loop().time() - began < 10
        assert (await follower.rest())[-1]["error"]["code"] == "shutdown"
        await remote.rest()
        assert remote.types == ["started"], "its run works on elsewhere, where its reader goes on"
        assert await there.log.nodes() == {there.node.id}
        assert (await there.state(elsewhere["id"]))["state"] == "working"


@on_loop_clock
async def test_the_key_of_a_dead_nodes_run_finds_how_it_ended() -> None:
    async with nodes() as (here, there):
        await here.listen("walk")
        await here.die()
        stream = await there.listen("walk", key=KEY)
        assert (await stream.rest())[-1]["error"]["code"] == "interrupted"


def _forget_behind(site: Site, run: str, last: int) -> None:
    """What a failover does: a replica takes over that had the first entries only."""
    log = site.log._shared.runs[run]
    del log.entries[last:]
    log.record = replace(log.record, last=last, end=log.entries[-1].end, code=None, until=None)


@on_loop_clock
async def test_what_a_failover_has_lost_of_quiet_and_of_ended_runs_is_appended_again() -> None:
    async with nodes() as (here, there):
        quiet, ended = await here.start("walk"), await here.start("echo", text="x")
        here.play.step(3)
        await settle()
        assert (await there.state(ended["id"]))["state"] == "complete"
        here.log.reachable = False
        _forget_behind(here, quiet["id"], 2)
        _forget_behind(here, ended["id"], 1)
        await asyncio.sleep(2)
        here.log.reachable = True
        await asyncio.sleep(6)
        stream = await there.follow(quiet["id"])
        await stream.until(4)
        assert stream.numbers == [1, 2, 3, 4]
        assert (await there.state(ended["id"]))["state"] == "complete"
        assert here.node.counts.lost == 0


@on_loop_clock
async def test_where_the_owner_has_died_too_its_readers_are_told_purged_and_never_see_a_hole() -> None:
    async with nodes() as (here, there):
        run = await here.start("walk")
        here.play.step(3)
        before = await here.follow(run["id"])
        await before.until(4)
        _forget_behind(here, run["id"], 2)
        await here.die()
        await asyncio.sleep(TAKEN_OVER_WITHIN)
        after = await there.follow(run["id"], before.last_id)
        assert (await after.rest())[-1]["error"]["code"] == "purged"
        fresh = await there.follow(run["id"])
        await fresh.rest()
        assert fresh.numbers == [1, 2, 3]
        assert fresh.events[-1]["error"]["code"] == "interrupted"


@on_loop_clock
async def test_a_run_that_cannot_be_completed_again_is_lost_alone() -> None:
    async with nodes() as (here, there):
        lost, kept = await here.start("walk"), await here.start("walk")
        await settle()
        here.log.reachable = False
        log = here.log._shared.runs[lost["id"]]
        log.record = replace(log.record, last=0, end=0)
        log.entries.clear()
        here.runs.known.runs[lost["id"]].log.drop(lost["id"], 1)
        await asyncio.sleep(2)
        here.log.reachable = True
        await asyncio.sleep(6)
        assert here.node.counts.lost == 1
        assert (await there.state(kept["id"]))["state"] == "working"
        assert await here.log.nodes() == {here.node.id, there.node.id}


@on_loop_clock
async def test_who_follows_a_plain_call_while_the_log_is_away_does_not_end_it() -> None:
    async with nodes(1) as (here,):
        own = Stream(await here.ask("POST", EVENTS, {"tool": "walk", "params": {"steps": 1}}))
        await own.until(1)
        here.log.reachable = False
        follower = await here.follow(own.events[0]["metadata"]["run"])
        here.play.step(1)
        assert (await own.rest())[-1]["type"] == (await follower.rest())[-1]["type"] == "complete"
        here.log.reachable = True
