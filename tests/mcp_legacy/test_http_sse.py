"""HTTP+SSE, the transport of MCP 2024-11-05: one stream, and messages that are answered on it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from http_sse_client import CLIENT, Old, connected
from legacy_client import STREAM, Events, Stage, call, decoded
from loop_clock import on_loop_clock

from mcp_app import Context, tool
from mcp_app.dialects.mcp.sessions.requests import SessionMethods
from mcp_app.protocol.mcp.revisions import SESSION_REVISIONS

EVENTS = "/api/v1/mcp/sse"


@pytest.mark.parametrize("path", ["/mcp", "/sse", EVENTS, "/mcp/", "/sse/"])
async def test_messages_are_answered_on_the_stream(stage: Stage, path: str) -> None:
    old = await connected(stage, path)
    assert old.address.startswith(f"{path.rstrip('/')}/messages?session=")
    assert len((await old.request("tools/list"))["result"]["tools"]) == 4
    result = (await old.request("tools/call", {"name": "add", "arguments": {"a": 1, "b": 2}}))["result"]
    assert result == {"content": [{"type": "text", "text": "3"}]}
    assert (await old.request("nothing/here"))["error"]["code"] == -32601
    assert (await old.request("resources/read", {"uri": "test://other"}))["error"]["code"] == -32002


async def test_notifications_come_on_it_in_order(stage: Stage) -> None:
    old = await connected(stage, version="2025-06-18")  # clients agree on newer ones over it
    params = {"name": "steps", "arguments": {"n": 2}, "_meta": {"progressToken": "t"}}
    assert await old.send(call("tools/call", params, "c")) == 202
    for expected in (1, 2):
        stage.steps.release()
        assert (await old.events.message())["params"]["progress"] == expected
    stage.endpoint.sessions.list_changed("tools")
    assert (await old.events.message())["method"] == "notifications/tools/list_changed"
    stage.steps.release()
    assert (await old.events.message())["result"]["structuredContent"] == {"n": 2}


async def test_its_end_is_the_sessions_and_cancels_what_runs(stage: Stage) -> None:
    old = await connected(stage)
    assert await old.send(call("tools/call", {"name": "steps", "arguments": {"n": 1}})) == 202
    await asyncio.wait_for(stage.begun.wait(), 10)
    old.events.leave()
    await asyncio.wait_for(stage.cancelled.wait(), 10)
    assert len(stage.endpoint.sessions) == 0
    assert await old.send(call("ping")) == 404


async def test_a_request_is_cancelled(stage: Stage) -> None:
    old = await connected(stage)
    assert await old.send(call("tools/call", {"name": "steps", "arguments": {"n": 1}}, "c")) == 202
    await asyncio.wait_for(stage.begun.wait(), 10)
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "c"}}
    assert await old.send(cancelled) == 202
    message = await old.events.message()
    assert (message["id"], message["error"]["data"]["code"]) == ("c", "cancelled")


@pytest.mark.parametrize("query", ["", "?session=", "?session=x", f"?session={'0' * 32}", "?other=1"])
async def test_a_message_for_no_session_is_404(stage: Stage, query: str) -> None:
    assert (await stage.ask("POST", call("ping"), path=f"/mcp/messages{query}")).status == 404


async def test_sessions_of_the_other_transport_have_no_messages(stage: Stage) -> None:
    client = await stage.client()
    assert (await stage.ask("POST", call("ping"), path=f"/mcp/messages?session={client.session}")).status == 404


@pytest.mark.parametrize("params", [None, [], "x"])
async def test_a_request_that_is_no_message_is_refused_on_the_stream(stage: Stage, params: Any) -> None:
    """Who waits for its answer there would wait for ever."""
    old = await connected(stage)
    assert await old.send({"jsonrpc": "2.0", "id": 9, "method": "ping", "params": params}) == 202
    message = await old.events.message()
    assert (message["id"], message["error"]["code"]) == (9, -32600)


async def test_whatever_is_raised_is_answered_on_the_stream(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> bytes:
        raise BaseExceptionGroup("two", [GeneratorExit()])

    old = await connected(stage)
    monkeypatch.setattr(SessionMethods, "begin", broken)
    assert (await old.request("ping"))["error"]["code"] == -32603


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', 400)])
async def test_what_is_no_message_is_400(stage: Stage, body: bytes, status: int) -> None:
    old = await connected(stage)
    assert await old.send(body) == status


@pytest.mark.parametrize("accept", ["*/*", "text/html, */*;q=0.8", None, "text/*"])
async def test_only_who_names_event_streams_gets_one(stage: Stage, accept: str | None) -> None:
    """A browser or a probe would wait for the end of a stream that has none."""
    for path in ("/mcp", EVENTS):
        assert (await stage.ask("GET", path=path, accept=accept)).status == 400
    assert len(stage.endpoint.sessions) == 0


@pytest.mark.parametrize("path", ["/mcp", "/sse", EVENTS])
@pytest.mark.parametrize("version", SESSION_REVISIONS)
async def test_who_names_a_revision_with_sessions_gets_one(stage: Stage, version: str, path: str) -> None:
    """@ai-sdk/mcp names the newest, whatever the transport."""
    events = Events(await stage.ask("GET", path=path, accept=STREAM, mcp_protocol_version=version))
    first = await events.next()
    assert first is not None
    assert first.event == "endpoint"
    assert len(stage.endpoint.sessions) == 1
    assert (await stage.ask("DELETE", path=path, mcp_protocol_version=version)).status == 400


@pytest.mark.parametrize("version", ["2026-07-28", "2027-01-01", "1999-01-01", ""])
async def test_who_names_a_revision_without_sessions_gets_none(stage: Stage, version: str) -> None:
    """405 is of the revision that has only POST, 400 of one that is not spoken (2025-06-18, Transports)."""
    status = 405 if version == "2026-07-28" else 400
    for path in ("/mcp", "/sse"):
        for method in ("GET", "HEAD", "DELETE"):
            answer = await stage.ask(method, path=path, accept=STREAM, mcp_protocol_version=version)
            assert answer.status == status
    initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    notification = await stage.ask("POST", initialized, mcp_protocol_version=version)
    assert notification.status == (202 if version == "2026-07-28" else 400)
    if status == 400:
        error = decoded(notification)["error"]
        assert (error["code"], error["data"]["requested"]) == (-32022, version)
    assert len(stage.endpoint.sessions) == 0


@pytest.mark.parametrize("accept", ["*/*", None, "text/*", STREAM, f"application/json, {STREAM}"])
async def test_at_its_conventional_path_any_accept_opens_it(stage: Stage, accept: str | None) -> None:
    """supergateway asks with `*/*`, and so does whoever wraps the fetch of the npm SDK's transport."""
    events = Events(await stage.ask("GET", path="/sse", accept=accept))
    first = await events.next()
    assert first is not None
    assert first.data.startswith("/sse/messages?session=")
    assert (await stage.ask("HEAD", path="/sse", accept=accept)).status == 200
    assert len(stage.endpoint.sessions) == 1  # HEAD opened none


