"""A POST with Last-Event-ID: the rest of a run, its end, or a word that ends its client; never a second run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from web_direct import EVENTS, RUNS, Direct, Make
from web_play import eventually
from web_readers import POSTING, Client, come_back
from web_wire import Following, Wire, decoded, headers, refused, stream

from mcp_app.web.messages import Answer

WALK = {"tool": "walk", "params": {"count": 3}}
STREAM = "text/event-stream"
LOST = f"{'0' * 32}/3"
MALFORMED = ["nonsense", "7", "0", f"{'0' * 32}/0", f"{LOST}, {LOST}", "\xe4", "x" * 60_000]


async def again(direct: Direct, last: str, value: Any = WALK, **headers: str | None) -> Answer:
    return await direct.post(EVENTS, value, last_event_id=last, **({"accept": STREAM} | headers))


async def walked(direct: Direct) -> Wire:
    direct.play.step(3)
    return await stream(await direct.post(EVENTS, WALK, accept=STREAM))


# --- the rest --------------------------------------------------------------------------------------------------------


async def test_the_rest_comes_while_it_is_worked_on_and_the_run_is_the_callers_again(direct: Direct) -> None:
    """Its connection is dead, and the server has not noticed yet."""
    dead = Following(await direct.post(EVENTS, WALK, accept=STREAM))
    direct.play.step(1)
    wire = await dead.until(2)
    back = Following(await again(direct, wire.ids[-1]))
    dead.close()
    assert direct.runs.working == 1, "who came back holds it"
    direct.play.step(2)
    rest = await back.rest()
    assert rest.raw.startswith(b": open\nid: "), "@microsoft/fetch-event-source would be given an empty event"
    assert [message.get("metadata", {}).get("progress") for message in rest.messages] == [2, 3, None]
    assert direct.play.calls == 1


async def test_the_last_to_leave_ends_it(direct: Direct) -> None:
    dead = Following(await direct.post(EVENTS, {"tool": "wait"}, accept=STREAM))
    wire = await dead.until(2)
    back = Following(await again(direct, wire.ids[-1], {"tool": "wait"}))
    dead.close()
    back.close()
    await direct.play.over()
    assert direct.play.reasons == ["left"]


async def test_the_rest_as_json(direct: Direct) -> None:
    dead = Following(await direct.post(EVENTS, WALK, accept=STREAM))
    direct.play.step(1)
    wire = await dead.until(2)
    direct.play.step(2)
    answer = decoded(await again(direct, wire.ids[-1], accept="application/json"))
    assert (answer["data"], len(answer["progress"])) == ({"walked": 3}, 2)
    assert direct.play.calls == 1


async def test_the_rest_of_a_run_that_was_started_by_get_or_detached(direct: Direct) -> None:
    started = Following(await direct.get(f"{EVENTS}?tool=walk"))
    detached = decoded(await direct.post(RUNS, WALK))
    ids = [(await started.until(1)).ids[0], f"{detached['id']}/1"]
    direct.play.step(6)
    for last in ids:
        rest = await stream(await again(direct, last))
        assert rest.kinds == ["progress", "progress", "progress", "complete"]
        assert (await again(direct, rest.ids[-1])).status == 204
    refused(await again(direct, ids[1], accept="application/json"), 406, "not_acceptable")
    assert direct.play.calls == 2


async def test_an_empty_last_event_id_is_none(direct: Direct) -> None:
    wire = await stream(await again(direct, "", {"tool": "echo"}))
    assert wire.kinds == ["started", "complete"]
    assert wire.raw.startswith(b": open\nid: ")


# --- the end ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", [STREAM, "application/json", "*/*"])
async def test_after_the_end_it_is_204(direct: Direct, accept: str) -> None:
    wire = await walked(direct)
    answer = await again(direct, wire.ids[-1], accept=accept)
    assert (answer.status, answer.body) == (204, b"")
    assert direct.runs.started == 1


@pytest.mark.parametrize("last", [LOST, *MALFORMED])
async def test_where_there_is_nothing_to_come_back_to_a_stream_says_so(direct: Direct, last: str) -> None:
    wire = await stream(await again(direct, last))
    assert wire.kinds == ["error"]
    assert wire.error["code"] == ("unknown_run" if last == LOST else "invalid_request")
    assert "Last-Event-ID" in wire.error["message"]
    assert (await again(direct, wire.ids[-1])).status == 204
    as_json = await again(direct, last, accept="application/json")
    refused(as_json, 404 if last == LOST else 400, wire.error["code"])
    assert direct.runs.started == 0
    metrics = await direct.get("/metrics")
    assert f'mcp_app_refusals_total{{code="{wire.error["code"]}"}} 2'.encode() in metrics.body  # type: ignore[operator]


async def test_a_run_of_another_tool_and_an_event_that_was_not_yet(direct: Direct) -> None:
    following = Following(await direct.post(EVENTS, WALK, accept=STREAM))
    [first] = (await following.until(1)).ids
    for last, tool, code in ((first, "echo", "run_conflict"), (first.replace("/1", "/99"), "walk", "invalid_request")):
        assert (await stream(await again(direct, last, {"tool": tool}))).error["code"] == code
    assert direct.play.calls == 1


async def test_what_is_wrong_with_the_call_itself_is_refused_as_ever(direct: Direct) -> None:
    refused(await again(direct, LOST, {"tool": "nobody"}), 404, "unknown_tool")
    refused(await again(direct, LOST, {"tool": "walk", "params": {"count": "x"}}), 422, "invalid_params")
    refused(await again(direct, LOST, b"{"), 400, "invalid_request")
    refused(await again(direct, LOST, sec_fetch_site="cross-site"), 403, "cross_site_not_allowed")


# --- detached runs ---------------------------------------------------------------------------------------------------


async def test_a_detached_run_is_started_once(direct: Direct) -> None:
    first = await direct.post(RUNS, WALK)
    run = decoded(first)
    second = await direct.post(RUNS, WALK, last_event_id=f"{run['id']}/1")
    assert (second.status, headers(second.headers)["location"]) == (202, run["url"])
    assert decoded(second)["id"] == run["id"]
    refused(await direct.post(RUNS, {"tool": "echo"}, last_event_id=f"{run['id']}/1"), 409, "run_conflict")
    direct.play.step(3)
    await eventually(lambda: direct.runs.working == 0)
    assert decoded(await direct.post(RUNS, WALK, last_event_id=f"{run['id']}/1"))["state"] == "complete"
    for last in ("5", "05"):
        assert (await direct.post(RUNS, WALK, last_event_id=f"{run['id']}/{last}")).status == 204
    refused(await direct.post(RUNS, WALK, last_event_id=LOST), 404, "unknown_run")
    refused(await direct.post(RUNS, WALK, last_event_id="nonsense"), 400, "invalid_request")
    assert direct.runs.started == 1


# --- clients ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", POSTING, ids=lambda client: client.name)
async def test_each_client_stops_and_its_tool_ran_once(make: Make, client: Client) -> None:
    direct = make()
    ids = (await walked(direct)).ids
    restarted = make()
    for server in (direct, restarted):
        for last in (*ids[:-1], *MALFORMED[:2]):
            told = await come_back(client, lambda last, server=server: again(server, last), last)  # type: ignore[misc]
            assert [each["type"] for each in told] == ["error"]
    assert (direct.runs.started, restarted.runs.started) == (1, 0)


@pytest.mark.parametrize("client", [each for each in POSTING if each.after_stream], ids=lambda client: client.name)
async def test_who_comes_back_after_the_end_stops_at_204(direct: Direct, client: Client) -> None:
    ids = (await walked(direct)).ids
    assert await come_back(client, lambda last: again(direct, last), ids[-1]) == []
    assert direct.runs.started == 1


async def test_of_a_post_to_mcp_the_field_says_nothing(direct: Direct) -> None:
    """Resumption is by GET there (2025-11-25, Resumability and Redelivery)."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": "echo", "arguments": {}, "_meta": meta}
    answer = await direct.post(
        "/mcp",
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
        accept="application/json, text/event-stream",
        mcp_protocol_version="2026-07-28",
        mcp_method="tools/call",
        mcp_name="echo",
        last_event_id=LOST,
    )
    assert json.loads(answer.body)["result"]["structuredContent"] == "hello"  # type: ignore[arg-type]
