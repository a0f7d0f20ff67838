"""MCP 2026-07-28: what comes before a response, and what leaving means (transports/streamable-http "Receiving Messages"
and "Cancellation", patterns/cancellation, patterns/progress, server/utilities/logging)."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import pytest
from modern_client import ABSENT, SECONDS, Stage, headers, request, said
from modern_served import HELD

from mcp_app import Context, tool
from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer

TALK = {"name": "talk"}
STREAM = {"accept": "text/event-stream"}


async def began(here: Stage) -> Answer:
    """The tool `wait`, working, its first event read."""
    message = request("tools/call", {"name": "wait"}, id="left", progressToken="t", level="debug")
    answer = await here.answer("POST", "/mcp", json.dumps(message).encode(), headers(message, **STREAM))
    assert isinstance(answer.body, Frames)
    await asyncio.wait_for(HELD.began.wait(), SECONDS)
    return answer


async def test_closing_the_stream_is_cancelling(here: Stage) -> None:
    answer = await began(here)
    assert isinstance(answer.body, Frames)
    await asyncio.wait_for(anext(answer.body), SECONDS)
    assert not HELD.stopped.is_set()
    answer.body.close()
    await asyncio.wait_for(HELD.stopped.wait(), SECONDS)
    with pytest.raises(StopAsyncIteration):  # "MUST NOT send any further messages for it"
        await asyncio.wait_for(anext(answer.body), SECONDS)


async def test_leaving_before_the_answer_has_begun_is_cancelling(here: Stage) -> None:
    message = request("tools/call", {"name": "wait"})
    body, fields = json.dumps(message).encode(), headers(message, accept="application/json")
    leaving = asyncio.ensure_future(here.answer("POST", "/mcp", body, fields))
    await asyncio.wait_for(HELD.began.wait(), SECONDS)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await asyncio.wait_for(HELD.stopped.wait(), SECONDS)


async def test_leaving_one_request_leaves_the_others_alone(here: Stage) -> None:
    answer = await began(here)
    other = asyncio.ensure_future(here.ask("tools/call", {**TALK, "arguments": {"steps": 50}}, id="left", level="info"))
    assert isinstance(answer.body, Frames)
    answer.body.close()
    assert (await other).result["structuredContent"] == "said"


async def test_leaving_after_the_end_is_harmless(here: Stage) -> None:
    message = request("tools/call", TALK, id=1)
    answer = await here.answer("POST", "/mcp", json.dumps(message).encode(), headers(message, **STREAM))
    assert isinstance(answer.body, Frames)
    assert (await said(answer)).result["structuredContent"] == "said"
    answer.body.close()
    assert (await here.ask("tools/list")).status == 200


@pytest.mark.parametrize("params", [{"requestId": "left"}, {"requestId": 99}, {"requestId": None}, {"reason": 1}, {}])
async def test_a_cancelling_notification_is_taken_and_stops_nothing_here(here: Stage, params: dict[str, Any]) -> None:
    """On HTTP closing the stream is the signal; anyone could send the notification, who has nothing but an id."""
    answer = await began(here)
    taken = await here.send(request("notifications/cancelled", params, ABSENT))
    assert taken.status == 202
    assert not HELD.stopped.is_set()
    assert isinstance(answer.body, Frames)
    answer.body.close()


async def test_the_response_ends_the_stream(here: Stage) -> None:
    answer = await here.ask("tools/call", TALK, http=STREAM, progressToken="t", level="debug")
    assert answer.id == 7
    assert answer.result["structuredContent"] == "said"
    assert all("result" not in each and "error" not in each for each in answer.before)


async def test_nothing_on_a_stream_is_a_request_of_ours(here: Stage) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("tools/call", TALK),
        ("tools/call", {"name": "greet"}),
        ("tools/call", {"name": "complete_a_poem"}),
        ("tools/call", {"name": "look_around"}),
        ("prompts/get", {"name": "ask_first"}),
        ("resources/read", {"uri": "test://asked"}),
    ]
    for method, params in calls:
        answer = await here.ask(method, params, http=STREAM, progressToken="t", level="debug")
        assert not any("id" in each for each in answer.before)
        assert set(answer.said) <= {"notifications/progress", "notifications/message"}
        assert "notifications/cancelled" not in answer.said


# --- progress --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["t", "", 0, -1, 7, 2**53, "ä€"])
async def test_progress_has_the_token_of_its_request(here: Stage, token: str | int) -> None:
    answer = await here.ask("tools/call", TALK, progressToken=token)
    tokens = [each["params"]["progressToken"] for each in answer.before]
    assert tokens == [token] * 3
    assert {type(each) for each in tokens} == {type(token)}


async def test_progress_increases(here: Stage) -> None:
    """Also when the tool's own numbers do not."""

    @tool
    async def stumble(ctx: Context) -> None:
        for number in (5, 3, 3, 6, -1, 6.0, 7):
            await ctx.progress(number)
        await ctx.partial({"part": 1})

    here.tools.add(stumble)
    answer = await here.ask("tools/call", {"name": "stumble"}, progressToken="t")
    numbers = [each["params"]["progress"] for each in answer.before]
    assert len(numbers) == 8
    assert all(one < other for one, other in itertools.pairwise(numbers))


