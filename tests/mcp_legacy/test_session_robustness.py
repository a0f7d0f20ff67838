"""What clients do to sessions and should not: nothing of it harms another, is kept for ever, or goes unanswered."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from legacy_client import BOTH, SECONDS, STREAM, Events, Stage, call, decoded
from live_server import serving
from loop_clock import on_loop_clock

from mcp_app import Context, Registry, Settings, create_app, resource, tool

INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}


async def test_initialize_again_leaves_the_first_session_as_it_was(stage: Stage) -> None:
    client = await stage.client("2025-06-18")
    events = Events(await client.tool("steps", token="t", n=0))
    again = await client.post(call("initialize", INITIALIZE))
    assert decoded(again)["result"]["protocolVersion"] == "2025-11-25"
    assert len(stage.endpoint.sessions) == 2
    assert await client.result("ping") == {}
    stage.steps.release()
    assert "result" in (await events.rest())[-1]


async def test_initialize_again_on_the_stream_that_is_a_session_is_refused(stage: Stage) -> None:
    events = Events(await stage.ask("GET", accept=STREAM))
    first = await events.next()
    assert first is not None
    for id_ in (1, 2):
        assert (await stage.ask("POST", call("initialize", INITIALIZE, id_), path=first.data)).status == 202
    assert "result" in await events.message()
    refused = await events.message()
    assert (refused["id"], refused["error"]["code"]) == (2, -32600)


@pytest.mark.parametrize("version", ["2025-11-25", "2025-06-18", "2025-03-26"])
async def test_delete_while_a_call_streams_ends_it_with_an_error(stage: Stage, version: str) -> None:
    client = await stage.client(version)
    call_, own = Events(await client.tool("steps", token="t", n=1)), Events(await client.get())
    waiting = asyncio.create_task(call_.rest())
    await asyncio.sleep(0.02)
    assert (await client.delete()).status == 204
    [last] = await waiting
    assert (last["id"], last["error"]["data"]["code"]) == (client.ids, "cancelled")
    assert await own.rest() == []
    await asyncio.wait_for(stage.cancelled.wait(), SECONDS)
    assert len(stage.endpoint.sessions) == 0


@pytest.mark.parametrize(
    "last_event_id",
    [
        "garbage",
        "/",
        "0" * 32 + "/0",
        "0" * 32 + "/1.2.3",
        "G" * 32 + "/1",
        "0" * 32 + "/" + "9" * 16,
        "0" * 10_000,
        "0" * 32 + "/" + ".".join(["1"] * 5000),
        "\u0660" * 32 + "/1",
        "%00",
    ],
)
async def test_a_last_event_id_that_is_none_is_400_and_opens_nothing(stage: Stage, last_event_id: str) -> None:
    client = await stage.client()
    own = Events(await client.get())
    await own.next()
    answer = await client.get(last_event_id)
    assert (answer.status, decoded(answer)["error"]["code"]) == (400, -32600)
    stage.endpoint.sessions.list_changed("tools")
    assert (await own.message())["method"] == "notifications/tools/list_changed"  # still the one that listens


async def test_an_empty_last_event_id_is_none(stage: Stage) -> None:
    client = await stage.client()
    assert (await client.get("")).status == 200


@on_loop_clock
async def test_a_session_whose_stream_is_open_is_not_idle_and_one_that_was_left_is() -> None:
    stage = Stage(session_idle_seconds=60, cap_seconds=1000, heartbeat_seconds=5)
    client = await stage.client()
    own = Events(await client.get())
    reading = asyncio.create_task(own.next())
    await asyncio.sleep(0.1)
    primer = await reading
    assert primer is not None
    await asyncio.sleep(200)
    assert len(stage.endpoint.sessions) == 1
    assert await client.result("ping") == {}
    own.leave()
    await asyncio.sleep(121)
    assert len(stage.endpoint.sessions) == 0
    assert (await client.get(primer.id)).status == 404
    await stage.close()


async def test_responses_to_nothing_are_taken_and_forgotten(stage: Stage) -> None:
    client = await stage.client()
    for id_ in ("x", 1, "0" * 16, -5):
        assert (await client.post({"jsonrpc": "2.0", "id": id_, "result": {}})).status == 202
        error = {"code": -32603, "message": "no"}
        assert (await client.post({"jsonrpc": "2.0", "id": id_, "error": error})).status == 202
    assert (await client.post({"jsonrpc": "2.0", "error": {"code": -32700, "message": "no"}})).status == 202
    assert (await client.post({"jsonrpc": "2.0", "result": {}})).status == 400
    assert await client.result("ping") == {}


async def test_thousands_of_sessions_are_bounded_and_cost_a_busy_one_nothing(make: Any) -> None:
    stage = make(max_sessions=100)
    busy = await stage.client()
    events = Events(await busy.tool("steps", token="t", n=0))
    for _ in range(3000):
        answer = await stage.ask("POST", call("initialize", INITIALIZE))
        assert answer.status == 200
    assert len(stage.endpoint.sessions) == 100
    assert len(stage.log) <= 101  # an outbox each, and the one run
    assert await busy.result("ping") == {}
    stage.steps.release()
    assert "result" in (await events.rest())[-1]


def asking(ended: asyncio.Future[str | None]) -> Any:
    @tool
    async def asks(ctx: Context) -> str:
        """Asks the client's model."""
        try:
            return (await ctx.sample("Who?", max_tokens=5)).text
        finally:
            ended.set_result(ctx.cancel_reason)

    return asks