@pytest.mark.parametrize("accept", ["application/json", "text/html", f"*/*, {STREAM};q=0"])
async def test_but_not_one_that_takes_no_stream(stage: Stage, accept: str) -> None:
    assert (await stage.ask("GET", path="/sse", accept=accept)).status == 406
    assert len(stage.endpoint.sessions) == 0


async def test_the_other_transport_is_there_as_well(stage: Stage) -> None:
    """Clients that can do both post first, to the one URL they were given."""
    message = call("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT})
    answer = await stage.ask("POST", message, path="/sse")
    assert answer.status == 200
    assert "Mcp-Session-Id" in dict(answer.headers)


async def test_json_alone_is_406(stage: Stage) -> None:
    assert (await stage.ask("GET", accept="application/json")).status == 406


async def test_head_opens_nothing(stage: Stage) -> None:
    for path in ("/mcp", EVENTS):
        answer = await stage.ask("HEAD", path=path, accept=STREAM)
        assert answer.status == 200
        assert dict(answer.headers)["Content-Type"] == STREAM
    assert len(stage.endpoint.sessions) == 0


async def test_where_it_is_not_wanted_it_is_not(make: Any) -> None:
    stage = make(legacy_sse=False)
    for path in ("/mcp", EVENTS):
        assert (await stage.ask("GET", path=path, accept=STREAM)).status == 400
    assert (await stage.ask("POST", call("ping"), path="/mcp/messages?session=x")).status == 404


async def test_a_page_of_another_site_opens_none(stage: Stage) -> None:
    answer = await stage.ask("GET", accept=STREAM, sec_fetch_site="cross-site")
    assert answer.status == 403
    assert len(stage.endpoint.sessions) == 0


async def test_when_the_server_stops_requests_are_answered_first(stage: Stage) -> None:
    old = await connected(stage)
    assert await old.send(call("tools/call", {"name": "steps", "arguments": {"n": 1}}, "c")) == 202
    await asyncio.wait_for(stage.begun.wait(), 10)
    draining = asyncio.create_task(stage.endpoint.drain())
    assert (await old.events.message())["error"]["data"]["code"] == "shutdown"
    assert await old.events.next() is None
    await draining


@on_loop_clock
async def test_no_cap_but_a_day() -> None:
    stage = Stage(cap_seconds=8, heartbeat_seconds=5, session_idle_seconds=300)
    began = asyncio.get_running_loop().time()
    old = await connected(stage)
    await asyncio.sleep(2000)
    assert (await old.request("ping"))["result"] == {}
    ended = await old.request("tools/call", {"name": "steps", "arguments": {"n": 1}})
    assert ended["error"]["data"]["code"] == "time_cap"
    assert await old.events.next() is None
    assert 86399 <= asyncio.get_running_loop().time() - began <= 86401
    await stage.close()


@on_loop_clock
async def test_who_holds_the_stream_open_uses_the_session() -> None:
    stage = Stage(session_idle_seconds=60, max_sessions=2)
    old = await connected(stage)
    await asyncio.sleep(600)
    assert len(stage.endpoint.sessions) == 1
    idle = await stage.client()
    await stage.client()  # one too many: the idle one goes, though it was used last
    assert (await idle.request("ping")).status == 404
    assert (await old.request("ping"))["result"] == {}
    old.events.leave()
    assert len(stage.endpoint.sessions) == 1
    await stage.close()


# --- a client that reads slowly --------------------------------------------------------------------------------------


@tool
async def large(size: int) -> dict[str, str]:
    return {"text": "x" * size}


@tool
async def chatty(ctx: Context) -> str:
    for number in range(2000):
        await ctx.progress(number, 2000, "x" * 500)
    return "done"


async def begin(old: Old, count: int, **params: Any) -> list[int]:
    """So many calls at once; their ids."""
    ids = list(range(1000, 1000 + count))
    for id_ in ids:
        assert await old.send(call("tools/call", params, id_)) == 202
    for _ in range(200):
        await asyncio.sleep(0)
    return ids


@pytest.mark.parametrize("size", [300_000, 700_000, 900_000, 3_000_000])
@on_loop_clock
async def test_large_answers_wait_for_a_client_that_reads_slowly(size: int) -> None:
    stage = Stage()
    stage.tools.add(large)
    old = await connected(stage)
    ids = await begin(old, 6, name="large", arguments={"size": size})
    await asyncio.sleep(0.2)
    stage.endpoint.sessions.list_changed("tools")
    found = [await old.events.message() for _ in range(7)]
    assert sorted(each["id"] for each in found if "id" in each) == ids
    assert [each["method"] for each in found if "method" in each] == ["notifications/tools/list_changed"]
    assert (await old.request("ping"))["result"] == {}
    await stage.close()


@on_loop_clock
async def test_a_tool_waits_for_a_client_that_reads_slowly() -> None:
    stage = Stage()
    stage.tools.add(chatty)
    old = await connected(stage)
    (id_,) = await begin(old, 1, name="chatty", arguments={}, _meta={"progressToken": "t"})
    await asyncio.sleep(0.2)
    assert stage.runs.working == 1, "it is a window ahead, not at its end"
    found = []
    while (message := await old.events.message()).get("id") != id_:
        found.append(message["params"]["progress"])
    assert len(found) == 2000
    assert found == sorted(found)
    await stage.close()


async def test_only_so_many_requests_wait(stage: Stage) -> None:
    old = await connected(stage)
    await begin(old, 128, name="steps", arguments={"n": 1})
    assert await old.send(call("ping", None, 5)) == 503
    assert await old.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1000}}) == 202
    assert (await old.events.message())["id"] == 1000
    assert (await old.request("ping"))["result"] == {}


async def test_a_stop_waits_for_no_reader(stage: Stage) -> None:
    stage.tools.add(large)
    old = await connected(stage)
    await begin(old, 6, name="large", arguments={"size": 900_000})
    await asyncio.wait_for(stage.endpoint.drain(), 10)
    assert len(stage.endpoint.sessions) == 0


async def test_a_call_with_an_idempotency_key_is_worked_on_once(stage: Stage) -> None:
    """Both requests are answered on the one stream, also in the session that comes after it."""
    meta = {"com.example.mcp-app/idempotencyKey": "k" * 16}
    params = {"name": "steps", "arguments": {"n": 0}, "_meta": meta}
    old = await connected(stage)
    for id_ in ("a", "b"):
        assert await old.send(call("tools/call", params, id_)) == 202
    await asyncio.wait_for(stage.begun.wait(), 10)
    stage.steps.release()
    answers = [await old.events.message() for _ in range(2)]
    assert {answer["id"] for answer in answers} == {"a", "b"}
    assert {str(answer["result"]) for answer in answers} == {str(answers[0]["result"])}
    old.events.leave()
    later = await connected(stage)
    assert (await later.request("tools/call", params))["result"] == answers[0]["result"]
    assert stage.runs.started == 1