async def test_requests_at_once_get_their_own_progress(here: Stage) -> None:
    asked = [here.ask("tools/call", TALK, id=number, progressToken=f"of {number}") for number in range(8)]
    for number, answer in enumerate(await asyncio.gather(*asked)):
        assert answer.id == number
        assert {each["params"]["progressToken"] for each in answer.before} == {f"of {number}"}


async def test_without_a_token_there_is_no_progress(here: Stage) -> None:
    assert (await here.ask("tools/call", TALK, http=STREAM)).said == []


@pytest.mark.parametrize("token", [True, 1.5, [], {}, ["t"]])
async def test_a_token_is_a_string_or_an_integer(here: Stage, token: Any) -> None:
    for method, params in (("tools/call", TALK), ("tools/list", {}), ("resources/read", {"uri": "test://text"})):
        answer = await here.ask(method, params, progressToken=token)
        assert answer.refusal == (400, -32602)
        assert answer.id == 7


async def test_a_token_with_a_fraction_of_zero_is_an_integer(here: Stage) -> None:
    answer = await here.ask("tools/call", TALK, http=STREAM, progressToken=1.0)
    assert [json.dumps(each["params"]["progressToken"]) for each in answer.before] == ["1"] * 3


# --- log -------------------------------------------------------------------------------------------------------------


async def test_no_level_no_log(here: Stage) -> None:
    assert (await here.ask("tools/call", TALK, http=STREAM, progressToken=1)).said == ["notifications/progress"] * 3


@pytest.mark.parametrize(
    ("level", "seen"),
    [("debug", {"debug", "warning"}), ("info", {"warning"}), ("warning", {"warning"}), ("error", set())],
)
async def test_a_log_is_sent_from_its_level_on(here: Stage, level: str, seen: set[str]) -> None:
    answer = await here.ask("tools/call", TALK, level=level)
    assert {each["params"]["level"] for each in answer.before} == seen


async def test_a_log_is_on_no_other_stream(here: Stage) -> None:
    """Not on that of a subscription, nor on that of another request that is being worked on."""
    everything = {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True}
    message = request("subscriptions/listen", {"notifications": everything}, level="debug", progressToken="t")
    listening = await here.answer("POST", "/mcp", json.dumps(message).encode(), headers(message))
    waiting = await began(here)
    answer = await here.ask("tools/call", TALK, level="debug", progressToken="mine")
    assert "notifications/message" in answer.said
    assert isinstance(listening.body, Frames)
    assert isinstance(waiting.body, Frames)
    for body in (listening.body, waiting.body):
        first = await asyncio.wait_for(anext(body), SECONDS)
        assert b"notifications/message" not in first
        assert b"mine" not in first
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(body), 0.05)
        body.close()


async def test_what_an_error_says_is_no_internal_of_ours(here: Stage) -> None:
    """In no message: neither in the error, nor in a log that its client asked for."""
    calls: list[tuple[str, dict[str, Any]]] = [
        ("tools/call", {"name": "fail", "arguments": {"how": "masked"}}),
        ("resources/read", {"uri": "test://broken"}),
    ]
    for method, params in calls:
        answer = await here.ask(method, params, level="debug", http=STREAM)
        text = json.dumps([answer.message, *answer.before])
        assert "secret" not in text
        assert "passwd" not in text
        assert "Traceback" not in text
        assert "error_id" in text
    told = await here.ask("tools/call", {"name": "fail", "arguments": {"how": "told"}})
    assert told.result["isError"] is True
    assert told.result["content"][0]["text"] == "This went wrong"
