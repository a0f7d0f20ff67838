"""SEP-2663: what the Tasks extension demands of a server and is shown nowhere else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from mcp_app import Registry, Settings, ToolError, tool
from mcp_app.auth.authentication import Authentication
from mcp_app.dialects.mcp.stateless import tasks
from mcp_app.endpoint import Endpoint
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.manifest import load_manifest
from mcp_app.protocol.access import Access
from mcp_app.runs import Runs
from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer, Request

SECONDS = 20.0
EXTENSION = "io.modelcontextprotocol/tasks"
CAN: dict[str, Any] = {"extensions": {EXTENSION: {}}}
LEGACY: dict[str, Any] = {"tasks": {"requests": {"tools": {"call": {}}}, "cancel": {}, "list": {}}}
METHODS = ("tasks/get", "tasks/update", "tasks/cancel")

Ask = Callable[..., Any]


@tool(task="must")
async def must() -> str:
    """Be a task."""
    return "done"


@tool(task="may")
async def may() -> str:
    """Take longer than is waited for, so that it would be a task."""
    await asyncio.sleep(tasks.AT_ONCE_SECONDS + 0.1)
    return "done"


@tool(task="may")
async def quick() -> str:
    """Be done at once."""
    return "done"


@tool(task="must")
async def told() -> str:
    """Fail in words for the model."""
    raise ToolError("Not today.")


@tool
async def promoted() -> str:
    """Work for longer than the cap."""
    await asyncio.sleep(3)
    return "done"


@pytest.fixture
async def ask() -> AsyncIterator[Ask]:
    """ask(method, params, can=…) -> the response's message."""
    settings, log = Settings(cap_seconds=1.0), MemoryLog()
    runs = Runs(settings, log)
    endpoint = Endpoint(settings, Registry([must, may, quick, told, promoted]), load_manifest(None), runs, log)

    async def one(method: str, params: dict[str, Any] | None = None, can: Any = CAN) -> dict[str, Any]:
        meta = {"protocolVersion": "2026-07-28", "clientCapabilities": can}
        given = {**(params or {}), "_meta": {f"io.modelcontextprotocol/{name}": value for name, value in meta.items()}}
        headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": method}
        if name := given.get("taskId") or given.get("name"):
            headers["mcp-name"] = name
        answer = await posted(endpoint, {"jsonrpc": "2.0", "id": 7, "method": method, "params": given}, headers)
        messages = await asyncio.wait_for(_messages(answer), SECONDS)
        return messages[-1]

    one.endpoint = endpoint  # type: ignore[attr-defined]
    yield one
    await asyncio.wait_for(endpoint.drain(), SECONDS)
    runs.close()


async def posted(endpoint: Endpoint, message: Any, headers: dict[str, str]) -> Answer:
    fields = {
        "host": "127.0.0.1:8000",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        **headers,
    }
    request = Request("POST", "/mcp", headers=fields, body=json.dumps(message).encode())
    return await asyncio.wait_for(endpoint.answer(request), SECONDS)


async def _messages(answer: Answer) -> list[dict[str, Any]]:
    if not isinstance(answer.body, Frames):
        return [json.loads(answer.body)] if answer.body else [{}]
    try:
        text = b"".join([chunk async for chunk in answer.body]).decode()
    finally:
        answer.body.close()
    if dict(answer.headers)["Content-Type"] == "application/json":
        return [json.loads(text)]
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]


async def created(ask: Ask, name: str = "must") -> str:
    said = await ask("tools/call", {"name": name, "arguments": {}})
    assert said["result"]["resultType"] == "task"
    task: str = said["result"]["taskId"]
    return task


async def ended(ask: Ask, task: str) -> dict[str, Any]:
    async with asyncio.timeout(SECONDS):
        while True:
            found: dict[str, Any] = (await ask("tasks/get", {"taskId": task}))["result"]
            if found["status"] not in {"working", "input_required"}:
                return found
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("name", ["may", "promoted"])
@pytest.mark.parametrize("can", [{}, {"extensions": {}}, {"experimental": {EXTENSION: {}}}, LEGACY])
async def test_no_task_for_a_client_that_did_not_declare_it_with_this_request(ask: Ask, name: str, can: Any) -> None:
    await created(ask)  # "regardless of prior declarations"
    said = await ask("tools/call", {"name": name, "arguments": {}}, can=can)
    assert said.get("result", {}).get("resultType") == ("complete" if name == "may" else None)
    assert (name == "promoted") == (said.get("error", {}).get("data", {}).get("code") == "time_cap")


