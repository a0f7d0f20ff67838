"""MCP 2026-07-28 over standard input and output: no session, and nothing that a header would say."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import pytest
from loop_clock import on_loop_clock
from mcp_types.methods import parse_server_notification, validate_server_result
from pydantic import Field
from stdio_stage import META, MODERN, TASKS, Stage, cancelled, initialize, modern, notification, request, stage
from stdio_tools import TOOLS, Told, add, plan, today

from mcp_app import tool

SUBSCRIPTION_ID = f"{META}subscriptionId"
EVERYTHING = {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True}


async def called(here: Stage, name: str, arguments: Any = None, **more: Any) -> Any:
    said = await here.ask(modern("tools/call", {"name": name, "arguments": arguments or {}}, **more))
    if "result" in said and said["result"]["resultType"] != "task":
        validate_server_result("tools/call", MODERN, said["result"])
    return said


async def test_discovery_and_calls_need_no_session_and_no_header() -> None:
    async with stage(*TOOLS, resources=[today], prompts=[plan]) as here:
        result = (await here.ask(modern("server/discover")))["result"]
        validate_server_result("server/discover", MODERN, result)
        assert result["supportedVersions"][0] == MODERN
        assert (await called(here, "add", {"a": 2, "b": 3}))["result"]["structuredContent"] == 5
        said = await here.ask(modern("resources/read", {"uri": "note://today"}))
        assert said["result"]["contents"][0]["text"] == "buy milk"
        assert "error" in await here.ask(modern("initialize"))


async def test_a_revision_that_is_not_spoken_is_told_the_supported_ones() -> None:
    async with stage(add) as here:
        said = await here.ask(modern("tools/list", version="1900-01-01"))
        assert said["error"]["code"] == -32022
        assert said["error"]["data"]["requested"] == "1900-01-01"
        assert MODERN in said["error"]["data"]["supported"]


@pytest.mark.parametrize("missing", ["protocolVersion", "clientCapabilities"])
async def test_what_every_request_says_is_needed(missing: str) -> None:
    async with stage(add) as here:
        message = modern("server/discover")
        del message["params"]["_meta"][META + missing]
        assert (await here.ask(message))["error"]["code"] == -32602


async def test_a_probe_without_meta_is_answered_in_the_modern_way() -> None:
    async with stage(add) as here:
        assert (await here.ask(request("server/discover")))["error"]["code"] == -32602


async def test_both_eras_are_served_by_one_process() -> None:
    async with stage(*TOOLS) as here:
        await here.session()
        assert (await called(here, "add", {"a": 1, "b": 1}))["result"]["structuredContent"] == 2
        assert (await here.ask(request("tools/list")))["result"]["tools"]


async def test_an_argument_that_headers_repeat_over_http_needs_none() -> None:

    @tool
    async def region(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
        return region

    async with stage(region) as here:
        assert (await called(here, "region", {"region": "north"}))["result"]["structuredContent"] == "north"


async def test_progress_and_logs_come_for_who_asked_for_them() -> None:
    async with stage(*TOOLS) as here:
        params = {"name": "count", "arguments": {"to": 2}}
        await here.say(modern("tools/call", params, progressToken="t"))
        *progress, response = await here.until(lambda each: "id" in each)
        for each in progress:
            parse_server_notification(each["method"], MODERN, each["params"])
        assert [each["params"]["progress"] for each in progress] == [1, 2]
        assert response["result"]["structuredContent"] == "counted to 2"
        await here.say(modern("tools/call", {"name": "logs", "arguments": {}}, **{f"{META}logLevel": "info"}))
        seen = await here.until(lambda each: "id" in each)
        assert [each["params"]["data"] for each in seen[:-1]] == ["first", "second"]
        assert "result" in await called(here, "logs")  # and nothing before it


async def test_questions_are_answered_by_the_retry_and_never_sent_as_requests() -> None:
    can = {"elicitation": {"form": {}}}
    async with stage(*TOOLS) as here:
        result = (await called(here, "ask", can=can))["result"]
        assert result["resultType"] == "input_required"
        params = {
            "name": "ask",
            "arguments": {},
            "requestState": result["requestState"],
            "inputResponses": {"who": {"action": "accept", "content": {"name": "Ada"}}},
        }
        said = await here.ask(modern("tools/call", params, can=can))
        assert said["result"]["structuredContent"] == "Hello, Ada!"


async def test_a_cancelled_call_stops_and_no_further_message_is_sent() -> None:
    told = Told()
    async with stage(told.wait) as here:
        await here.say(modern("tools/call", {"name": "wait", "arguments": {}}, id="c", progressToken="t"))
        assert (await here.next())["params"]["message"] == "waiting"
        await here.say(cancelled("c"))
        await asyncio.wait_for(told.stopped.wait(), 10)
        assert told.reason == "cancelled"
        await here.quiet()


async def test_tasks_are_polled() -> None:
    can = {"extensions": {TASKS: {}}}
    async with stage(*TOOLS) as here:
        created = (await called(here, "job", can=can))["result"]
        assert created["resultType"] == "task"
        params = {"taskId": created["taskId"]}
        found = (await here.ask(modern("tasks/get", params, can=can)))["result"]
        while found["status"] == "working":
            found = (await here.ask(modern("tasks/get", params, can=can)))["result"]
        assert found["status"] == "completed"
        assert found["result"]["structuredContent"] == "worked"
        assert (await here.ask(modern("tasks/get", params)))["error"]["code"] == -32021
        assert (await here.ask(modern("tasks/get", {"taskId": "0" * 32}, can=can)))["error"]["code"] == -32602


@on_loop_clock
async def test_a_call_is_no_task_only_because_its_client_knows_tasks() -> None:
    """Over HTTP it is promoted near the cap of its stream. Here there is none."""
    async with stage(*TOOLS, cap_seconds=1) as here:

        @tool
        async def slow() -> str:
            await asyncio.sleep(4)
            return "slow"

        here.tools.add(slow)
        said = await called(here, "slow", can={"extensions": {TASKS: {}}})
        assert said["result"]["structuredContent"] == "slow"


# --- subscriptions ---------------------------------------------------------------------------------------------------


async def test_a_subscription_is_acknowledged_first_and_every_message_names_it() -> None:
    async with stage(add, resources=[today]) as here:
        wanted = {**EVERYTHING, "resourceSubscriptions": ["note://today"]}
        await here.say(modern("subscriptions/listen", {"notifications": wanted}, id="s"))
        acknowledged = await here.next()
        assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
        assert acknowledged["params"]["notifications"] == wanted
        here.tools.remove(add)
        changed = await here.next()
        assert changed["method"] == "notifications/tools/list_changed"
        here.resources.updated("note://today")
        updated = await here.next()
        assert updated["params"]["uri"] == "note://today"
        assert {each["params"]["_meta"][SUBSCRIPTION_ID] for each in (acknowledged, changed, updated)} == {"s"}


async def test_only_what_was_asked_for_is_told() -> None:
    async with stage(add) as here:
        await here.say(modern("subscriptions/listen", {"notifications": {"promptsListChanged": True}}, id="s"))
        await here.next()
        here.tools.remove(add)
        await here.quiet()


async def test_several_subscriptions_share_the_channel() -> None:
    async with stage(add) as here:
        for id_ in (1, 2):
            await here.say(modern("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, id=id_))
            assert (await here.next())["params"]["_meta"] == {SUBSCRIPTION_ID: id_}
        await here.say(cancelled(1))
        here.tools.remove(add)
        assert (await here.next())["params"]["_meta"] == {SUBSCRIPTION_ID: 2}
        await here.quiet()


async def test_a_server_that_stops_ends_it_with_its_result_and_says_that_it_is_torn_down() -> None:
    async with stage(add) as here:
        await here.say(modern("subscriptions/listen", {"notifications": EVERYTHING}, id="s"))
        await here.next()
        await asyncio.wait_for(here.endpoint.drain(), 10)
        result, teardown = await here.next(), await here.next()
        assert (result["id"], result["result"]["resultType"]) == ("s", "complete")
        assert result["result"]["_meta"][SUBSCRIPTION_ID] == "s"
        parse_server_notification("notifications/cancelled", MODERN, teardown["params"])
        assert (teardown["method"], teardown["params"]["requestId"]) == ("notifications/cancelled", "s")


async def test_nothing_is_ever_cancelled_but_a_subscription() -> None:
    told = Told()
    async with stage(told.wait) as here:
        await here.say(modern("tools/call", {"name": "wait", "arguments": {}}, id=1))
        await asyncio.wait_for(told.begun.wait(), 10)
        await asyncio.wait_for(here.endpoint.drain(), 10)
        assert (await here.next())["error"]["data"]["code"] == "shutdown"
        await here.quiet()


async def test_a_session_is_not_needed_to_ignore_notifications() -> None:
    async with stage() as here:
        await here.say(notification("notifications/initialized"), notification("notifications/progress", {}))
        await here.quiet()
        await here.say(initialize())
        assert (await here.next())["result"]


@pytest.mark.parametrize("session", [False, True])
async def test_a_call_with_an_idempotency_key_is_worked_on_once(session: bool) -> None:
    calls = 0

    @tool
    async def book() -> int:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        return calls

    meta = {"com.example.mcp-app/idempotencyKey": "k" * 16}
    params = {"name": "book", "arguments": {}}
    async with stage(book) as here:
        if session:
            await here.session()
        for id_ in (11, 12):
            message = (request if session else modern)("tools/call", params, id=id_)
            message["params"]["_meta"] = {**message["params"].get("_meta", {}), **meta}
            await here.say(message)
        answers = [await here.next() for _ in range(2)]
        assert sorted(answer["id"] for answer in answers) == [11, 12]
        assert [answer["result"]["content"][0]["text"] for answer in answers] == ["1", "1"]
    assert calls == 1
