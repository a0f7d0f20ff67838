"""A call by POST: which representation it gets, the events of its stream, heartbeat and cap."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from web_direct import EVENTS, Direct, Make
from web_play import SECONDS
from web_wire import Following, decoded, headers, refused, stream

STREAM = "text/event-stream"
JSON = "application/json"


# --- representation: users-peers-manifests.md, Part 4, and design.md -------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, STREAM),  # urllib, http.client
        ("*/*", STREAM),  # curl, requests, httpx, aiohttp, wget, fetch
        ("application/json, text/event-stream", STREAM),  # the MCP SDKs and all built on them
        ("text/event-stream", STREAM),  # EventSource, ElevenLabs, Claude.ai
        ("application/json", JSON),  # Gemini CLI
        ("application/json, application/mcp+json", JSON),  # Google Antigravity
        ("application/json, text/plain, */*", JSON),  # axios
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", STREAM),  # a browser's address bar
        ("application/json;q=0.9, text/event-stream;q=0.8", JSON),
        ("application/json;q=0.8, text/event-stream;q=0.9", STREAM),
        ("text/event-stream;q=0, */*", JSON),
        ("application/json;q=0, */*", STREAM),
        ("text/*", STREAM),
        ("application/*", JSON),
        ("application/*, text/event-stream", STREAM),
        ("TEXT/EVENT-STREAM", STREAM),
    ],
)
async def test_accept_chooses_the_representation(direct: Direct, accept: str | None, expected: str) -> None:
    answer = await direct.call("echo", accept=accept)
    assert answer.status == 200
    assert headers(answer.headers)["content-type"] == expected
    assert headers(answer.headers)["vary"] == "Accept"


@pytest.mark.parametrize("accept", ["text/html", "image/*", "*/*;q=0", "application/json;q=0, text/event-stream;q=0"])
async def test_what_takes_neither_gets_406_with_a_body_that_says_what_there_is(direct: Direct, accept: str) -> None:
    error = refused(await direct.call("echo", accept=accept), 406, "not_acceptable")
    assert "text/event-stream" in error["hint"]
    assert "application/json" in error["hint"]
    assert direct.play.calls == 0


async def test_stream_false_asks_for_json_whatever_accept_says(direct: Direct) -> None:
    for accept in ("*/*", STREAM, "text/html"):
        answer = await direct.post(EVENTS, {"tool": "echo", "stream": False}, accept=accept)
        assert answer.status == 200
        assert decoded(answer)["data"] == "hello"


async def test_stream_true_does_not_overrule_accept(direct: Direct) -> None:
    answer = await direct.post(EVENTS, {"tool": "echo", "stream": True}, accept=JSON)
    assert headers(answer.headers)["content-type"] == JSON


# --- the stream ------------------------------------------------------------------------------------------------------


async def test_a_stream_is_started_progress_complete_with_ids_and_metadata(direct: Direct) -> None:
    answer = await direct.call("count", upto=2)
    assert set(answer.headers) == {
        ("Content-Type", "text/event-stream"),
        ("Cache-Control", "no-cache, no-transform"),
        ("X-Accel-Buffering", "no"),
        ("X-Content-Type-Options", "nosniff"),
        ("Vary", "Accept"),
    }
    wire = await stream(answer)
    assert wire.raw.startswith(b": open\nid: ")
    started, first, second, complete = wire.messages
    run = started["metadata"]["run"]
    assert started == {
        "type": "started",
        "tool": "count",
        "metadata": {"run": run, "heartbeat_seconds": 15, "cap_seconds": 120},
    }
    assert (first, second) == ({"type": "progress", "data": 0}, {"type": "progress", "data": 1})
    assert complete == {"type": "complete", "data": "done", "metadata": complete["metadata"]}
    assert complete["metadata"]["events"] == 4
    assert complete["metadata"]["duration_ms"] >= 0
    assert wire.ids == [f"{run}/{number}" for number in ("1", "2", "3", "04")]
    assert b"event:" not in wire.raw
    assert b"retry:" not in wire.raw, "nothing can be resumed"
    assert all(next(iter(message)) == "type" for message in wire.messages)


async def test_the_first_chunk_comes_before_the_tools_first_word(direct: Direct) -> None:
    following = Following(await direct.call("walk"))
    wire = await following.until(1)
    assert wire.kinds == ["started"]
    direct.play.step()
    assert (await following.until(2)).kinds == ["started", "progress"]
    assert wire.last == {"type": "progress", "data": {"message": "step 1"}, "metadata": {"progress": 1, "total": 3}}
    direct.play.step(2)
    assert (await following.rest()).kinds[-1] == "complete"


async def test_what_is_queued_goes_out_in_one_chunk(direct: Direct) -> None:
    following = Following(await direct.call("walk", count=20))
    await following.until(1)
    direct.play.step(20)
    await direct.play.over()
    following.wire.feed(await anext(following.frames))
    assert following.wire.kinds.count("progress") == 20


async def test_leaving_cancels_the_tool_and_forgets_the_run(direct: Direct) -> None:
    following = Following(await direct.call("wait"))
    await following.until(2)
    following.close()
    await direct.play.over()
    assert direct.play.reasons == ["left"]
    assert (direct.runs.working, direct.runs.kept) == (0, 0)


async def test_a_stream_that_was_never_read_cancels_its_tool_when_it_is_closed(direct: Direct) -> None:
    following = Following(await direct.call("wait"))
    await asyncio.wait_for(direct.play.begun.wait(), SECONDS)
    following.close()
    await direct.play.over()
    assert direct.runs.working == 0


async def test_a_failing_tool_ends_its_stream_with_a_masked_error(direct: Direct) -> None:
    wire = await stream(await direct.call("fails"))
    assert wire.kinds == ["started", "error"]
    assert wire.error["code"] == "tool_failed"
    assert wire.error["error_id"]
    assert b"secret" not in wire.raw
    assert b"KeyError" not in wire.raw


async def test_a_tools_own_word_reaches_the_caller(direct: Direct) -> None:
    wire = await stream(await direct.call("refuses"))
    assert wire.error == {
        "code": "tool_failed", "message": "There is no such domain.", "hint": "Look for a typing mistake."
    }  # fmt: skip


async def test_a_failure_of_ours_is_a_last_event_and_not_a_cut(
    direct: Direct, caplog: pytest.LogCaptureFixture
) -> None:
    following = Following(await direct.call("wait"))
    await following.until(2)

    async def broken(*_: Any) -> None:
        raise RuntimeError("the disk is full of secrets")

    direct.endpoint.runs._log.read = broken  # type: ignore[method-assign,assignment]
    wire = await following.rest()
    assert wire.error["code"] == "internal_error"
    assert wire.error["error_id"] in caplog.text
    assert b"secrets" not in wire.raw
    await direct.play.over()


# --- heartbeat and cap -----------------------------------------------------------------------------------------------


async def test_a_request_lowers_heartbeat_and_cap_and_the_tool_is_ended(direct: Direct) -> None:
    answer = await direct.post(EVENTS, {"tool": "wait", "heartbeat_seconds": 0.1, "cap_seconds": 0.5})
    wire = await stream(answer)
    assert wire.messages[0]["metadata"]["heartbeat_seconds"] == 0.1
    assert wire.messages[0]["metadata"]["cap_seconds"] == 0.5
    assert wire.kinds == ["started", "progress", "error"]
    assert wire.error["code"] == "time_cap"
    assert wire.heartbeats >= 3
    await direct.play.over()
    assert direct.play.reasons == ["time_cap"]


async def test_no_request_raises_the_servers_numbers(make: Make) -> None:
    direct = make(heartbeat_seconds=0.05, cap_seconds=0.3)
    body = {"tool": "wait", "heartbeat_seconds": 999, "cap_seconds": 999}
    for method in ("POST", "GET"):
        posted = method == "POST"
        target = EVENTS if posted else f"{EVENTS}?tool=wait&heartbeat_seconds=999&cap_seconds=999"
        wire = await stream(await (direct.post(target, body) if posted else direct.get(target)))
        assert wire.messages[0]["metadata"]["heartbeat_seconds"] == 0.05
        assert wire.messages[0]["metadata"]["cap_seconds"] == 0.3
        assert wire.error["code"] == "time_cap"
        assert wire.heartbeats >= 2


async def test_heartbeats_faster_than_ten_a_second_are_not_to_be_had(direct: Direct) -> None:
    following = Following(await direct.post(EVENTS, {"tool": "wait", "heartbeat_seconds": 0.0001}))
    assert (await following.until(1)).messages[0]["metadata"]["heartbeat_seconds"] == 0.1


async def test_a_tools_own_limit_ends_it_and_is_told(direct: Direct) -> None:
    wire = await stream(await direct.call("brief"))
    assert wire.messages[0]["metadata"]["cap_seconds"] == 0.3
    assert wire.error["code"] == "time_cap"
    assert "0.3 seconds" in wire.error["message"]


async def test_heartbeats_can_be_events_that_a_page_sees(direct: Direct) -> None:
    body = {"tool": "wait", "heartbeat": "event", "heartbeat_seconds": 0.1, "cap_seconds": 0.5}
    wire = await stream(await direct.post(EVENTS, body))
    assert wire.kinds.count("heartbeat") >= 3
    assert wire.heartbeats == 0
    assert next(message for message in wire.messages if message["type"] == "heartbeat") == {"type": "heartbeat"}
    assert len(wire.raw.split(b"id: ")) == 1 + 3, "a heartbeat has no id: there is nothing to resume after it"
    assert wire.kinds[-1] == "error"