@pytest.mark.parametrize("can", [{}, {"extensions": {}}, LEGACY])
@pytest.mark.parametrize("method", METHODS)
async def test_every_method_takes_the_extension(ask: Ask, method: str, can: Any) -> None:
    task = await created(ask)
    said = await ask(method, {"taskId": task, "inputResponses": {}}, can=can)
    assert said["error"]["code"] == -32021
    assert said["error"]["data"] == {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
    listened = await ask("subscriptions/listen", {"notifications": {"taskIds": [task]}}, can=can)
    assert listened["error"]["code"] == -32021


@pytest.mark.parametrize("name", ["must", "may", "promoted"])
async def test_a_task_is_found_as_soon_as_it_is_told_of(ask: Ask, name: str) -> None:
    task = await created(ask, name)
    found = await ask("tasks/get", {"taskId": task})
    assert found["result"]["taskId"] == task
    assert found["result"]["resultType"] == "complete"


async def test_only_the_creation_has_the_type_task(ask: Ask) -> None:
    task = await created(ask, "promoted")
    for method in METHODS:
        said = await ask(method, {"taskId": task, "inputResponses": {}})
        assert said["result"]["resultType"] == "complete"
    assert (await ask("tools/call", {"name": "quick", "arguments": {}}))["result"]["resultType"] == "complete"
    for method in ("tools/list", "server/discover"):
        assert (await ask(method))["result"]["resultType"] == "complete"


async def test_what_is_for_the_model_is_completed_and_what_is_not_has_failed(ask: Ask) -> None:
    found = await ended(ask, await created(ask, "told"))
    assert found["status"] == "completed"
    assert found["result"]["isError"] is True
    assert "error" not in found


@pytest.mark.parametrize("can", [CAN, {}])
async def test_the_parameter_of_old_is_no_wish(ask: Ask, can: Any) -> None:
    said = await ask("tools/call", {"name": "quick", "arguments": {}, "task": {"ttl": 60000}}, can=can)
    assert said["result"]["resultType"] == "complete"


async def test_ids_cannot_be_guessed(ask: Ask) -> None:
    ids = [await created(ask) for _ in range(8)]
    assert len(set(ids)) == 8
    assert all(len(bytes.fromhex(each)) == 16 for each in ids)  # 128 random bits
    assert len({each[:8] for each in ids}) == 8  # and no counter or clock in front


@pytest.mark.parametrize("method", METHODS)
async def test_a_task_is_its_callers_alone(ask: Ask, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task = await created(ask)
    monkeypatch.setattr(Authentication, "access", lambda *_, **__: Access("somebody else"))
    said = await ask(method, {"taskId": task, "inputResponses": {}})
    assert said["error"]["code"] == -32602
    assert said == await ask(method, {"taskId": "0" * 32, "inputResponses": {}})  # nor is it told that it exists


@pytest.mark.parametrize("id_", ["", "nothing", "0" * 32, 7, None, ["x"], {}])
async def test_an_invalid_id_is_invalid_params(ask: Ask, id_: Any) -> None:
    for method in METHODS:
        if isinstance(id_, str) and id_:
            said = await ask(method, {"taskId": id_, "inputResponses": {}})
            assert said["error"]["code"] == -32602
        else:  # the header that has to repeat it is looked at first
            assert "error" in await ask(method, {"taskId": id_, "inputResponses": {}})


async def test_2025_11_25_has_no_such_extension(ask: Ask) -> None:
    """Declared there, it means nothing: the call is answered, nothing is advertised, and there are no methods."""
    endpoint: Endpoint = ask.endpoint  # type: ignore[attr-defined]
    params = {"protocolVersion": "2025-11-25", "capabilities": CAN, "clientInfo": {"name": "t", "version": "1"}}
    answer = await posted(endpoint, {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}, {})
    [opened] = await _messages(answer)
    assert not {"tasks", "extensions"} & set(opened["result"]["capabilities"])
    headers = {"mcp-session-id": dict(answer.headers)["Mcp-Session-Id"], "mcp-protocol-version": "2025-11-25"}
    await posted(endpoint, {"jsonrpc": "2.0", "method": "notifications/initialized"}, headers)
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "must", "arguments": {}}}
    said = (await _messages(await posted(endpoint, call, headers)))[-1]
    assert said["result"]["content"] == [{"type": "text", "text": "done"}]
    for method in (*METHODS, "tasks/result", "tasks/list"):
        message = {"jsonrpc": "2.0", "id": 3, "method": method, "params": {"taskId": "x"}}
        assert (await _messages(await posted(endpoint, message, headers)))[-1]["error"]["code"] == -32601
