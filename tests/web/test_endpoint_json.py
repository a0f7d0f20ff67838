"""A call answered as one JSON object: statuses and progress so far; and every representation while draining."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from web_direct import EVENTS, Direct, Make
from web_play import SECONDS, eventually
from web_wire import Following, decoded, headers, refused, stream

JSON = "application/json"


async def test_json_is_one_object_with_the_whole_events_as_progress(direct: Direct) -> None:
    answer = await direct.call("count", accept=JSON, upto=2)
    value = decoded(answer)
    assert list(value) == ["type", "tool", "data", "progress", "metadata"]
    assert (value["type"], value["tool"], value["data"]) == ("complete", "count", "done")
    assert value["progress"] == [{"type": "progress", "data": 0}, {"type": "progress", "data": 1}]
    assert len(value["metadata"]["run"]) == 32
    assert value["metadata"]["events"] == 4
    assert headers(answer.headers)["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"tool": "nobody"}, 404, "unknown_tool"),
        ({"tool": "echo", "params": {"text": 1}}, 422, "invalid_params"),
        ({"tool": "fails"}, 500, "tool_failed"),
        ({"tool": "refuses"}, 500, "tool_failed"),
        ({"tool": "brief"}, 504, "time_cap"),
        ({"tool": "wait", "cap_seconds": 0.1}, 504, "time_cap"),
    ],
)
async def test_an_error_as_json_has_its_status(direct: Direct, body: dict[str, Any], status: int, code: str) -> None:
    refused(await direct.post(EVENTS, body, accept=JSON), status, code)


async def test_a_cap_as_json_tells_the_progress_so_far(direct: Direct) -> None:
    value = decoded(await direct.post(EVENTS, {"tool": "wait", "cap_seconds": 0.2}, accept=JSON))
    assert value["progress"] == [{"type": "progress", "data": "here"}]
    assert value["tool"] == "wait"
    await direct.play.over()


async def test_leaving_while_json_is_waited_for_cancels_the_tool(direct: Direct) -> None:
    waiting = asyncio.create_task(direct.call("wait", accept=JSON))
    await asyncio.wait_for(direct.play.begun.wait(), SECONDS)
    waiting.cancel()
    await asyncio.wait({waiting}, timeout=SECONDS)
    assert waiting.cancelled()
    await direct.play.over()
    assert direct.play.reasons == ["left"]
    assert direct.runs.kept == 0


async def test_a_long_list_of_progress_is_cut_and_says_so(direct: Direct) -> None:
    value = decoded(await direct.call("count", accept=JSON, upto=1500))
    assert len(value["progress"]) == 1000
    assert value["metadata"]["truncated"] is True
    assert value["metadata"]["items"] == 1500
    assert value["data"] == "done"


# --- draining --------------------------------------------------------------------------------------------------------


async def test_draining_ends_streams_with_shutdown_and_refuses_new_runs(direct: Direct) -> None:
    following = Following(await direct.call("wait"))
    waiting = asyncio.create_task(direct.call("wait", accept=JSON))
    await following.until(2)
    await eventually(lambda: direct.play.calls == 2)
    assert (await direct.get("/readyz")).status == 200
    await asyncio.wait_for(direct.runs.drain(), SECONDS)
    assert (await following.rest()).error["code"] == "shutdown"
    value = refused(await asyncio.wait_for(waiting, SECONDS), 503, "shutdown")
    assert value["hint"]
    assert decoded(waiting.result())["progress"] == [{"type": "progress", "data": "here"}]
    assert (await direct.get("/readyz")).status == 503
    assert (await direct.get("/healthz")).status == 200
    for answer in (await direct.call("echo"), await direct.get(f"{EVENTS}?tool=echo")):
        refused(answer, 503, "draining")
        assert int(headers(answer.headers)["retry-after"]) > 0


async def test_one_run_more_than_allowed_is_refused(make: Make) -> None:
    direct = make(max_runs=1)
    following = Following(await direct.call("wait"))
    refusal = await direct.call("echo")
    refused(refusal, 503, "overloaded")
    assert int(headers(refusal.headers)["retry-after"]) > 0
    await following.until(2)
    following.close()
    await direct.play.over()
    assert (await stream(await direct.call("echo"))).kinds[-1] == "complete"


async def test_leaving_a_get_that_waits_for_json_cancels_the_tool_at_once(direct: Direct) -> None:
    """Without a key nobody could come back to it: there is nothing to linger for."""
    waiting = asyncio.create_task(direct.get(f"{EVENTS}?tool=wait", accept=JSON))
    await asyncio.wait_for(direct.play.begun.wait(), SECONDS)
    waiting.cancel()
    await asyncio.wait({waiting}, timeout=SECONDS)
    await direct.play.over()
    assert direct.play.reasons == ["left"]
    assert direct.runs.kept == 0
