"""MCP extension io.modelcontextprotocol/tasks: a call becomes a task, is polled, answered, cancelled and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asks_stage
import pytest
from asks_stage import SECONDS, Said, Server, accepted
from pydantic import BaseModel

from mcp_app import Context, ToolError, tool
from mcp_app.aio.deadlines import Deadlines
from mcp_app.protocol.errors import ToolDefinitionError
from mcp_app.protocol.mcp.jsonrpc import Code

Make = Callable[..., Server]
EXTENSION = "io.modelcontextprotocol/tasks"
CAN: dict[str, Any] = {"elicitation": {}, "extensions": {EXTENSION: {}}}
TERMINAL = {"completed", "failed", "cancelled"}


class Name(BaseModel):
    name: str


class Client:
    """Polls, as a client that can follow tasks."""

    def __init__(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server = server
        names = {**asks_stage._NAMES, **dict.fromkeys(("tasks/get", "tasks/update", "tasks/cancel"), "taskId")}
        monkeypatch.setattr(asks_stage, "_NAMES", names)
        monkeypatch.setattr(asks_stage, "validate_server_result", lambda *_: None)  # its schema knows no tasks

    async def call(self, name: str, **more: Any) -> dict[str, Any]:
        return (await self.server.call(name, can=CAN, **more)).result

    async def ask(self, method: str, task: str, **more: Any) -> Said:
        can = more.pop("can", CAN)
        return await self.server.request(f"tasks/{method}", {"taskId": task, **more}, can=can)

    async def get(self, task: str) -> dict[str, Any]:
        return (await self.ask("get", task)).result

    async def until(self, task: str, *statuses: str) -> dict[str, Any]:
        async with asyncio.timeout(SECONDS):
            while True:
                found = await self.get(task)
                if found["status"] in (statuses or TERMINAL):
                    return found
                await asyncio.sleep(0.01)


@pytest.fixture
def client(serve: Make, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Client]:
    return lambda *tools: Client(serve(*tools), monkeypatch)


@tool(task="may")
async def forever() -> str:
    """Work until it is stopped."""
    await asyncio.Event().wait()
    return "never"


@tool(task="must")
async def job() -> str:
    """Do it."""
    return "done"


@tool(task="must")
async def failing() -> str:
    """Fail for the model."""
    raise ToolError("It failed.")


@tool(task="must", time_limit=0.05)
async def overdue() -> str:
    """Take too long."""
    await asyncio.Event().wait()
    return "never"


@tool(task="must")
async def two(ctx: Context) -> str:
    """Ask two people."""
    first, second = await asyncio.gather(ctx.ask(Name, "First?"), ctx.ask(Name, "Second?"))
    return f"{first.name} and {second.name}"


async def test_a_task_that_must_be_one_and_its_result(client: Callable[..., Client]) -> None:
    peer = client(job)
    created = await peer.call("job")
    assert created["resultType"] == "task"
    assert set(created) == {
        *("resultType", "taskId", "status", "createdAt", "lastUpdatedAt", "ttlMs", "pollIntervalMs", "_meta")
    }
    assert created["status"] == "working"
    assert created["createdAt"].endswith("Z")
    assert created["ttlMs"] == (3600 + 600) * 1000
    done = await peer.until(created["taskId"])
    assert done["status"] == "completed"
    assert done["resultType"] == "complete"
    assert done["result"]["content"] == [{"type": "text", "text": "done"}]


async def test_a_client_without_the_extension(client: Callable[..., Client]) -> None:
    async def quick() -> str:
        return "at once"

    peer = client(job, tool(task="may")(quick))
    refused = await peer.server.call("job")
    assert refused.status == 400
    assert refused.error["code"] == Code.MISSING_CLIENT_CAPABILITY
    assert refused.error["data"] == {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
    assert (await peer.server.call("quick")).text == "at once"
    polled = await peer.ask("get", "x", can={})
    assert polled.error["code"] == Code.MISSING_CLIENT_CAPABILITY


async def test_what_is_done_at_once_is_no_task_and_is_not_kept(client: Callable[..., Client]) -> None:
    async def quick() -> str:
        return "at once"

    peer = client(tool(task="may")(quick))
    result = await peer.call("quick")
    assert result["resultType"] == "complete"
    assert result["content"][0]["text"] == "at once"
    assert peer.server.runs.kept == 0


async def test_a_tool_that_may_asks_before_it_is_a_task(client: Callable[..., Client]) -> None:
    async def greet(ctx: Context) -> str:
        name = (await ctx.ask(Name, "Who?", key="who")).name
        await asyncio.sleep(0.7)
        return f"Hello, {name}!"

    peer = client(tool(task="may")(greet))
    asked = await peer.server.call("greet", can=CAN)
    assert set(asked.requests) == {"who"}
    created = (await peer.server.call("greet", {"who": accepted(name="Ann")}, asked.state, can=CAN)).result
    assert created["resultType"] == "task"
    assert "requestState" not in created
    done = await peer.until(created["taskId"])
    assert done["result"]["content"][0]["text"] == "Hello, Ann!"


async def test_partial_answers_leave_the_rest_outstanding(client: Callable[..., Client]) -> None:
    peer = client(two)
    task = (await peer.call("two"))["taskId"]
    asked = await peer.until(task, "input_required")
    first, second = asked["inputRequests"]
    acknowledged = await peer.ask("update", task, inputResponses={first: accepted(name="Ann"), "nobody": {}})
    assert set(acknowledged.result) == {"resultType", "_meta"}
    asked = await peer.get(task)
    assert asked["status"] == "input_required"
    assert set(asked["inputRequests"]) == {second}
    await peer.ask("update", task, inputResponses={first: accepted(name="Eve"), second: accepted(name="Bob")})
    assert (await peer.until(task))["result"]["content"][0]["text"] == "Ann and Bob"


async def test_an_answer_that_does_not_fit_is_asked_for_again_under_another_key(
    client: Callable[..., Client],
) -> None:
    peer = client(two)
    task = (await peer.call("two"))["taskId"]
    first, second = (await peer.until(task, "input_required"))["inputRequests"]
    await peer.ask("update", task, inputResponses={first: accepted(name=1), second: accepted(name="Bob")})
    [again] = (await peer.until(task, "input_required"))["inputRequests"]
    assert again not in {first, second}
    await peer.ask("update", task, inputResponses={again: accepted(name="Ann")})
    assert (await peer.until(task))["result"]["content"][0]["text"] == "Ann and Bob"


async def test_a_step_of_a_task_asks_by_a_key_of_its_own(client: Callable[..., Client]) -> None:
    async def ask(ctx: Context) -> str:
        return (await ctx.ask(Name, "Your name?")).name

    asking = tool(ask)

    @tool(task="must")
    async def outer(ctx: Context) -> str:
        own = await ctx.ask(Name, "And you?")
        return f"{own.name} and {await ctx.call(asking)}"

    peer = client(outer)
    task = (await peer.call("outer"))["taskId"]
    for key, name in (("ask-1", "Ann"), ("ask/ask-1", "Bob")):
        assert list((await peer.until(task, "input_required"))["inputRequests"]) == [key]
        await peer.ask("update", task, inputResponses={key: accepted(name=name)})
    assert (await peer.until(task))["result"]["content"][0]["text"] == "Ann and Bob"


async def test_failures(client: Callable[..., Client]) -> None:
    peer = client(failing, overdue)
    told = await peer.until((await peer.call("failing"))["taskId"])
    assert told["status"] == "completed"
    assert told["result"]["isError"] is True
    late = await peer.until((await peer.call("overdue"))["taskId"])
    assert late["status"] == "failed"
    assert late["error"]["code"] == Code.INTERNAL_ERROR
    assert late["statusMessage"] == late["error"]["message"]
    assert "result" not in late


async def test_cancelling_twice(client: Callable[..., Client]) -> None:
    peer = client(forever)
    task = (await peer.call("forever"))["taskId"]
    assert (await peer.get(task))["status"] == "working"
    for _ in range(2):
        assert set((await peer.ask("cancel", task)).result) == {"resultType", "_meta"}
        assert (await peer.get(task))["status"] == "cancelled"


async def test_a_caller_that_leaves_before_there_is_a_task(client: Callable[..., Client]) -> None:
    peer = client(forever)
    calling = asyncio.create_task(peer.call("forever"))
    async with asyncio.timeout(SECONDS):
        while not peer.server.runs.working:  # noqa: ASYNC110 - a run tells nobody that it began
            await asyncio.sleep(0)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        while peer.server.runs.kept:  # noqa: ASYNC110 - nor that it was forgotten
            await asyncio.sleep(0)
    assert peer.server.runs.ended == {"left": 1}


@pytest.mark.parametrize("method", ["get", "update", "cancel"])
async def test_a_task_that_is_not_known(client: Callable[..., Client], method: str) -> None:
    said = await client(job).ask(method, "nothing", inputResponses={})
    assert said.error["code"] == Code.INVALID_PARAMS


async def test_a_task_id_and_answers_of_the_wrong_type(client: Callable[..., Client]) -> None:
    peer = client(two)
    task = (await peer.call("two"))["taskId"]
    assert (await peer.ask("update", task)).error["code"] == Code.INVALID_PARAMS
    assert (await peer.server.request("tasks/cancel", {"taskId": task, "x": 1}, can=CAN)).status == 200


@pytest.mark.parametrize("method", ["tasks/result", "tasks/list"])
async def test_methods_of_old(client: Callable[..., Client], method: str) -> None:
    said = await client(job).server.request(method, {"taskId": "x"}, can=CAN)
    assert said.status == 404
    assert said.error["code"] == Code.METHOD_NOT_FOUND


async def test_it_is_declared(client: Callable[..., Client]) -> None:
    found = (await client(job).server.request("server/discover", {})).result
    assert found["capabilities"]["extensions"] == {EXTENSION: {}}
    assert "tasks" not in found["capabilities"]


def test_a_word_that_says_nothing_of_tasks() -> None:
    with pytest.raises(ToolDefinitionError, match="never, may, must"):
        tool(name="x", task="always")(lambda: None)  # type: ignore[call-overload]


async def test_what_was_yielded_is_in_the_result_of_every_poll(client: Callable[..., Client]) -> None:
    async def count() -> Any:
        for number in range(3):
            yield number

    peer = client(tool(task="must")(count))
    task = (await peer.call("count"))["taskId"]
    done = await peer.until(task)
    assert [block["text"] for block in done["result"]["content"]] == ["0", "1", "2"]
    assert (await peer.get(task)) == done


async def test_the_result_is_kept_for_what_is_left_of_the_life(
    client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = client(job)
    delays: dict[object, float] = {}
    at = Deadlines.at

    def noted(deadlines: Deadlines[Any], key: object, when: float) -> None:
        delays[getattr(key, "id", key)] = when - asyncio.get_running_loop().time()
        at(deadlines, key, when)

    monkeypatch.setattr(Deadlines, "at", noted)
    created = await peer.call("job")
    await peer.until(created["taskId"])
    assert delays[created["taskId"]] == pytest.approx(created["ttlMs"] / 1000, abs=SECONDS)


async def test_listening_to_tasks_takes_the_extension(client: Callable[..., Client]) -> None:
    said = await client(job).server.request("subscriptions/listen", {"notifications": {"taskIds": ["x"]}})
    assert said.status == 400
    assert said.error["code"] == Code.MISSING_CLIENT_CAPABILITY
