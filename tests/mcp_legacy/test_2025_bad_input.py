"""Every method of a session with every parameter wrong, every kind of id, and messages that are none.

MCP 2025-11-25 and older: basic/index, Messages; JSON-RPC 2.0, 4 to 6. The right code, the request's id echoed, nothing
lost: the session answers as before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import pytest
from legacy_client import Client, Events, Stage, call, decoded
from mcp_types.methods import validate_server_result

from mcp_app.web.messages import Answer

VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
each_version = pytest.mark.parametrize("version", VERSIONS)

HUGE = "x" * 100_000
INFO = {"name": "a", "version": "1"}
INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": INFO}
REFERENCE = {"type": "ref/prompt", "name": "greet"}
ARGUMENT = {"name": "name", "value": "b"}

GOOD: dict[str, dict[str, Any]] = {
    "initialize": INITIALIZE,
    "ping": {},
    "tools/list": {},
    "tools/call": {"name": "add", "arguments": {"a": 1, "b": 2}},
    "resources/list": {},
    "resources/templates/list": {},
    "resources/read": {"uri": "test://text"},
    "resources/subscribe": {"uri": "test://text"},
    "resources/unsubscribe": {"uri": "test://text"},
    "prompts/list": {},
    "prompts/get": {"name": "greet", "arguments": {"name": "b"}},
    "completion/complete": {"ref": REFERENCE, "argument": ARGUMENT},
    "logging/setLevel": {"level": "info"},
}
"""Every method that a session has, with parameters that are right."""

MISSING = object()
NO_TEXT: tuple[Any, ...] = (MISSING, None, 0, -1, 1.5, True, [], ["x"], {}, {"a": 1})
NO_OBJECT: tuple[Any, ...] = (MISSING, None, 0, True, "x", [], [1])
WRONG: dict[str, dict[str, tuple[Any, ...]]] = {
    "initialize": {
        "protocolVersion": NO_TEXT,
        "capabilities": NO_OBJECT,
        "clientInfo": (*NO_OBJECT, {}),
        "clientInfo.name": NO_TEXT,
        "clientInfo.version": NO_TEXT,
    },
    "tools/list": {"cursor": (*NO_TEXT[2:], "", "nonsense", HUGE)},
    "resources/list": {"cursor": (*NO_TEXT[2:], "nonsense")},
    "resources/templates/list": {"cursor": (*NO_TEXT[2:], "nonsense")},
    "prompts/list": {"cursor": (*NO_TEXT[2:], "nonsense")},
    "tools/call": {
        "name": (*NO_TEXT, "", "nothing", HUGE),
        "arguments": NO_OBJECT[2:],
        "_meta": NO_OBJECT[2:],
        "_meta.progressToken": (True, 1.5, [], {}, 2**63, HUGE),
    },
    "resources/read": {"uri": NO_TEXT},
    "resources/subscribe": {"uri": NO_TEXT},
    "resources/unsubscribe": {"uri": NO_TEXT},
    "prompts/get": {
        "name": (*NO_TEXT, "", "nothing", HUGE),
        "arguments": (*NO_OBJECT[2:], {}, {"other": "x"}),
        "arguments.name": NO_TEXT,
    },
    "completion/complete": {
        "ref": (*NO_OBJECT, {}, {"type": "ref/other", "name": "greet"}),
        "ref.name": (*NO_TEXT, "nothing", HUGE),
        "argument": (*NO_OBJECT, {}),
        "argument.name": (*NO_TEXT, "nothing", HUGE),
        "argument.value": NO_TEXT,
    },
    "logging/setLevel": {"level": (*NO_TEXT, "", "loud", "INFO", HUGE)},
}
NULLS = [("prompts/get", "arguments"), ("tools/call", "_meta"), ("tools/call", "_meta.progressToken"),
         ("tools/list", "cursor"), ("tools/list", "_meta"), ("completion/complete", "context"),
         ("completion/complete", "context.arguments")]  # fmt: skip


def changed(params: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The parameters with another value at that path, or without it."""
    made: dict[str, Any] = deepcopy(dict(params))
    *outer, last = path.split(".")
    inner = made
    for name in outer:
        inner = inner.setdefault(name, {})
    if value is MISSING:
        inner.pop(last, None)
    else:
        inner[last] = value
    return made


def wrong(method: str) -> Iterator[dict[str, Any]]:
    for path, values in WRONG[method].items():
        for value in values:
            yield changed(GOOD[method], path, value)


async def last_message(answer: Answer) -> Any:
    return decoded(answer) if isinstance(answer.body, bytes) else (await Events(answer).rest())[-1]


