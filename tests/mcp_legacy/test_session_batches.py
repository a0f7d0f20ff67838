"""Batches, which 2025-03-26 has and no other revision (Transports, Sending Messages to the Server; Batching)."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from legacy_client import STREAM, Client, Events, Stage, call, decoded
from loop_clock import on_loop_clock
from pydantic import BaseModel

from mcp_app import Context, tool

VERSION = "2025-03-26"
UNHEARD = {"jsonrpc": "2.0", "method": "notifications/unheard"}
ADD = {"name": "add", "arguments": {"a": 1, "b": 2}}


class Name(BaseModel):
    name: str


def steps(n: int, id_: int | str, token: str | None = None) -> dict[str, Any]:
    meta = {} if token is None else {"_meta": {"progressToken": token}}
    return call("tools/call", {"name": "steps", "arguments": {"n": n}, **meta}, id_)


def cancelled(id_: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id_}}


async def begun(client: Client, *messages: Any, **headers: str | None) -> Events:
    answer = await client.post(list(messages), **headers)
    assert answer.status == 200
    return Events(answer)


def flat(messages: list[Any]) -> list[Any]:
    """An event may be a batch of messages."""
    return [each for message in messages for each in (message if isinstance(message, list) else [message])]


def responses(messages: list[Any]) -> list[Any]:
    return [each.get("id") for each in flat(messages) if "method" not in each]


# --- as one array ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", ["application/json, text/event-stream", "application/json"])
async def test_responses_alone_are_one_array_in_the_order_of_the_requests(stage: Stage, accept: str) -> None:
    client = await stage.client(VERSION)
    batch = [
        call("ping", id=1),
        UNHEARD,
        call("tools/call", ADD, id="two"),
        call("nothing/here", id=3),
        call("initialize", {}, id=4),
        {"id": 5},
        17,
    ]
    answer = await client.post(batch, accept=accept)
    assert answer.status == 200
    said = decoded(answer)
    assert [each.get("id") for each in said] == [1, "two", 3, 4, 5, None]
    assert said[1]["result"]["content"] == [{"type": "text", "text": "3"}]
    assert [each["error"]["code"] for each in said[2:]] == [-32601, -32600, -32600, -32600]


async def test_who_takes_json_alone_gets_the_array_whatever_is_said_before(stage: Stage) -> None:
    client = await stage.client(VERSION)
    for _ in range(3):
        stage.steps.release()
    answer = await client.post([steps(2, 1, "t"), call("ping", id=2)], accept="application/json")
    assert [each["id"] for each in decoded(answer)] == [1, 2]


async def test_a_batch_without_requests_is_202(stage: Stage) -> None:
    client = await stage.client(VERSION)
    assert (await client.post([UNHEARD, UNHEARD])).status == 202
    assert (await client.post([{"jsonrpc": "2.0", "id": "x", "result": {}}])).status == 202


@pytest.mark.parametrize("batch", [[], [UNHEARD] * 101])
async def test_an_empty_batch_and_one_too_large_are_400(stage: Stage, batch: list[Any]) -> None:
    client = await stage.client(VERSION)
    answer = await client.post(batch)
    assert (answer.status, decoded(answer)["error"]["code"]) == (400, -32600)


@pytest.mark.parametrize("version", ["2025-11-25", "2025-06-18", "2024-11-05"])
async def test_no_other_revision_has_batches(stage: Stage, version: str) -> None:
    client = await stage.client(version)
    for batch in ([call("ping")], [UNHEARD]):
        answer = await client.post(batch)
        assert (answer.status, decoded(answer)["error"]["code"]) == (400, -32600)


async def test_what_takes_neither_representation_is_406_and_starts_nothing(stage: Stage) -> None:
    client = await stage.client(VERSION)
    assert (await client.post([steps(1, 1)], accept="text/html")).status == 406
    assert stage.runs.started == 0


async def test_an_id_twice_is_one_request_and_an_error(stage: Stage) -> None:
    client = await stage.client(VERSION)
    events = await begun(client, steps(0, 1), steps(0, 1))
    stage.steps.release()
    said = flat(await events.rest())
    assert [each["id"] for each in said] == [1, 1]
    assert said[0]["error"]["code"] == -32600
    assert "result" in said[1]
    assert stage.runs.started == 1


# --- as one stream ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", ["application/json, text/event-stream", STREAM])
async def test_what_calls_say_before_their_end_comes_on_one_stream(stage: Stage, accept: str) -> None:
    client = await stage.client(VERSION)
    events = await begun(
        client, steps(1, 1, "one"), call("ping", id=2), UNHEARD, {"id": 3}, steps(1, 4, "four"), accept=accept
    )
    first = await events.message()
    assert responses([first]) == [2, 3]  # what is there already is one event
    for _ in range(4):
        stage.steps.release()
    rest = await events.rest()
    assert sorted(responses(rest)) == [1, 4]  # each once
    progress = {each["params"]["progressToken"] for each in rest if "method" in each}
    assert progress == {"one", "four"}
    for token, id_ in (("one", 1), ("four", 4)):
        order = [each.get("id") or each["params"]["progressToken"] for each in rest]
        assert order.index(token) < order.index(id_)
    assert b"data: \n" not in events.raw


async def test_a_flood_in_one_call_holds_no_other_up(stage: Stage) -> None:
    @tool
    async def floods() -> Any:
        """Many parts."""
        for each in range(600):
            yield each

    stage.tools.add(floods)
    client = await stage.client(VERSION)
    meta = {"_meta": {"progressToken": "f"}}
    events = await begun(client, call("tools/call", {"name": "floods", "arguments": {}, **meta}, 1), steps(0, 2))
    stage.steps.release()
    rest = await events.rest()
    assert sorted(responses(rest)) == [1, 2]
    assert len([each for each in rest if "method" in each]) == 600


async def test_one_call_is_cancelled_and_the_others_go_on(stage: Stage) -> None:
    client = await stage.client(VERSION)
    events = await begun(client, steps(0, 1), steps(0, 2))
    assert (await client.post(cancelled(1))).status == 202
    said = await events.message()
    assert (said["id"], said["error"]["data"]["code"]) == (1, "cancelled")
    stage.steps.release()
    [last] = await events.rest()
    assert (last["id"], last["result"]["content"][0]["type"]) == (2, "text")


async def test_a_cancellation_may_stand_in_the_batch_itself(stage: Stage) -> None:
    client = await stage.client(VERSION)
    [said] = decoded(await client.post([steps(1, 1), cancelled(1)]))
    assert (said["id"], said["error"]["data"]["code"]) == (1, "cancelled")


async def test_who_leaves_cancels_nothing_and_comes_back_for_the_rest_of_all(stage: Stage) -> None:
    client = await stage.client(VERSION)
    events = await begun(client, steps(1, 1, "one"), steps(1, 2, "two"))
    stage.steps.release()
    seen = await events.next()
    assert seen is not None
    assert re.fullmatch(r"[0-9a-f]{32}/\d+\.\d+", seen.id)
    events.leave()
    for _ in range(3):
        stage.steps.release()
    rest = await Events(await client.get(seen.id)).rest()
    assert sorted(responses(rest)) == [1, 2]
    assert len([each for each in rest if "method" in each]) == 1  # the other's progress was seen
    again = Events(await client.get(seen.id))
    last = ""
    while (event := await again.next()) is not None:
        last = event.id
    assert (await client.get(last)).status == 204
    assert stage.runs.ended == {"complete": 2}


async def test_a_batch_is_come_back_to_in_its_own_session_and_at_its_own_positions(stage: Stage) -> None:
    client, other = await stage.client(VERSION), await stage.client(VERSION)
    events = await begun(client, steps(1, 1, "one"), steps(1, 2, "two"))
    stage.steps.release()
    seen = await events.next()
    assert seen is not None
    assert (await other.get(seen.id)).status == 400
    stream = seen.id.partition("/")[0]
    for wrong in ("0", "0.0.0", "99.99", "0.", "1.-1", ".".join(["0"] * 200), "9" * 5000):
        assert (await client.get(f"{stream}/{wrong}")).status == 400, wrong
    assert (await client.get(f"{'0' * 32}/0.0")).status == 400


async def test_who_comes_back_ends_the_stream_before(stage: Stage) -> None:
    """ "MUST send each of its JSON-RPC messages on only one of the connected streams"."""
    client = await stage.client(VERSION)
    events = await begun(client, steps(1, 1, "one"), steps(0, 2))
    stage.steps.release()
    seen = await events.next()
    assert seen is not None
    again = Events(await client.get(seen.id))
    waiting = asyncio.create_task(again.rest())
    await asyncio.sleep(0.02)
    for _ in range(3):
        stage.steps.release()
    assert sorted(responses(await waiting)) == [1, 2]
    assert responses(await events.rest()) == []


async def test_a_question_stands_on_the_batchs_stream_and_its_answer_may_stand_in_a_batch(stage: Stage) -> None:
    @tool
    async def greets(ctx: Context) -> str:
        """Asks the client's model."""
        return (await ctx.sample("Who?", max_tokens=5)).text

    stage.tools.add(greets)
    client = await stage.client(VERSION, sampling={})
    events = await begun(client, call("tools/call", {"name": "greets", "arguments": {}}, 1), steps(0, 2))
    asked = await events.message()
    assert asked["method"] == "sampling/createMessage"
    result = {"role": "assistant", "content": {"type": "text", "text": "Ann"}, "model": "m"}
    assert (await client.post([{"jsonrpc": "2.0", "id": asked["id"], "result": result}])).status == 202
    assert (await events.message())["result"]["content"][0]["text"] == "Ann"
    stage.steps.release()
    assert responses(await events.rest()) == [2]


