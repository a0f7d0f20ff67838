"""A task over two nodes: each knows its state and takes answers, and subscribers hear of it on any of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asks_nodes import Listened, NodeServer, servers
from asks_stage import accepted
from loop_clock import on_loop_clock
from pydantic import BaseModel

from mcp_app import Context, tool
from mcp_app.eventlog.shared import LEASE_SECONDS, RENEW_SECONDS
from mcp_app.protocol.mcp.jsonrpc import RpcError


class Name(BaseModel):
    name: str


@tool(task="must")
async def greets(ctx: Context) -> str:
    """Asks, and asks again."""
    first = await ctx.ask(Name, "First name?", key="first")
    last = await ctx.ask(Name, "Last name?", key="last")
    return f"Hello {first.name} {last.name}"


@tool(task="must")
async def sleeps(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "done"


@tool(task="must")
async def fails() -> str:
    await asyncio.sleep(5)
    raise ValueError("it went wrong")


@tool(task="must")
async def parts() -> AsyncIterator[str]:
    for each in ("a", "b", "c"):
        await asyncio.sleep(1)
        yield each


@tool
async def long() -> str:
    """Becomes a task near the cap."""
    await asyncio.sleep(200)
    return "long"


TOOLS = (greets, sleeps, fails, parts, long)


async def update(server: NodeServer, task: str, **answers: Any) -> None:
    assert (await server.said("tasks/update", taskId=task, inputResponses=answers)).result["resultType"] == "complete"


@on_loop_clock
async def test_a_task_is_asked_about_and_answered_on_the_other_node() -> None:
    async with servers(*TOOLS) as (here, there):
        task = await here.task("greets")
        asked = await there.until(task, "input_required")
        assert [each["params"]["message"] for each in asked["inputRequests"].values()] == ["First name?"]
        await update(there, task, first=accepted(name="Ada"))
        asked = await there.until(task, "input_required")
        assert list(asked["inputRequests"]) == ["last"], "what was answered is not asked again"
        await update(there, task, last=accepted(name="Lovelace"))
        ended, own = await there.until(task, "completed"), await here.until(task, "completed")
        assert ended["result"]["content"] == [{"type": "text", "text": "Hello Ada Lovelace"}]
        assert {**ended, "lastUpdatedAt": 0} == {**own, "lastUpdatedAt": 0}


@on_loop_clock
async def test_an_answer_on_the_owners_node_is_seen_at_once_on_the_other() -> None:
    async with servers(*TOOLS) as (here, there):
        task = await here.task("greets")
        await there.until(task, "input_required")
        await update(here, task, first=accepted(name="Ada"))
        assert list((await there.until(task, "input_required"))["inputRequests"]) == ["last"]


@on_loop_clock
async def test_the_state_of_a_task_is_the_same_on_each_node() -> None:
    async with servers(*TOOLS) as nodes:
        here, there = nodes
        for name, status in (("sleeps", "completed"), ("fails", "completed"), ("parts", "completed")):
            task = await here.task(name, **({"seconds": 5} if name == "sleeps" else {}))
            assert (await there.get(task))["status"] == "working"
            ended, own = [await each.until(task, status) for each in (there, here)]
            assert ended["result"] == own["result"], name


@on_loop_clock
async def test_a_task_is_cancelled_on_the_other_node() -> None:
    async with servers(*TOOLS) as (here, there):
        task = await here.task("sleeps", seconds=1000)
        assert (await there.said("tasks/cancel", taskId=task)).result["resultType"] == "complete"
        assert (await there.until(task, "cancelled"))["taskId"] == task
        assert (await here.get(task))["status"] == "cancelled"
        assert (await there.said("tasks/cancel", taskId=task)).result["resultType"] == "complete"


@on_loop_clock
async def test_a_call_that_was_promoted_is_a_task_on_the_other_node() -> None:
    async with servers(*TOOLS) as (here, there):
        result = (await here.said("tools/call", name="long", arguments={})).result
        assert result["resultType"] == "task"
        assert (await there.get(result["taskId"]))["status"] == "working"
        ended = await there.until(result["taskId"], "completed")
        assert ended["result"]["content"] == [{"type": "text", "text": "long"}]


@on_loop_clock
async def test_a_subscriber_on_the_other_node_hears_of_each_change() -> None:
    async with servers(*TOOLS) as (here, there):
        task = await here.task("greets")
        await there.until(task, "input_required")
        stream = Listened(await there.ask("subscriptions/listen", {"notifications": {"taskIds": [task]}}))
        assert (await stream.next())["params"]["notifications"] == {"taskIds": [task]}
        assert (await stream.next())["params"]["status"] == "input_required"
        await update(here, task, first=accepted(name="Ada"))
        await update(here, task, last=accepted(name="Lovelace"))
        async with asyncio.timeout(60):
            while (message := await stream.next())["params"]["status"] != "completed":
                pass
        assert message["params"]["result"]["content"][0]["text"] == "Hello Ada Lovelace"


@on_loop_clock
async def test_a_task_whose_node_dies_has_failed_and_its_subscriber_is_told() -> None:
    async with servers(*TOOLS) as (here, there):
        task = await here.task("sleeps", seconds=1000)
        stream = Listened(await there.ask("subscriptions/listen", {"notifications": {"taskIds": [task]}}))
        assert [(await stream.next())["method"] for _ in range(2)][1] == "notifications/tasks"
        await here.die()
        assert (await there.get(task))["status"] == "working", "until it is missed"
        await asyncio.sleep(LEASE_SECONDS + RENEW_SECONDS)
        failed = await there.get(task)
        assert failed["status"] == "failed"
        assert failed["error"]["data"]["code"] == "interrupted"
        message = await stream.next()
        assert (message["params"]["taskId"], message["params"]["status"]) == (task, "failed")


@on_loop_clock
async def test_a_task_of_somebody_else_is_not_known_on_any_node() -> None:
    async with servers(*TOOLS) as (here, there):
        task = await here.task("greets")
        for each in (here, there):
            tasks = each.endpoint.speaker._tasks
            for method in (tasks.get, tasks.cancel, tasks.update):
                with pytest.raises(RpcError, match="not known"):
                    await method({"taskId": task, "inputResponses": {}}, "somebody else")
            assert await tasks.known([task], "somebody else") == []
        assert (await there.until(task, "input_required"))["taskId"] == task


@on_loop_clock
async def test_a_call_that_is_repeated_at_the_other_node_is_the_same_task() -> None:
    async with servers(*TOOLS) as (here, there):
        key = {"_meta": {"com.example.mcp-app/idempotencyKey": "a-key-of-sixteen-characters"}}
        tasks = []
        for each in (here, there, here):
            result = (await each.said("tools/call", name="sleeps", arguments={"seconds": 100}, **key)).result
            assert result["resultType"] == "task"
            tasks.append(result["taskId"])
        assert len(set(tasks)) == 1
        assert (here.runs.started, there.runs.started) == (1, 0)
        await there.until(tasks[0], "completed")
        again = (await there.said("tools/call", name="sleeps", arguments={"seconds": 100}, **key)).result
        assert again["content"] == [{"type": "text", "text": "done"}]


@pytest.mark.parametrize("unreachable", [True, False])
def test_while_the_log_cannot_be_reached(unreachable: bool) -> None:
    @on_loop_clock
    async def scene() -> None:
        async with servers(*TOOLS) as (here, there):
            task = await here.task("sleeps", seconds=5)
            there.log.reachable = not unreachable
            said = await there.said("tasks/get", taskId=task)
            assert said.status == (503 if unreachable else 200)
            there.log.reachable = True
            assert (await there.until(task, "completed"))["result"]["content"][0]["text"] == "done"

    scene()
