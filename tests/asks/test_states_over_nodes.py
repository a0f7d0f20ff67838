"""A round of questions over two nodes: its state is opened on either, and one that is used once is used on one of them;
and a change on one node is told to the subscribers of the other."""

from __future__ import annotations

import asyncio
from typing import Any

from asks_nodes import Listened, NodeServer, servers
from asks_stage import Said, accepted
from loop_clock import on_loop_clock
from pydantic import BaseModel, SecretStr

from mcp_app import Context, resource, tool
from mcp_app.config.settings import Settings
from mcp_app.dialects.mcp.stateless.request_state import STATE_SECONDS, States
from mcp_app.eventlog.memory import MemoryLog

FILTER = {"resourceSubscriptions": ["test://watched"], "toolsListChanged": True}


class Name(BaseModel):
    name: str


@tool(task="never")
async def greets(ctx: Context) -> str:
    return f"Hello {(await ctx.ask(Name, 'Who?', key='who')).name}"


@tool(task="never", once=True)
async def pays(ctx: Context) -> str:
    """Its state can be used once."""
    return f"paid by {(await ctx.ask(Name, 'Who?', key='who')).name}"


@resource("test://watched")
def watched() -> str:
    return "seen"


async def answered(server: NodeServer, name: str, state: str) -> Said:
    more = {"inputResponses": {"who": accepted(name="Ada")}, "requestState": state}
    return await server.said("tools/call", name=name, arguments={}, **more)


@on_loop_clock
async def test_a_round_is_asked_on_one_node_and_answered_on_the_other() -> None:
    async with servers(greets) as (here, there):
        asked = await here.said("tools/call", name="greets", arguments={})
        assert (await answered(there, "greets", asked.state)).text == "Hello Ada"
        assert (await answered(here, "greets", asked.state)).text == "Hello Ada"


@on_loop_clock
async def test_a_state_that_is_used_once_is_used_on_one_of_the_nodes() -> None:
    async with servers(pays, count=3) as nodes:
        asked = await nodes[0].said("tools/call", name="pays", arguments={})
        said = await asyncio.gather(*(answered(each, "pays", asked.state) for each in (*nodes, *nodes)))
        assert sorted("result" in each.message for each in said) == [False] * 5 + [True]
        assert {each.error["data"]["reason"] for each in said if "error" in each.message} == {"used"}


@on_loop_clock
async def test_a_claim_outlives_the_node_that_made_it() -> None:
    async with servers(pays) as (here, there):
        asked = await here.said("tools/call", name="pays", arguments={})
        assert (await answered(here, "pays", asked.state)).text == "paid by Ada"
        await here.die()
        assert (await answered(there, "pays", asked.state)).error["data"]["reason"] == "used"


@on_loop_clock
async def test_without_the_log_a_state_that_is_used_once_is_not_used() -> None:
    async with servers(pays) as (here, there):
        asked = await here.said("tools/call", name="pays", arguments={})
        there.log.reachable = False
        assert (await answered(there, "pays", asked.state)).error["data"]["code"] == "log_unavailable"
        there.log.reachable = True
        assert (await answered(there, "pays", asked.state)).text == "paid by Ada"


@on_loop_clock
async def test_a_claim_whose_answer_was_lost_is_the_same_claim() -> None:
    async with servers() as (here, _):
        settings = Settings(secret=SecretStr("a-secret-of-the-tests-long-enough"))
        states = States(settings, MemoryLog(), here.here, random=lambda count: b"x" * count)
        await states.consume("text")
        await states.consume("text")  # the same random value: this very claim, again
        await asyncio.sleep(STATE_SECONDS)
        await States(settings, MemoryLog(), here.here).consume("text")


@on_loop_clock
async def test_a_change_is_told_to_the_subscribers_of_every_node() -> None:
    async with servers(greets, resources=[watched], count=3) as nodes:
        streams = [Listened(await each.ask("subscriptions/listen", {"notifications": FILTER})) for each in nodes]
        for each in streams:
            assert (await each.next())["method"] == "notifications/subscriptions/acknowledged"
        nodes[1].resources.updated("test://watched")
        for each in streams:
            assert (await each.next())["params"]["uri"] == "test://watched"
        await nodes[1].die()
        nodes[2].resources.updated("test://watched")
        assert (await streams[0].next())["params"]["uri"] == "test://watched"


@on_loop_clock
async def test_a_change_that_could_not_be_told_is_told_later() -> None:
    async with servers(greets, resources=[watched]) as (here, there):
        stream = Listened(await there.ask("subscriptions/listen", {"notifications": FILTER}))
        await stream.next()
        here.log.reachable = False
        for _ in range(3):
            here.resources.updated("test://watched")
            await asyncio.sleep(1)
        here.log.reachable = True
        assert (await stream.next())["params"]["uri"] == "test://watched"
        waiting: Any = asyncio.create_task(stream.next())
        await asyncio.sleep(10)
        assert not waiting.done(), "changes of one subject are told once"
        waiting.cancel()
