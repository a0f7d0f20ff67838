"""notifications/tasks: who listens to a task is told how it stands, at once and at each change, to the end."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from listening_client import SECONDS, SUBSCRIPTION_ID, VERSION, Listened, Stage, request, stage
from pydantic import BaseModel

from mcp_app import Context, tool
from mcp_app.auth.authentication import Authentication
from mcp_app.dialects.mcp.stateless import subscriptions
from mcp_app.protocol.access import Access

EXTENSION = "io.modelcontextprotocol/tasks"
CAN: dict[str, Any] = {"elicitation": {}, "extensions": {EXTENSION: {}}}
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"


class Name(BaseModel):
    name: str


@tool(task="must")
async def greet(ctx: Context) -> str:
    """Ask, after saying some things that are not for listeners."""
    await ctx.progress(1, 2, "asking")
    await ctx.log("error", "asking")
    answer = await ctx.ask(Name, "Who?", key="who")
    return f"Hello, {answer.name}!"


@tool(task="must")
async def forever() -> str:
    """Work until it is stopped."""
    await asyncio.Event().wait()
    return "never"


async def said(here: Stage, method: str, **params: Any) -> dict[str, Any]:
    """A request's result."""
    meta = {"protocolVersion": VERSION, "clientCapabilities": CAN, "clientInfo": {"name": "test", "version": "1"}}
    params["_meta"] = {f"io.modelcontextprotocol/{name}": value for name, value in meta.items()} | {
        "progressToken": "p",
        "io.modelcontextprotocol/logLevel": "debug",
    }
    name = params.get("name") or params["taskId"]
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = await here.ask(message, mcp_method=method, mcp_name=name)
    assert isinstance(answer.body, bytes)
    result: dict[str, Any] = json.loads(answer.body)["result"]
    return result


async def begun(here: Stage, *names: str) -> list[str]:
    """The ids of new tasks."""
    for each in (greet, forever):
        if here.tools.find(each.name) is None:
            here.tools.add(each)
    return [(await said(here, "tools/call", name=name, arguments={}))["taskId"] for name in names]


async def listening(here: Stage, *ids: Any) -> Listened:
    return Listened(await here.ask(request({"taskIds": list(ids)}, can=CAN)))


async def told(stream: Listened) -> tuple[str, str]:
    """The task and its status."""
    message = await asyncio.wait_for(stream.next(), SECONDS)
    assert message["method"] == "notifications/tasks", message
    assert message["params"]["_meta"] == {SUBSCRIPTION_ID: 7}
    return message["params"]["taskId"], message["params"]["status"]


async def honoured(stream: Listened) -> Any:
    message = await stream.next()
    assert message["method"] == ACKNOWLEDGED
    return message["params"]["notifications"]


async def test_every_state_is_told_as_a_poll_would_tell_it() -> None:
    async with stage() as here:
        [task] = await begun(here, "greet")
        stream = await listening(here, task)
        assert await honoured(stream) == {"taskIds": [task]}
        messages = []
        while not messages or messages[-1]["status"] != "input_required":
            messages.append((await asyncio.wait_for(stream.next(), SECONDS))["params"])
        polled = await said(here, "tasks/get", taskId=task)
        assert _without(messages[-1]) == _without(polled)
        assert messages[-1]["inputRequests"]["who"]["method"] == "elicitation/create"
        answer = {"who": {"action": "accept", "content": {"name": "Ann"}}}
        await said(here, "tasks/update", taskId=task, inputResponses=answer)
        while messages[-1]["status"] != "completed":
            messages.append((await asyncio.wait_for(stream.next(), SECONDS))["params"])
        assert messages[-1]["result"]["content"][0]["text"] == "Hello, Ann!"
        assert {each["status"] for each in messages} <= {"working", "input_required", "completed"}
        assert _without(messages[-1]) == _without(await said(here, "tasks/get", taskId=task))