@pytest.mark.parametrize(("version", "seconds"), [("2025-11-25", 300), ("2025-06-18", 20), ("2025-03-26", 20)])
def test_a_question_that_nobody_answers_ends_with_its_call(version: str, seconds: float) -> None:
    """By the run's life where its stream may be come back to, else by the cap; nothing waits for the answer then."""

    @on_loop_clock
    async def test() -> None:
        stage = Stage(cap_seconds=20, run_life_seconds=300, session_idle_seconds=10_000, heartbeat_seconds=5)
        ended: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        stage.tools.add(asking(ended))
        client = await stage.client(version, sampling={})
        loop = asyncio.get_running_loop()
        began = loop.time()
        events = Events(await client.tool("asks"))
        await events.rest()
        assert await asyncio.wait_for(ended, 400) == "time_cap"
        assert seconds - 2 <= loop.time() - began <= seconds + 2
        [session] = stage.endpoint.sessions._sessions.values()
        assert session._expected == {}
        assert await client.result("ping") == {}
        await stage.close()

    test()


async def test_a_client_whose_server_was_restarted_is_told_404_and_begins_again(lane: bool) -> None:
    @tool
    async def waits(ctx: Context) -> str:
        """Says one word and waits."""
        await ctx.progress(1)
        await asyncio.Event().wait()
        return ""

    headers = {"accept": BOTH}
    app = create_app(Settings(), Registry([waits]), lane=lane)
    async with serving(app) as server, httpx.AsyncClient(timeout=SECONDS, headers=headers) as client:
        opened = await client.post(f"{server.url}/mcp", json=call("initialize", INITIALIZE))
        session = {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
        meta = {"name": "waits", "arguments": {}, "_meta": {"progressToken": 1}}
        last = ""
        async with client.stream(
            "POST", f"{server.url}/mcp", json=call("tools/call", meta, 2), headers=session
        ) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("id: "):
                    last = line.removeprefix("id: ")
                if line.startswith("data: {"):
                    break
    assert last.endswith("/2")
    app = create_app(Settings(), Registry([waits]), lane=lane)
    async with serving(app) as server, httpx.AsyncClient(timeout=SECONDS, headers=headers) as client:
        url = f"{server.url}/mcp"
        resumed = await client.get(url, headers={**session, "accept": STREAM, "last-event-id": last})
        assert resumed.status_code == 404
        assert (await client.post(url, json=call("ping"), headers=session)).status_code == 404
        assert (await client.delete(url, headers=session)).status_code == 404
        again = await client.post(url, json=call("initialize", INITIALIZE))
        session["mcp-session-id"] = again.headers["mcp-session-id"]
        assert (await client.post(url, json=call("ping"), headers=session)).json()["result"] == {}


# --- what is kept ----------------------------------------------------------------------------------------------------

PARTS, PART_BYTES = 10, 30_000
"""300,000 bytes of a run are in its log, and as many again are kept for its result."""


@tool
async def streams(ctx: Context) -> str:
    """Send parts."""
    for _ in range(PARTS):
        await ctx.partial("x" * (PART_BYTES - 2))
    return "sent"


@pytest.mark.parametrize("version", ["2025-11-25", "2025-03-26"])
async def test_what_is_kept_for_a_result_is_weighed_with_its_run(make: Any, version: str) -> None:
    stage = make(keep_bytes=4 * PARTS * PART_BYTES)  # three logs, or one with what is kept beside it
    stage.tools.add(streams)
    client = await stage.client(version)
    kept = []
    for _ in range(3):
        result = decoded(await client.tool("streams"))["result"]
        [parts] = [value for name, value in result["_meta"].items() if name.endswith("/partial")]
        assert len(parts) == PARTS
        kept.append(stage.runs.kept)
    assert kept == [1, 1, 1]


async def test_what_is_kept_for_a_result_counts_once_however_often_it_is_read(stage: Stage) -> None:
    stage.tools.add(streams)
    client = await stage.client()
    events = Events(await client.post(call("tools/call", {"name": "streams"}, 1), accept=STREAM))
    first = await events.next()
    while await events.next() is not None:
        pass
    assert first is not None
    run = await stage.runs.find(first.id.partition("/")[0], "anonymous")
    size = run.size
    assert 2 * PARTS * PART_BYTES <= size < 2 * PARTS * PART_BYTES + 2000
    again = Events(await client.get(last_event_id=f"{run.id}/1"))
    while await again.next() is not None:
        pass
    assert run.size == size


async def test_the_uris_of_subscriptions_are_bounded_together(stage: Stage) -> None:
    @resource("long://{+path}")
    def long(path: str) -> str:
        return path

    stage.resources.add(long)
    client = await stage.client()
    for number in range(16):
        uri = f"long://{number}{'x' * 8000}"
        assert await client.result("resources/subscribe", {"uri": uri}) == {}
    refused = decoded(await client.request("resources/subscribe", {"uri": f"long://y{'x' * 8000}"}))
    assert refused["error"]["data"]["code"] == "overloaded"
    assert await client.result("resources/subscribe", {"uri": "test://text"}) == {}


async def test_what_a_kept_run_holds_of_its_request_is_dropped(stage: Stage) -> None:
    client = await stage.client(elicitation={})
    params = {"name": "says", "arguments": {}, "_meta": {"progressToken": "t"}}
    baggage = ",".join(f"k{number}={'v' * 100}" for number in range(60))
    trace = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "baggage": baggage}
    answer = await client.post(call("tools/call", params, "i"), **trace)
    await Events(answer).rest()
    (run,) = stage.runs.known.runs.values()
    caller = run._caller
    assert (dict(caller.headers), caller.asker, caller.trace.baggage) == ({}, None, type(caller.trace)().baggage)
