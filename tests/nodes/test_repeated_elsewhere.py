"""A call with an idempotency key that is sent again to another node: it is worked on once, its result is had there."""

from __future__ import annotations

import asyncio
from typing import Any

from loop_clock import on_loop_clock
from nodes_stage import EVENTS, RUNS, STREAM, Site, Stream, nodes, settle, value

from mcp_app.protocol.asking import UrlRequired
from mcp_app.protocol.errors import McpAppError
from mcp_app.web.messages import Answer

KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"
META = "io.modelcontextprotocol/"
VERSION = "2026-07-28"
NAME = "com.example.mcp-app/idempotencyKey"


async def post(
    site: Site, steps: int = 3, path: str = EVENTS, tool: str = "walk", accept: str = "application/json"
) -> Answer:
    params = {"steps": steps} if tool == "walk" else {"lines": steps}
    return await site.ask("POST", path, {"tool": tool, "params": params}, accept=accept, idempotency_key=KEY)


async def call(site: Site, steps: int = 3, tool: str = "walk", **capabilities: Any) -> dict[str, Any]:
    meta = {f"{META}protocolVersion": VERSION, f"{META}clientCapabilities": capabilities, NAME: KEY}
    params = {"name": tool, "arguments": {"steps": steps}, "_meta": meta}
    body = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
    fields = {"mcp_protocol_version": VERSION, "mcp_method": "tools/call", "mcp_name": tool}
    return value(await site.ask("POST", "/mcp", body, accept="application/json", **fields))


@on_loop_clock
async def test_it_is_joined_at_another_node_and_found_there_after_its_end() -> None:
    async with nodes() as (here, there):
        first, second = asyncio.create_task(post(here)), asyncio.create_task(post(there))
        await settle(2)
        stream = Stream(await post(there, accept=STREAM))
        here.play.step(3)
        answers = [value(await first), value(await second), value(await post(there)), value(await post(here))]
        assert [each["data"] for each in answers] == [{"walked": 3}] * 4
        assert len({each["metadata"]["run"] for each in answers}) == 1
        await stream.rest()
        assert stream.types == ["started", "progress", "progress", "progress", "complete"]
        assert here.runs.started + there.runs.started == 1


@on_loop_clock
async def test_another_call_with_the_key_is_refused_at_every_node() -> None:
    async with nodes() as (here, there):
        here.play.step(3)
        await post(here)
        for answer in (await post(there, 4), await post(there, 3, RUNS)):
            assert (answer.status, value(answer)["error"]["code"]) == (422, "idempotency_key_reused")


@on_loop_clock
async def test_who_leaves_one_node_and_comes_back_at_another() -> None:
    async with nodes(linger_seconds=10) as (here, there):
        first = Stream(await post(here, accept=STREAM))
        await first.until(1)
        first.leave()
        await asyncio.sleep(5)
        second = asyncio.create_task(post(there))
        await asyncio.sleep(20)  # longer than it waits for nobody
        here.play.step(3)
        assert value(await second)["data"] == {"walked": 3}


@on_loop_clock
async def test_its_node_dies() -> None:
    """The tool may have done a part of its work: that is its result, at every node, and no second run."""
    async with nodes() as (here, there):
        lost = asyncio.create_task(post(here))
        await settle(2)
        here.play.step(1)
        await settle(2)
        await here.die()
        lost.cancel()
        await asyncio.wait({lost})
        answers = [await post(there) for _ in range(2)]
        assert [(each.status, value(each)["error"]["code"]) for each in answers] == [(503, "interrupted")] * 2
        assert there.runs.started == 0


@on_loop_clock
async def test_a_detached_run_is_started_once() -> None:
    async with nodes() as (here, there):
        answers = await asyncio.gather(*(post(site, 3, RUNS) for site in (here, there, here, there)))
        assert {each.status for each in answers} == {202}
        assert len({value(each)["id"] for each in answers}) == 1


@on_loop_clock
async def test_the_result_is_had_although_the_beginning_is_kept_no_more() -> None:
    async with nodes() as (here, there):
        await post(here, 3000, tool="flood")
        found = value(await post(there, 3000, tool="flood"))
        assert (found["data"], found["progress"], found["metadata"]["items"]) == (3000, [], 3000)


@on_loop_clock
async def test_by_mcp() -> None:
    async with nodes() as (here, there):
        first, second = asyncio.create_task(call(here)), asyncio.create_task(call(there))
        await settle(2)
        here.play.step(3)
        answers = [await first, await second, await call(there)]
        assert [each["result"]["content"][0]["text"] for each in answers] == ['{"walked":3}'] * 3
        refused = await call(there, 4)
        assert refused["error"]["data"]["code"] == "idempotency_key_reused"
        assert here.runs.started + there.runs.started == 1


@on_loop_clock
async def test_a_run_that_was_no_result_of_its_call_gives_its_key_away() -> None:
    """-32042: the caller opens pages, and makes the same call again."""

    class Pages(McpAppError):
        code, status = UrlRequired.code, 400

    async with nodes() as (here, there):
        first = asyncio.create_task(post(here))
        await settle(2)
        [run] = here.runs.at_work
        run.stop(Pages("Look."))
        assert value(await first)["error"]["code"] == UrlRequired.code
        second = asyncio.create_task(post(there))
        await settle(2)
        here.play.step(3)
        assert value(await second)["data"] == {"walked": 3}
        assert there.runs.started == 1
        assert value(await post(here))["data"] == {"walked": 3}
