"""A session of MCP 2025-11-25 over two nodes: each takes any of its requests, and the client hears of all of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from legacy_client import Client, Events, decoded
from loop_clock import on_loop_clock
from sessions_stage import at, sites

from mcp_app.eventlog.shared import LEASE_SECONDS, RENEW_SECONDS
from mcp_app.protocol.access import ANONYMOUS, Access

UPDATED = {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": "test://text"}}
SUBSCRIBED = {"uri": "test://text"}


async def listening(client: Client, last_event_id: str | None = None) -> Events:
    """The client's own stream, of which the first event is its primer."""
    events = Events(await client.get(last_event_id))
    await events.next()
    return events


async def numbered(events: Events) -> tuple[str, Any]:
    event = await events.next()
    assert event is not None, events.raw
    return event.id, json.loads(event.data)


@on_loop_clock
async def test_a_session_that_began_on_one_node_calls_on_the_other() -> None:
    async with sites() as (here, there):
        client = await here.client()
        other = at(client, there)
        assert await other.result("ping") == {}
        answer = decoded(await other.tool("add", a=1, b=2))
        assert answer["result"]["content"][0]["text"] == "3"
        assert (here.runs.started, there.runs.started) == (0, 1)


@on_loop_clock
async def test_a_change_on_one_node_is_told_on_the_stream_of_the_other() -> None:
    async with sites() as (here, there):
        client = await here.client()
        own = await listening(client)
        other = at(client, there)
        assert await other.result("resources/subscribe", SUBSCRIBED) == {}
        await other.tool("changes")
        assert await own.message() == UPDATED
        await client.result("resources/unsubscribe", SUBSCRIBED)
        await other.tool("changes")
        there.tools.remove(there.tools.get("add", ANONYMOUS))
        assert (await own.message())["method"] == "notifications/tools/list_changed"


@on_loop_clock
async def test_the_level_that_was_set_on_one_node_holds_on_the_other() -> None:
    async with sites() as (here, there):
        client = await here.client()
        await client.result("logging/setLevel", {"level": "error"})
        assert decoded(await at(client, there).tool("says"))["result"]["content"][0]["text"] == "said"
        await at(client, there).result("logging/setLevel", {"level": "debug"})
        messages = await Events(await client.tool("says")).rest()
        assert [each["params"]["level"] for each in messages[:-1]] == ["debug", "warning"]


@on_loop_clock
async def test_what_was_not_heard_on_one_node_is_heard_on_the_other() -> None:
    """The messages go with the stream, and their numbers go on."""
    async with sites() as (here, there):
        client = await here.client()
        await client.result("resources/subscribe", SUBSCRIBED)
        own = await listening(client)
        await client.tool("changes")
        first, message = await numbered(own)
        assert message == UPDATED
        own.leave()
        await client.tool("changes")  # nobody listens
        other = at(client, there)
        again = await listening(other)
        second, message = await numbered(again)
        assert message == UPDATED
        await client.tool("changes")
        third, _ = await numbered(again)
        assert [each.partition("/")[0] for each in (second, third)] == [first.partition("/")[0]] * 2
        assert [int(each.partition("/")[2]) for each in (first, second, third)] == [1, 2, 3]
        # and back, from a number that was delivered before
        assert await numbered(await listening(client, first)) == (second, UPDATED)


@on_loop_clock
async def test_the_stream_ends_where_another_node_takes_it() -> None:
    async with sites() as (here, there):
        client = await here.client()
        own = await listening(client)
        await listening(at(client, there))
        assert await own.next() is None


@on_loop_clock
async def test_a_session_that_ends_on_one_node_ends_on_the_other_with_its_runs() -> None:
    async with sites() as (here, there):
        client = await here.client()
        other = at(client, there)
        call = Events(await other.tool("steps", n=3))
        assert there.runs.working == 1
        assert (await client.delete()).status == 204
        assert (await other.request("ping")).status == 404
        assert (await client.request("ping")).status == 404
        assert "error" in (await call.rest())[-1]
        await asyncio.wait_for(there.cancelled.wait(), 10)
        assert there.runs.ended == {"cancelled": 1}


@on_loop_clock
async def test_a_request_is_cancelled_from_the_other_node() -> None:
    async with sites() as (here, there):
        client = await here.client()
        call = Events(await client.tool("steps", n=3))
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": client.ids}}
        assert (await at(client, there).post(cancelled)).status == 202
        await call.rest()
        await asyncio.wait_for(here.cancelled.wait(), 10)


