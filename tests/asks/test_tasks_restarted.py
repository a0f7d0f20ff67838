"""Tasks whose process is gone begin again in another, with their answers; a repeated call finds its task anywhere."""

from __future__ import annotations

import asyncio
from typing import Any

from asks_nodes import NodeServer, servers
from asks_stage import accepted
from loop_clock import on_loop_clock
from pydantic import BaseModel

from mcp_app import Context, Declined, tool

WITHIN = 20.0
KEY = {"com.example.mcp-app/idempotencyKey": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
begun: list[str] = []


class Name(BaseModel):
    name: str


@tool(task="must", idempotent=True, interrupted="restart")
async def greets(ctx: Context) -> str:
    """Asks, and asks again."""
    begun.append("greets")
    number = await ctx.once("number", lambda: len(begun))
    first = await ctx.ask(Name, "First name?", key="first")
    last = await ctx.ask(Name, "Last name?", key="last")
    return f"Hello {first.name} {last.name}, {number}"


@tool(task="must", idempotent=True, interrupted="restart")
async def declined(ctx: Context) -> str:
    begun.append("declined")
    try:
        await ctx.ask(Name, "Really?", key="really")
    except Declined:
        await asyncio.sleep(60)
        return "no"
    return "yes"


@tool(idempotent=True, interrupted="restart")
async def long(ctx: Context) -> str:
    """Becomes a task near the cap."""
    begun.append("long")
    for step in range(20):
        await ctx.partial(step)
        await asyncio.sleep(10)
    return "long"


@tool(task="may")
async def may() -> str:
    begun.append("may")
    await asyncio.sleep(60)
    return "done"


@tool
async def slow() -> str:
    begun.append("slow")
    await asyncio.sleep(200)
    return "slow"


async def answer(server: NodeServer, task: str, key: str, response: Any) -> None:
    await server.said("tasks/update", taskId=task, inputResponses={key: response})


async def begin_again(*sites: NodeServer) -> None:
    begun.clear()
    for each in sites:
        each.here.begin_again_with(each.runs)


@on_loop_clock
async def test_answers_and_what_was_known_once_hold() -> None:
    async with servers(greets) as (here, there):
        await begin_again(here, there)
        task = await here.task("greets")
        await here.until(task, "input_required")
        await answer(here, task, "first", accepted(name="Ann"))
        await asyncio.sleep(1)
        assert (await there.get(task))["inputRequests"].keys() == {"last"}
        await here.die()
        await asyncio.sleep(WITHIN)
        asked = await there.until(task, "input_required")
        assert asked["inputRequests"].keys() == {"last"}, "what was answered is not asked again"
        await answer(there, task, "last", accepted(name="Lee"))
        ended = await there.until(task, "completed")
        assert ended["result"]["content"][0]["text"] == "Hello Ann Lee, 1"
        assert begun == ["greets"] * 2
        assert asked["createdAt"] == ended["createdAt"]


@on_loop_clock
async def test_that_somebody_declined_holds() -> None:
    async with servers(declined) as (here, there):
        await begin_again(here, there)
        task = await here.task("declined")
        await here.until(task, "input_required")
        await answer(here, task, "really", {"action": "decline"})
        await asyncio.sleep(1)
        await here.die()
        await asyncio.sleep(WITHIN)
        assert (await there.get(task))["status"] == "working"
        assert (await there.until(task, "completed"))["result"]["content"][0]["text"] == "no"


@on_loop_clock
async def test_a_call_that_became_a_task_begins_again() -> None:
    async with servers(long) as (here, there):
        await begin_again(here, there)
        task = await here.task("long")
        await here.die()
        ended = await there.until(task, "completed")
        assert ended["result"]["content"][0]["text"] == "long"
        partial = ended["result"]["_meta"]["com.example.mcp-app/partial"]
        assert partial == list(range(20)), "the parts before are none of its own"
        assert begun == ["long"] * 2


@on_loop_clock
async def test_a_repeated_call_finds_its_task_on_the_other_node() -> None:
    async with servers(greets) as (here, there):
        await begin_again(here, there)
        calls = [site.said("tools/call", name="greets", arguments={}, _meta=KEY) for site in (here, there, here)]
        tasks = {(await each).result["taskId"] for each in calls}
        assert len(tasks) == 1
        assert (await there.until(tasks.pop(), "input_required"))["inputRequests"].keys() == {"first"}
        assert begun == ["greets"]


@on_loop_clock
async def test_a_call_that_may_be_a_task_is_one_for_who_repeats_it_elsewhere() -> None:
    async with servers(may) as (here, there):
        await begin_again(here, there)
        first = asyncio.create_task(here.said("tools/call", name="may", arguments={}, _meta=KEY))
        await asyncio.sleep(0.2)
        there_task = (await there.said("tools/call", name="may", arguments={}, _meta=KEY)).result["taskId"]
        assert (await first).result["taskId"] == there_task
        for each in (here, there):
            assert (await each.until(there_task, "completed"))["result"]["content"][0]["text"] == "done"
        assert begun == ["may"]


@on_loop_clock
async def test_a_call_that_becomes_a_task_is_the_same_on_both_nodes() -> None:
    async with servers(slow) as (here, there):
        await begin_again(here, there)
        began = asyncio.get_running_loop().time()
        first = asyncio.create_task(here.said("tools/call", name="slow", arguments={}, _meta=KEY))
        await asyncio.sleep(30)
        second = await there.said("tools/call", name="slow", arguments={}, _meta=KEY)
        assert 110 < asyncio.get_running_loop().time() - began <= 116
        assert (await first).result["taskId"] == second.result["taskId"]
        assert (await there.get(second.result["taskId"]))["status"] == "working"
        for each in (here, there):
            ended = await each.until(second.result["taskId"], "completed")
            assert ended["result"]["content"][0]["text"] == "slow"
        assert begun == ["slow"]
