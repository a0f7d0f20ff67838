"""The plain dialect over two nodes: what is started on one is followed, resumed, cancelled and shown on the other."""

from __future__ import annotations

import asyncio

from loop_clock import on_loop_clock
from nodes_stage import EVENTS, KEY, RUNS, nodes, settle, value

from mcp_app.protocol.policy import WINDOW_ENTRIES


@on_loop_clock
async def test_a_run_is_followed_and_shown_on_the_other_node() -> None:
    async with nodes() as (here, there):
        run = await here.start("walk", steps=3)
        assert (await there.state(run["id"]))["state"] == "working"
        stream = await there.follow(run["id"])
        here.play.step(3)
        events = await stream.rest()
        assert stream.types == ["started", "progress", "progress", "progress", "complete"]
        assert stream.numbers == [1, 2, 3, 4, 5]
        assert events[-1]["data"] == {"walked": 3}
        ended, own = await there.state(run["id"]), await here.state(run["id"])
        assert ended == own
        assert (ended["state"], ended["data"]) == ("complete", {"walked": 3})


@on_loop_clock
async def test_a_stream_is_resumed_on_the_other_node() -> None:
    async with nodes() as (here, there):
        first = await here.listen("walk", steps=4)
        here.play.step(2)
        await first.until(3)
        first.leave()
        second = await there.listen("walk", after=first.last_id, steps=4)
        here.play.step(2)
        await second.rest()
        assert first.numbers + second.numbers == [1, 2, 3, 4, 5, 6]
        assert second.types[-1] == "complete"
        again = await there.ask("GET", f"{EVENTS}?tool=walk&run={KEY}&steps=4", last_event_id=second.last_id)
        assert again.status == 204


@on_loop_clock
async def test_a_run_is_cancelled_on_the_other_node() -> None:
    async with nodes() as (here, there):
        run = await here.start("walk")
        stream = await here.follow(run["id"])
        answer = await there.ask("DELETE", f"{RUNS}/{run['id']}")
        assert answer.status in {200, 202}
        events = await stream.rest()
        assert events[-1]["error"]["code"] == "cancelled"
        await settle()
        assert here.play.cancelled == 1
        assert (await there.state(run["id"]))["error"]["code"] == "cancelled"
        again = await there.ask("DELETE", f"{RUNS}/{run['id']}")
        assert (again.status, value(again)["state"]) == (200, "error")


@on_loop_clock
async def test_a_plain_call_is_not_published() -> None:
    async with nodes() as (here, there):
        answer = await here.ask("POST", EVENTS, {"tool": "echo", "params": {"text": "hi"}})
        assert answer.status == 200
        assert here.node.counts.published == 0
        unknown = await there.ask("GET", f"{RUNS}/{'0' * 32}")
        assert (unknown.status, value(unknown)["error"]["code"]) == (404, "unknown_run")


@on_loop_clock
async def test_two_requests_with_one_key_start_one_run() -> None:
    async with nodes() as (here, there):
        first, second = await asyncio.gather(here.listen("walk", steps=2), there.listen("walk", steps=2))
        assert here.runs.working + there.runs.working == 1
        here.play.step(2)
        assert await first.rest() == await second.rest()
        assert first.types == ["started", "progress", "progress", "complete"]


@on_loop_clock
async def test_a_key_of_another_call_is_a_conflict_on_the_other_node() -> None:
    async with nodes() as (here, there):
        await here.listen("walk", steps=2)
        answer = await there.ask("GET", f"{EVENTS}?tool=walk&run={KEY}&steps=3", accept="text/event-stream")
        assert (answer.status, value(answer)["error"]["code"]) == (409, "run_conflict")


@on_loop_clock
async def test_a_key_whose_run_is_forgotten_starts_another() -> None:
    async with nodes(keep_seconds=5, cap_seconds=10) as (here, there):
        first = await here.listen("echo", text="x")
        await first.rest()
        await asyncio.sleep(12)
        second = await there.listen("echo", text="x")
        await second.rest()
        assert second.types == ["started", "complete"]
        assert first.events[0]["metadata"]["run"] != second.events[0]["metadata"]["run"]


# --- leaving, lingering, the window ----------------------------------------------------------------------------------


@on_loop_clock
async def test_who_left_on_one_node_and_came_back_on_the_other_keeps_the_run() -> None:
    async with nodes(linger_seconds=20) as (here, there):
        first = await here.listen("walk")
        await first.until(1)
        first.leave()
        await asyncio.sleep(10)
        second = await there.listen("walk", after=first.last_id)
        await asyncio.sleep(60)
        assert here.runs.working == 1, "its reader is there, on the other node"
        second.leave()
        await asyncio.sleep(10)
        assert here.runs.working == 1, "it lingers"
        await asyncio.sleep(11)
        assert here.runs.working == 0
        assert (await there.state(first.events[0]["metadata"]["run"]))["error"]["code"] == "left"


@on_loop_clock
async def test_a_remote_reader_that_is_not_heard_of_has_left() -> None:
    async with nodes(3, linger_seconds=20) as (here, there, elsewhere):
        first = await here.listen("walk")
        await first.until(1)
        second = await there.listen("walk", after=first.last_id)
        await settle()
        first.leave()
        await there.die()
        await asyncio.sleep(20)
        assert here.runs.working == 1, "its lease was over some 15 s after its death, and then it lingers"
        await asyncio.sleep(20)
        assert here.runs.working == 0
        assert second.types[1:] in ([], ["error"])
        assert (await elsewhere.state(first.events[0]["metadata"]["run"]))["error"]["code"] == "left"


@on_loop_clock
async def test_a_tool_is_at_most_a_window_ahead_of_a_reader_on_another_node() -> None:
    async with nodes() as (here, there):
        first = await here.listen("flood", lines=2000)
        await first.until(1)
        first.leave()
        second = await there.listen("flood", after=first.last_id, lines=2000)
        await settle(30)
        said = here.play.said
        assert said <= first.numbers[-1] + WINDOW_ENTRIES
        while second.numbers[-1:] != [2002]:
            await second.read()
            await settle(1)
            assert here.play.said <= second.numbers[-1] + WINDOW_ENTRIES
        assert first.numbers + second.numbers == list(range(1, 2003))
        assert second.types[-1] == "complete"


@on_loop_clock
async def test_a_remote_reader_reaches_its_cap() -> None:
    async with nodes(cap_seconds=30) as (here, there):
        first = await here.listen("walk")
        await first.until(1)
        second = await there.listen("walk", after=first.last_id)
        await second.rest()
        assert second.events[-1]["error"]["code"] == "time_cap"
        assert here.runs.working == 0