@on_loop_clock
async def test_a_question_is_answered_to_the_other_node() -> None:
    async with sites() as (here, there):
        client = await here.client(elicitation={"form": {}})
        call = Events(await client.tool("asks"))
        await call.next()
        question = await call.message()
        answer = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "content": {"name": "Ada"}}}
        assert (await at(client, there).post(answer)).status == 202
        assert (await call.message())["result"]["content"][0]["text"] == "Ada"
        assert (await at(client, there).post(answer)).status == 202, "a second answer is dropped"


@on_loop_clock
async def test_a_call_that_sent_its_user_to_a_page_is_retried_at_the_other_node() -> None:
    async with sites() as (here, there):
        client = await here.client(elicitation={"url": {}})
        params = {"name": "opens", "arguments": {}}
        asked = decoded(await client.request("tools/call", params, accept="application/json"))
        assert asked["error"]["code"] == -32042
        paid = decoded(await at(client, there).request("tools/call", params, accept="application/json"))
        assert paid["result"]["content"][0]["text"] == "paid"
        again = decoded(await client.request("tools/call", params, accept="application/json"))
        assert again["error"]["code"] == -32042, "one retry for one referral"


@on_loop_clock
async def test_somebody_elses_session_is_none_on_any_node() -> None:
    async with sites() as (here, there):
        theirs = await here.endpoint.sessions.begin(Access("somebody else"))
        for stage in (here, there):
            assert (
                await stage.ask("POST", {"jsonrpc": "2.0", "id": 1, "method": "ping"}, mcp_session_id=theirs.id)
            ).status == 404
        assert await there.endpoint.sessions.find(theirs.id, Access("somebody else")) is not None


# --- a node that ends ------------------------------------------------------------------------------------------------


@on_loop_clock
async def test_a_node_that_dies_takes_no_session_with_it_and_its_messages_are_told_as_lost() -> None:
    async with sites() as (here, there):
        client = await here.client()
        await client.result("resources/subscribe", SUBSCRIBED)
        own = await listening(client)
        await client.tool("changes")
        last, _ = await numbered(own)
        await here.die()
        await asyncio.sleep(LEASE_SECONDS)
        other = at(client, there)
        assert await other.result("ping") == {}
        told = await listening(other, last)
        assert (await told.message())["error"]["data"]["code"] == "purged"
        assert await told.next() is None
        again = await listening(other, last)
        await other.tool("changes")
        after, message = await numbered(again)
        assert message == UPDATED
        assert int(after.partition("/")[2]) > int(last.partition("/")[2])


@on_loop_clock
async def test_who_comes_back_without_a_number_is_told_of_the_loss_of_what_it_subscribed_to() -> None:
    async with sites() as (here, there):
        client, quiet = await here.client(), await here.client()
        await client.result("resources/subscribe", SUBSCRIBED)
        await here.die()
        await asyncio.sleep(LEASE_SECONDS)
        told = await listening(at(client, there))
        assert (await told.message())["error"]["data"]["code"] == "purged"
        nothing = await listening(at(quiet, there))
        there.endpoint.sessions.list_changed("tools")
        assert (await nothing.message())["method"] == "notifications/tools/list_changed"


@on_loop_clock
async def test_a_node_that_stops_leaves_its_streams_and_messages_to_another() -> None:
    async with sites() as (here, there):
        client = await here.client()
        await client.result("resources/subscribe", SUBSCRIBED)
        own = await listening(client)
        await client.tool("changes")
        last, _ = await numbered(own)
        await client.tool("changes")
        await here.close()
        assert (await own.rest()) == []
        await asyncio.sleep(1)
        other = at(client, there)
        await other.tool("changes")  # before it listens again
        again = await listening(other, last)
        found = [await numbered(again), await numbered(again)]
        assert [message for _, message in found] == [UPDATED] * 2
        assert [int(each.partition("/")[2]) for each, _ in found] == [2, 3]


@on_loop_clock
async def test_idle_sessions_end_by_the_time_of_their_document() -> None:
    async with sites(session_idle_seconds=60) as (here, there):
        used, idle, open_ = [await here.client() for _ in range(3)]
        stream = await listening(at(open_, there))
        for _ in range(6):
            await asyncio.sleep(20)
            assert await at(used, there).result("ping") == {}
        assert (await at(idle, there).request("ping")).status == 404
        assert (await idle.request("ping")).status == 404
        assert await used.result("ping") == {}
        assert await open_.result("ping") == {}
        stream.leave()
        await asyncio.sleep(100)
        assert (await open_.request("ping")).status == 404
        assert [len(each.endpoint.sessions) for each in (here, there)] == [0, 0]