async def test_who_takes_json_alone_is_not_asked_in_a_batch(stage: Stage) -> None:
    @tool
    async def greets(ctx: Context) -> str:
        """Asks the client's model."""
        return (await ctx.sample("Who?", max_tokens=5)).text

    stage.tools.add(greets)
    client = await stage.client(VERSION, sampling={})
    batch = [call("tools/call", {"name": "greets", "arguments": {}}, 1)]
    [said] = decoded(await client.post(batch, accept="application/json"))
    assert said["result"]["isError"] is True


@on_loop_clock
async def test_at_the_cap_each_call_ends_with_an_error_and_then_the_stream() -> None:
    stage = Stage(cap_seconds=9, heartbeat_seconds=4)
    client = await stage.client(VERSION)
    for accept in ("application/json, text/event-stream", "application/json"):
        answer = await client.post([steps(1, 1, "t"), steps(1, 2), call("ping", id=3)], accept=accept)
        said = flat(await Events(answer).rest()) if accept != "application/json" else decoded(answer)
        assert sorted(responses(said)) == [1, 2, 3]
        assert [each["error"]["data"]["code"] for each in said if "error" in each] == ["time_cap", "time_cap"]
        life = [each["params"]["progressToken"] for each in said if "method" in each]
        assert life == ([] if accept == "application/json" else ["t", "t"])  # at 4 and 8 s, where it is wanted
    assert stage.runs.working == 0
    await stage.close()


async def test_the_sessions_end_ends_the_batch(stage: Stage) -> None:
    client = await stage.client(VERSION)
    events = await begun(client, steps(1, 1), steps(1, 2))
    assert (await client.delete()).status == 204
    said = await events.rest()
    assert sorted(responses(said)) == [1, 2]
    assert {each["error"]["data"]["code"] for each in flat(said)} == {"cancelled"}


async def test_nothing_is_left_of_a_stream_that_is_left(stage: Stage) -> None:
    client = await stage.client(VERSION)
    events = await begun(client, steps(1, 1), steps(1, 2))
    reading = asyncio.create_task(events.next())
    await asyncio.sleep(0.02)
    reading.cancel()
    await asyncio.wait({reading})
    events.leave()
    events.leave()
    await asyncio.sleep(0)
    assert not [each for each in asyncio.all_tasks() if each.get_name().startswith("reading ")]
    assert stage.runs.working == 2