def _without(state: dict[str, Any]) -> dict[str, Any]:
    """But for what every message has of its own."""
    return {key: value for key, value in state.items() if key not in {"_meta", "resultType"}}


async def test_what_has_happened_before_is_told_at_once() -> None:
    async with stage() as here:
        [task] = await begun(here, "forever")
        await said(here, "tasks/cancel", taskId=task)
        stream = await listening(here, task)
        await honoured(stream)
        assert await told(stream) == (task, "cancelled")


async def test_tasks_that_are_not_known_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage() as here:
        [task] = await begun(here, "forever")
        assert await honoured(await listening(here, task, "unknown", 12, task)) == {"taskIds": [task]}
        assert await honoured(await listening(here, "unknown")) == {}
        monkeypatch.setattr(Authentication, "access", lambda *_, **__: Access("somebody else"))
        assert await honoured(await listening(here, task)) == {}


async def test_only_tasks_that_were_asked_for_are_told_of() -> None:
    async with stage() as here:
        one, two = await begun(here, "forever", "forever")
        stream = await listening(here, two)
        await honoured(stream)
        assert await told(stream) == (two, "working")
        await said(here, "tasks/cancel", taskId=one)
        await said(here, "tasks/cancel", taskId=two)
        assert await told(stream) == (two, "cancelled")


async def test_more_tasks_than_are_told_of_are_not_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MAX_TASKS", 1)
    async with stage() as here:
        ids = await begun(here, "forever", "forever")
        assert await honoured(await listening(here, *ids)) == {"taskIds": ids[:1]}


async def test_ids_count_in_the_memory_for_all_subscriptions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MAX_URI_BYTES", 40)
    async with stage() as here:
        [task] = await begun(here, "forever")
        stream = await listening(here, task)
        refused = await here.ask(request({"taskIds": [task]}, can=CAN))
        assert refused.status == 503
        stream.frames.close()
        assert await honoured(await listening(here, task)) == {"taskIds": [task]}
        assert len(here.endpoint.speaker._subscriptions._of_task) == 1


async def test_a_stop_tells_how_the_tasks_ended_before_the_stream_ends() -> None:
    async with stage() as here:
        [task] = await begun(here, "forever")
        stream = await listening(here, task)
        await honoured(stream)
        assert await told(stream) == (task, "working")
        await asyncio.wait_for(here.endpoint.drain(), SECONDS)
        assert await told(stream) == (task, "failed")
        [result] = await stream.rest()
        assert result["result"]["_meta"][SUBSCRIPTION_ID] == 7
        assert here.endpoint.speaker._subscriptions._of_task == {task: {*here.endpoint.speaker._subscriptions._open}}
        stream.frames.close()
        assert here.endpoint.speaker._subscriptions._of_task == {}


async def test_large_results_are_sent_in_writes_of_their_own() -> None:
    async with stage() as here:

        @tool(task="must")
        async def large() -> str:
            return "x" * 100_000

        here.tools.add(large)
        ids = [(await said(here, "tools/call", name="large", arguments={}))["taskId"] for _ in range(3)]
        await here.endpoint.speaker._tasks.settled()
        assert [(await said(here, "tasks/get", taskId=each))["status"] for each in ids] == ["completed"] * 3
        stream = await listening(here, *ids)
        writes = [await stream.read() for _ in range(3)]
        assert [[each["method"] for each in write] for write in writes] == [
            [ACKNOWLEDGED, "notifications/tasks"],
            ["notifications/tasks"],
            ["notifications/tasks"],
        ]


@pytest.mark.parametrize("wanted", ["x", {"a": 1}, 5, True])
async def test_ids_that_are_no_list(wanted: Any) -> None:
    async with stage() as here:
        answer = await here.ask(request({"taskIds": wanted}, can=CAN))
        assert isinstance(answer.body, bytes)
        assert json.loads(answer.body)["error"]["code"] == -32602
