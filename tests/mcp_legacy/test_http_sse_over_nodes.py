"""HTTP+SSE over two nodes: the stream is one node's, and messages that come to the other are worked on there."""

from __future__ import annotations

import asyncio

from http_sse_client import Old, connected
from legacy_client import call
from loop_clock import on_loop_clock
from sessions_stage import sites

from mcp_app.eventlog.shared import LEASE_SECONDS, RENEW_SECONDS


def at(client: Old, stage: object) -> Old:
    """The same client, whose messages come to another node from now on: a copy of it."""
    other = Old(stage, client.events, client.address)  # type: ignore[arg-type]
    other.ids = client.ids = client.ids + 1000
    return other


@on_loop_clock
async def test_messages_that_come_to_the_other_node_are_answered_on_the_stream() -> None:
    async with sites() as (here, there):
        client = await connected(here)
        other = at(client, there)
        assert (await other.request("ping"))["result"] == {}
        result = await other.result("tools/call", {"name": "add", "arguments": {"a": 1, "b": 2}})
        assert result["content"][0]["text"] == "3"
        assert (here.runs.started, there.runs.started) == (1, 0)
        assert await other.send({"jsonrpc": "2.0", "id": 5, "method": 7}) == 202
        assert "error" in await client.events.message()


@on_loop_clock
async def test_a_call_is_cancelled_and_asks_over_the_other_node() -> None:
    async with sites() as (here, there):
        client = await connected(here)
        other = at(client, there)
        assert await other.send(call("tools/call", {"name": "steps", "arguments": {"n": 3}}, 77)) == 202
        await asyncio.wait_for(here.begun.wait(), 10)
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 77}}
        assert await other.send(cancelled) == 202
        await asyncio.wait_for(here.cancelled.wait(), 10)


@on_loop_clock
async def test_notifications_of_the_other_node_come_on_the_stream() -> None:
    async with sites() as (here, there):
        client = await connected(here)
        other = at(client, there)
        await other.result("resources/subscribe", {"uri": "test://text"})
        there.resources.updated("test://text")
        assert (await client.events.message())["params"] == {"uri": "test://text"}


@on_loop_clock
async def test_the_session_ends_with_its_stream_and_with_its_node() -> None:
    async with sites(3) as (here, there, third):
        client, dying = await connected(here), await connected(there)
        client.events.leave()
        await asyncio.sleep(1)
        assert await at(client, there).send(call("ping")) == 404
        assert await at(client, here).send(call("ping")) == 404
        await there.die()
        await asyncio.sleep(LEASE_SECONDS + RENEW_SECONDS)
        assert await at(dying, third).send(call("ping")) == 404
        assert [len(each.endpoint.sessions) for each in (here, third)] == [0, 0]


@on_loop_clock
async def test_a_session_of_a_node_that_stops_ends() -> None:
    async with sites() as (here, there):
        client = await connected(here)
        await here.close()
        assert await client.events.next() is None
        assert await at(client, there).send(call("ping")) == 404