@on_loop_clock
async def test_while_the_log_cannot_be_reached_a_session_says_so_and_goes_on_afterwards() -> None:
    async with sites() as (here, _):
        client = await here.client()
        here.shared.reachable = False
        answer = await client.request("ping")
        assert answer.status == 503
        assert decoded(answer)["error"]["data"]["code"] == "log_unavailable"
        here.shared.reachable = True
        assert await client.result("ping") == {}


# --- the streams of requests -----------------------------------------------------------------------------------------


@on_loop_clock
async def test_a_requests_stream_goes_on_at_the_other_node() -> None:
    async with sites() as (here, there):
        client = await here.client()
        call = Events(await client.tool("steps", token="t", n=3))
        for _ in range(2):
            here.steps.release()
        seen = [await call.next() for _ in range(3)]  # the primer, and two numbers
        last = seen[-1]
        assert last is not None
        other = at(client, there)
        rest = Events(await other.get(last.id))
        for _ in range(2):
            here.steps.release()
        messages = await rest.rest()
        assert messages[0]["params"]["progress"] == 3
        assert messages[-1]["result"]["structuredContent"] == {"n": 3}
        assert await call.rest() == [], "each message is sent on one stream only"
        assert messages[-1]["id"] == client.ids - 1000


@on_loop_clock
async def test_parts_of_before_are_in_the_result_of_the_other_node() -> None:
    async with sites() as (here, there):
        client = await here.client()
        call = Events(await client.tool("parts", token="t", n=4))
        here.steps.release()
        here.steps.release()
        seen = [await call.next() for _ in range(3)]
        assert seen[-1] is not None
        rest = Events(await at(client, there).get(seen[-1].id))
        here.steps.release()
        here.steps.release()
        messages = await rest.rest()
        assert [each["text"] for each in messages[-1]["result"]["content"]] == ["0", "1", "2", "3"]
        assert "_meta" not in messages[-1]["result"]


@on_loop_clock
async def test_parts_that_nobody_keeps_are_said_to_be_missing() -> None:
    async with sites() as (here, there):
        client = await here.client()
        call = Events(await client.tool("parts", token="t", n=1500, at_once=True))
        *_, last = [event async for event in _until(call, 1499)]
        rest = Events(await at(client, there).get(last))
        *_, message = await rest.rest()
        truncated = message["result"]["_meta"]["com.example.mcp-app/truncated"]
        assert truncated["truncated"] is True


@on_loop_clock
async def test_no_other_session_goes_on_with_a_stream() -> None:
    async with sites() as (here, there):
        client = await here.client()
        call = Events(await client.tool("steps", token="t", n=1))
        first = await call.next()
        assert first is not None
        mine = await there.client()
        assert (await mine.get(first.id)).status == 400


@on_loop_clock
async def test_a_request_whose_node_dies_ends_as_interrupted() -> None:
    async with sites() as (here, there):
        client = await here.client()
        call = Events(await client.tool("steps", token="t", n=3))
        here.steps.release()
        await call.next()
        event = await call.next()
        assert event is not None
        await here.die()
        other = await listening(at(client, there), event.id)
        await asyncio.sleep(LEASE_SECONDS + RENEW_SECONDS)
        assert (await other.message())["error"]["data"]["code"] == "interrupted"
        assert await other.next() is None


@on_loop_clock
async def test_a_batchs_stream_goes_on_at_the_other_node() -> None:
    async with sites() as (here, there):
        client = await here.client("2025-03-26")
        params = {"name": "steps", "arguments": {"n": 1}, "_meta": {"progressToken": "t"}}
        batch = [{"jsonrpc": "2.0", "id": each, "method": "tools/call", "params": params} for each in ("a", "b")]
        call = Events(await client.post(batch))
        here.steps.release()
        event = await call.next()
        assert event is not None
        call.leave()
        rest = Events(await at(client, there).get(event.id))
        for _ in range(3):
            here.steps.release()
        messages = await rest.rest()
        assert {each["id"] for each in messages if "id" in each} == {"a", "b"}
        assert (await there.client("2025-03-26")).session != client.session
        assert (await (await there.client("2025-03-26")).get(event.id)).status == 400


async def _until(events: Events, count: int) -> AsyncIterator[str]:
    """The ids of so many events that are not empty."""
    while count:
        event = await events.next()
        assert event is not None
        if event.data:
            count -= 1
            yield event.id