async def refused(client: Client, method: str, params: Any) -> Any:
    """The error under the request's id, with 200: a client of these revisions drops the body of a 4xx."""
    answer = await client.request(method, params)
    message = await last_message(answer)
    assert (answer.status, message["id"]) == (200, client.ids)
    assert set(message) == {"jsonrpc", "id", "error"}, (params, message)
    assert type(message["error"]["code"]) is int
    assert message["error"]["message"]
    assert len(str(message)) < 5000, "an answer is not a mirror"
    return message["error"]


@each_version
@pytest.mark.parametrize("method", GOOD)
async def test_each_method_has_a_result_of_its_revision(stage: Stage, version: str, method: str) -> None:
    client = await stage.client(version)
    message = await last_message(await client.request(method, GOOD[method]))
    assert message["id"] == client.ids
    validate_server_result(method, version, message["result"])


@each_version
@pytest.mark.parametrize("method", WRONG)
async def test_each_parameter_wrong_in_every_way(stage: Stage, version: str, method: str) -> None:
    client = await stage.client(version)
    for params in wrong(method):
        assert (await refused(client, method, params))["code"] == -32602, params
    assert stage.runs.started == 0
    assert await client.result("ping") == {}


@each_version
@pytest.mark.parametrize(("method", "path"), NULLS)
async def test_null_is_as_left_out(stage: Stage, version: str, method: str, path: str) -> None:
    client = await stage.client(version)
    params = changed(GOOD[method], path, None)
    message = await last_message(await client.request(method, params))
    if (method, path) == ("prompts/get", "arguments"):  # then the argument is missing
        assert message["error"]["code"] == -32602
    else:
        validate_server_result(method, version, message["result"])


@each_version
@pytest.mark.parametrize("uri", ["", "x", "\x00", "../..", "%", "{", "test://text/", "file:///etc/passwd", HUGE])
async def test_a_resource_that_is_not_there_has_its_own_code(stage: Stage, version: str, uri: str) -> None:
    client = await stage.client(version)
    for method in ("resources/read", "resources/subscribe"):
        message = await last_message(await client.request(method, {"uri": uri}))
        assert (message["id"], message["error"]["code"]) == (client.ids, -32002)


@each_version
@pytest.mark.parametrize(
    "method",
    ["", "tools", "tools/call/", "TOOLS/LIST", "rpc.discover", "server/discover", "subscriptions/listen", "tasks/get",
     "tasks/result", "tasks/list", "tasks/cancel", "sampling/createMessage", "elicitation/create", "roots/list", HUGE],
)  # fmt: skip
async def test_a_method_that_is_none(stage: Stage, version: str, method: str) -> None:
    client = await stage.client(version)
    for params in (None, {}, {"taskId": "x"}):
        answer = await client.request(method, params)
        message = decoded(answer)
        assert message["id"] == client.ids
        # An empty name is no method by JSON-RPC already, which is HTTP's business too.
        assert (answer.status, message["error"]["code"]) == ((200, -32601) if method else (400, -32600))
    assert await client.result("ping") == {}


# --- tasks, which 2025-11-25 has as an experiment --------------------------------------------------------------------


@pytest.mark.parametrize("task", [{}, {"ttl": 60_000}, {"ttl": 0}])
async def test_a_call_as_a_task_is_a_call(stage: Stage, task: dict[str, Any]) -> None:
    """2025-11-25, Tasks: who does not declare them processes the request normally, ignoring the metadata."""
    client = await stage.client()
    assert "tasks" not in client.initialized["capabilities"]
    assert all("execution" not in each for each in (await client.result("tools/list"))["tools"])
    result = await client.result("tools/call", {**GOOD["tools/call"], "task": task})
    assert result["structuredContent"] == {"result": 3}
    assert "task" not in result


# --- ids -------------------------------------------------------------------------------------------------------------


@each_version
@pytest.mark.parametrize("id_", [0, -1, 1, 2**63 - 1, 1 - 2**63, "", "0", "a b", "ä\u2028\x00", "x" * 256])
async def test_an_id_is_echoed_as_it_was_sent(stage: Stage, version: str, id_: Any) -> None:
    client = await stage.client(version)
    for method, params in (("ping", {}), ("nothing/here", {}), ("tools/call", {"name": 1}), ("tools/list", {})):
        message = decoded(await client.post(call(method, params, id_)))
        assert message["id"] == id_
        assert type(message["id"]) is type(id_)


