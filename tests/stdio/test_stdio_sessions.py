"""Sessions over standard input and output: MCP 2025-11-25 and older."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from loop_clock import on_loop_clock
from stdio_stage import META, MODERN, call, cancelled, initialize, modern, notification, request, stage
from stdio_tools import TOOLS, Told, add, plan, today

from mcp_app import Context, tool

EVERY = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")


@pytest.mark.parametrize("version", EVERY)
async def test_a_session_of_every_revision(version: str) -> None:
    async with stage(*TOOLS, resources=[today], prompts=[plan]) as here:
        result = await here.session(version)
        assert result["protocolVersion"] == version
        listed = (await here.ask(request("tools/list")))["result"]["tools"]
        assert [each["name"] for each in listed] == [each.name for each in TOOLS]
        said = await here.ask(call("add", {"a": 2, "b": 3}))
        assert said["result"]["content"] == [{"type": "text", "text": "5"}]
        said = await here.ask(request("resources/read", {"uri": "note://today"}))
        assert said["result"]["contents"][0]["text"] == "buy milk"
        said = await here.ask(request("prompts/get", {"name": "plan", "arguments": {"day": "monday"}}))
        assert said["result"]["messages"][0]["content"]["text"] == "Plan my monday."


@pytest.mark.parametrize("version", [*EVERY, MODERN])
async def test_a_message_is_one_line_whatever_is_in_it(version: str) -> None:
    said = "one\ntwo\r\nthree\u2028four\x85\0"

    @tool
    async def says(ctx: Context) -> Any:
        await ctx.progress(1, message=said)
        await ctx.log("error", said, data={said: said})
        return {said: said}

    async with stage(says) as here:
        if version == MODERN:
            params = {"name": "says", "arguments": {}}
            await here.say(modern("tools/call", params, progressToken=said, **{f"{META}logLevel": "info"}))
        else:
            await here.session(version)
            await here.say(call("says", token=said))
        seen = await here.until(lambda each: "id" in each)
        assert [each["method"] for each in seen[:-1]] == ["notifications/progress", "notifications/message"]
        assert json.loads(seen[-1]["result"]["content"][0]["text"]) == {said: said}
        assert not any(b"\n" in each or b"\r" in each for each in here.sent)


async def test_an_unknown_revision_is_answered_with_the_newest() -> None:
    async with stage() as here:
        assert (await here.session("1999-01-01"))["protocolVersion"] == "2025-11-25"


async def test_the_principal_is_local() -> None:
    async with stage(*TOOLS) as here:
        await here.session()
        assert (await here.ask(call("principal")))["result"]["content"][0]["text"] == "local"
        said = await here.ask(modern("tools/call", {"name": "principal", "arguments": {}}))
        assert said["result"]["content"][0]["text"] == "local"


async def test_progress_and_logs_come_before_the_response() -> None:
    async with stage(*TOOLS) as here:
        await here.session()
        await here.say(call("count", {"to": 3}, id=5, token="t"))
        *progress, response = await here.until(lambda each: "id" in each)
        assert [each["params"]["progress"] for each in progress] == [1, 2, 3]
        assert {each["params"]["progressToken"] for each in progress} == {"t"}
        assert response["result"]["content"][0]["text"] == "counted to 3"
        await here.say(request("logging/setLevel", {"level": "error"}, id=6), call("logs", id=7))
        level, line, response = [await here.next() for _ in range(3)]
        assert (level["id"], response["id"]) == (6, 7)
        assert line["params"] == {"level": "error", "data": "second"}


async def test_calls_are_worked_on_at_the_same_time() -> None:
    told = Told()
    async with stage(*TOOLS, told.wait) as here:
        await here.session()
        await here.say(call("wait", id="slow"))
        await asyncio.wait_for(told.begun.wait(), 10)
        assert (await here.ask(call("add", {"a": 1, "b": 1}, id="quick")))["result"]["structuredContent"] == {
            "result": 2
        }
        assert not told.stopped.is_set()


async def test_a_cancelled_call_stops_and_is_not_answered() -> None:
    told = Told()
    async with stage(told.wait, add) as here:
        await here.session()
        await here.say(call("wait", id=9))
        await asyncio.wait_for(told.begun.wait(), 10)
        await here.say(cancelled(9))
        await asyncio.wait_for(told.stopped.wait(), 10)
        assert told.reason == "cancelled"
        await here.quiet()
        assert (await here.ask(call("add", {"a": 1, "b": 1}, id=9)))["result"]  # the id is free again


async def test_an_id_can_be_used_again_as_soon_as_its_client_knows_that_it_is_free() -> None:
    """Not a turn of the loop later: with its response, or with the line that cancels it."""
    told = Told()
    async with stage(told.wait, add) as here:
        await here.session()
        for _ in range(20):
            await here.connection.receive(json.dumps(call("add", {"a": 1, "b": 1}, id=1)).encode())
            assert "result" in await here.at_once()
        await here.say(call("wait", id=1), cancelled(1), call("add", {"a": 1, "b": 1}, id=1))
        assert "result" in await here.at_once()


async def test_a_call_can_be_cancelled_in_the_line_after_it() -> None:
    told = Told()
    async with stage(told.wait) as here:
        await here.session()
        await here.say(call("wait", id=9), cancelled(9))
        await here.quiet()
        assert here.runs.working == 0


@pytest.mark.parametrize("id_", ["unknown", None, 1.5, {"a": 1}, [1]])
async def test_cancelling_what_is_not_there_is_ignored(id_: Any) -> None:
    async with stage(add) as here:
        await here.session()
        await here.say(cancelled(id_), notification("notifications/cancelled"), notification("notifications/other"))
        await here.quiet()


async def test_initialize_cannot_be_cancelled() -> None:
    async with stage() as here:
        await here.say(initialize(id=1), cancelled(1))
        assert (await here.next())["result"]["protocolVersion"] == "2025-11-25"


async def test_the_client_is_asked_on_the_same_channel() -> None:
    async with stage(*TOOLS) as here:
        await here.session(elicitation={}, sampling={}, roots={})
        await here.say(call("ask", id=1))
        question = await here.next()
        assert question["method"] == "elicitation/create"
        await here.say(
            {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "content": {"name": "Ada"}}}
        )
        assert (await here.next())["result"]["content"][0]["text"] == "Hello, Ada!"
        await here.say(call("sample", id=2))
        question = await here.next()
        assert question["method"] == "sampling/createMessage"
        content = {"role": "assistant", "model": "none", "content": {"type": "text", "text": "roses"}}
        await here.say({"jsonrpc": "2.0", "id": question["id"], "result": content})
        assert (await here.next())["result"]["content"][0]["text"] == "The model said: roses"
        await here.say(call("roots", id=3))
        question = await here.next()
        assert question["method"] == "roots/list"
        await here.say({"jsonrpc": "2.0", "id": question["id"], "result": {"roots": [{"uri": "file:///work"}]}})
        assert (await here.next())["result"]["content"][0]["text"] == "file:///work"


async def test_a_response_that_nobody_expects_is_ignored() -> None:
    async with stage() as here:
        await here.say({"jsonrpc": "2.0", "id": 99, "result": {}})
        await here.session()
        await here.say(
            {"jsonrpc": "2.0", "id": 99, "result": {}}, {"jsonrpc": "2.0", "error": {"code": 1, "message": "?"}}
        )
        await here.quiet()


async def test_changes_are_told() -> None:
    async with stage(add, resources=[today]) as here:
        await here.session()
        await here.ask(request("resources/subscribe", {"uri": "note://today"}))
        here.tools.add(tool(name="another")(plan.function))
        assert await here.next() == {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
        here.resources.updated("note://today")
        assert (await here.next())["params"] == {"uri": "note://today"}
        await here.ask(request("resources/unsubscribe", {"uri": "note://today"}))
        here.resources.updated("note://today")
        await here.quiet()


async def test_nothing_is_told_before_the_session_is_initialized() -> None:
    async with stage(add) as here:
        here.tools.remove(add)
        await here.say(initialize())
        await here.next()
        await here.quiet()


@on_loop_clock
async def test_a_silent_tool_has_progress_for_who_asked_for_it() -> None:
    """ "Implementations MAY choose to reset the timeout clock when receiving a progress notification": clients do."""

    @tool
    async def silent(ctx: Context) -> str:
        await ctx.log("info", "not silent, but no progress")
        await asyncio.Event().wait()
        return ""

    async with stage(silent, heartbeat_seconds=1) as here:
        await here.session()
        await here.say(call("silent", id=1, token=7))
        seen = await here.until(lambda each: each["method"] == "notifications/progress")
        assert seen[-1]["params"]["progressToken"] == 7
        assert "working" in seen[-1]["params"]["message"]
        await here.say(call("silent", id=2), cancelled(1))
        await here.until(lambda each: each["method"] == "notifications/message")
        await asyncio.sleep(5)  # five times what puts a heartbeat out
        await here.quiet()  # no token, no progress: there is nothing else that could be sent


async def test_a_call_that_finds_the_queue_full_is_an_error_in_both_eras() -> None:
    @tool(at_once=1, waiting=1)
    async def one_at_a_time() -> None:
        await asyncio.Event().wait()

    async with stage(one_at_a_time) as here:
        await here.session()
        await here.say(call("one_at_a_time", id="working"), call("one_at_a_time", id="waiting"))
        await here.quiet()
        params = {"name": "one_at_a_time", "arguments": {}}
        for refused in (call("one_at_a_time", id="refused"), modern("tools/call", params, id="refused")):
            assert (await here.ask(refused))["error"]["data"]["code"] == "queue_full"


async def test_the_cap_is_that_of_the_run_not_of_a_stream() -> None:
    @tool
    async def lasts(ctx: Context) -> float:
        return ctx.seconds_left

    async with stage(lasts, cap_seconds=1, run_life_seconds=500) as here:
        await here.session()
        assert (await here.ask(call("lasts")))["result"]["structuredContent"]["result"] > 400

    @tool
    async def forever() -> None:
        await asyncio.Event().wait()

    async with stage(forever, cap_seconds=500, run_life_seconds=0.05) as here:
        await here.session()
        said = await here.ask(call("forever"))
        assert said["error"]["data"]["code"] == "time_cap"


async def test_all_of_a_large_result_is_in_its_line() -> None:
    """What is cut in an event of a stream, which some clients bound, is not cut here."""
    async with stage(*TOOLS) as here:
        await here.session()
        said = await here.ask(call("large", {"size": 700_000}))
        assert len(here.sent[-1]) > 1_400_000
        assert len(said["result"]["content"][0]["text"]) > 700_000
        assert len(said["result"]["structuredContent"]["text"]) == 700_000


async def test_an_exit_in_a_tool_ends_its_call_alone() -> None:
    async with stage(*TOOLS) as here:
        await here.session()
        said = await here.ask(call("exits"))
        assert said["result"]["isError"] or said["error"]
        assert (await here.ask(request("ping")))["result"] == {}


# --- batches ---------------------------------------------------------------------------------------------------------


async def test_a_batch_is_answered_by_one_array() -> None:
    async with stage(*TOOLS) as here:
        await here.session("2025-03-26")
        await here.say(
            [
                request("ping", id=1),
                call("count", {"to": 2}, id=2, token="t"),
                notification("notifications/initialized"),
                call("nothing", id=3),
                {"jsonrpc": "2.0", "method": 5, "id": 4},
                initialize("2025-03-26", id=5),
                modern("tools/list", id=6),
            ]
        )
        *progress, batch = await here.until(lambda each: isinstance(each, list))
        assert [each["params"]["progress"] for each in progress] == [1, 2]
        assert sorted(each["id"] for each in batch) == [1, 2, 3, 4, 5, 6]
        by_id = {each["id"]: each for each in batch}
        assert by_id[2]["result"]["content"][0]["text"] == "counted to 2"
        assert all("error" in by_id[each] for each in (3, 4, 5, 6))


async def test_a_batch_of_notifications_has_no_answer() -> None:
    async with stage() as here:
        await here.session("2025-03-26")
        await here.say([notification("notifications/initialized")])
        await here.quiet()


async def test_what_is_cancelled_is_missing_in_the_answer_to_its_batch() -> None:
    told = Told()
    async with stage(told.wait) as here:
        await here.session("2025-03-26")
        await here.say([call("wait", id=1), request("ping", id=2)])
        await asyncio.wait_for(told.begun.wait(), 10)
        await here.say(cancelled(1))
        assert [each["id"] for each in await here.next()] == [2]


@pytest.mark.parametrize("version", [each for each in EVERY if each != "2025-03-26"])
async def test_other_revisions_have_no_batches(version: str) -> None:
    async with stage() as here:
        await here.session(version)
        await here.say([request("ping")])
        said = await here.next()
        assert said["error"]["code"] == -32600
        assert "id" not in said