@each_version
@pytest.mark.parametrize("id_", [None, True, False, 1.5, [], {}, ["a"], 2**63, "x" * 257])
async def test_what_is_no_id_is_400_and_not_echoed(stage: Stage, version: str, id_: Any) -> None:
    client = await stage.client(version)
    answer = await client.post({**call("tools/call", GOOD["tools/call"]), "id": id_})
    message = decoded(answer)
    assert (answer.status, message["error"]["code"]) == (400, -32600)
    assert "id" not in message
    assert stage.runs.started == 0


@each_version
async def test_an_id_in_use_is_refused_and_harms_nothing(stage: Stage, version: str) -> None:
    client = await stage.client(version)
    params = {"name": "steps", "arguments": {"n": 0}}
    first, second = Events(await client.post(call("tools/call", params, "same"))), call("ping", None, "same")
    refusal = decoded(await client.post(second))
    assert (refusal["id"], refusal["error"]["code"]) == ("same", -32600)
    stage.steps.release()
    [response] = await first.rest()
    assert response["id"] == "same"
    assert not response["result"].get("isError")


@each_version
@pytest.mark.parametrize(
    ("message", "echoed"),
    [
        ({"jsonrpc": "2.0", "id": 1, "method": "notifications/initialized"}, 1),
        ({"jsonrpc": "2.0", "id": 1, "method": "notifications/unheard"}, 1),
        ({"jsonrpc": "2.0", "method": "ping"}, None),
        ({"jsonrpc": "2.0", "method": "tools/call", "params": GOOD["tools/call"]}, None),
        ({"jsonrpc": "2.0", "id": 1, "method": "ping", "result": {}}, 1),
        ({"jsonrpc": "2.0", "id": 1, "result": {}, "error": {"code": 1, "message": "m"}}, None),
        ({"jsonrpc": "2.0", "id": 1, "result": 1}, None),
        ({"jsonrpc": "2.0", "id": 1, "error": {"code": "1", "message": "m"}}, None),
        ({"jsonrpc": "2.0", "id": None, "result": {}}, None),
        ({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}, 1),
        ({"jsonrpc": "2.0", "id": 1, "method": 1}, 1),
        ({"jsonrpc": "1.0", "id": 1, "method": "ping"}, 1),
        ({"id": 1, "method": "ping"}, 1),
        ({"jsonrpc": "2.0", "id": 1}, 1),
        ({}, None),
        ("ping", None),
        (1, None),
        (None, None),
    ],
)
async def test_a_message_that_is_none_is_400(stage: Stage, version: str, message: Any, echoed: Any) -> None:
    client = await stage.client(version)
    answer = await client.post(b"null" if message is None else message)
    error = decoded(answer)
    assert (answer.status, error["error"]["code"], error.get("id")) == (400, -32600, echoed)
    assert stage.runs.started == 0
    assert await client.result("ping") == {}


@each_version
@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', b"[" * 5000])
async def test_what_is_no_json_in_utf_8_is_a_parse_error(stage: Stage, version: str, body: bytes) -> None:
    client = await stage.client(version)
    answer = await client.post(body)
    assert (answer.status, decoded(answer)["error"]["code"]) == (400, -32700)
    assert await client.result("ping") == {}


@each_version
@pytest.mark.parametrize("request_", [None, MISSING, 1.5, True, [], {}, "nothing", 99, HUGE])
async def test_a_cancellation_of_nothing_harms_nothing(stage: Stage, version: str, request_: Any) -> None:
    """Neither initialize, which no client may cancel, nor a request that works, nor the session."""
    client = await stage.client(version)
    events = Events(await client.tool("steps", n=0))
    for requested in (request_, 1):  # 1 was the id of initialize
        params = {} if requested is MISSING else {"requestId": requested, "reason": "none"}
        answer = await client.post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        assert (answer.status, answer.body) == (202, b"")
    assert not stage.cancelled.is_set()
    stage.steps.release()
    assert [each["id"] for each in await events.rest() if "result" in each] == [client.ids]


async def test_a_cancelled_request_of_a_batch_is_answered_all_the_same(stage: Stage) -> None:
    client = await stage.client("2025-03-26")
    steps = call("tools/call", {"name": "steps", "arguments": {"n": 1}}, "c")
    batch = asyncio.create_task(client.post([steps, call("ping", None, 2)]))
    await asyncio.wait_for(stage.begun.wait(), 10)
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "c"}}
    assert (await client.post(cancelled)).status == 202
    responses = decoded(await batch)
    assert [each["id"] for each in responses] == ["c", 2]
    assert responses[0]["error"]["data"]["code"] == "cancelled"
