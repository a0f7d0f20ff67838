"""What a client of a session can ask for, and how it is answered, revision by revision."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from legacy_client import Events, Stage, call, decoded

VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_call(stage: Stage, version: str) -> None:
    client = await stage.client(version)
    result = decoded(await client.tool("add", a=1, b=2))["result"]
    assert result["content"] == [{"type": "text", "text": "3"}]
    assert "resultType" not in result
    if version >= "2025-06-18":  # structured content came with it, and is an object
        assert result["structuredContent"] == {"result": 3}
    else:
        assert "structuredContent" not in result


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_lists(stage: Stage, version: str) -> None:
    client = await stage.client(version)
    tools = (await client.result("tools/list"))["tools"]
    assert [each["name"] for each in tools] == ["add", "steps", "says", "fails"]
    assert ("outputSchema" in tools[0]) == (version >= "2025-06-18")
    assert [each["uri"] for each in (await client.result("resources/list"))["resources"]] == ["test://text"]
    assert (await client.result("resources/templates/list"))["resourceTemplates"] == []
    assert [each["name"] for each in (await client.result("prompts/list"))["prompts"]] == ["greet"]


async def test_what_else_there_is(stage: Stage) -> None:
    client = await stage.client()
    [read] = (await client.result("resources/read", {"uri": "test://text"}))["contents"]
    assert read == {"uri": "test://text", "mimeType": "text/plain", "text": "hi"}
    [said] = (await client.result("prompts/get", {"name": "greet", "arguments": {"name": "bob"}}))["messages"]
    assert said["content"]["text"] == "hello bob"
    reference = {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "name", "value": "b"}}
    assert (await client.result("completion/complete", reference))["completion"]["values"] == []


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("nothing/here", None, -32601),
        ("server/discover", None, -32601),
        ("tools/call", {"name": "nothing"}, -32602),
        ("tools/call", {"arguments": {}}, -32602),
        ("resources/read", {"uri": "test://other"}, -32002),
        ("resources/subscribe", {"uri": "test://other"}, -32002),
        ("prompts/get", {"name": "greet"}, -32602),
        ("logging/setLevel", {"level": "loud"}, -32602),
        ("tools/list", {"cursor": "nonsense"}, -32602),
    ],
)
async def test_errors_in_a_request_are_answered_with_200(
    stage: Stage, method: str, params: dict[str, Any] | None, code: int
) -> None:
    client = await stage.client()
    answer = await client.request(method, params)
    assert answer.status == 200
    message = decoded(answer)
    assert (message["id"], message["error"]["code"]) == (client.ids, code)


async def test_what_a_model_can_mend_is_a_result(stage: Stage) -> None:
    client = await stage.client()
    wrong = decoded(await client.tool("add", a="x"))["result"]
    assert wrong["isError"] is True
    assert "arguments.b: Field required: an integer, such as 5" in wrong["content"][0]["text"]
    failed = decoded(await client.tool("fails"))["result"]
    assert failed["isError"] is True
    assert "it went wrong" in failed["content"][0]["text"]


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b"[]", 400), (b'{"jsonrpc":"2.0"}', 400)])
async def test_what_is_no_message_is_400(stage: Stage, body: bytes, status: int) -> None:
    client = await stage.client()
    answer = await client.post(body)
    assert answer.status == status
    assert "error" in decoded(answer)


async def test_what_takes_neither_representation_is_406_and_starts_nothing(stage: Stage) -> None:
    client = await stage.client()
    params = {"name": "steps", "arguments": {"n": 1}}
    assert (await client.request("tools/call", params, accept="text/html")).status == 406
    assert stage.runs.started == 0


async def test_progress_and_the_level_of_the_log(stage: Stage) -> None:
    client = await stage.client()
    messages = await Events(await client.tool("says")).rest()
    assert [each["params"]["data"] for each in messages[:-1]] == ["large"]
    await client.result("logging/setLevel", {"level": "debug"})
    messages = await Events(await client.tool("says")).rest()
    assert [each["params"]["level"] for each in messages[:-1]] == ["debug", "warning"]
    await client.result("logging/setLevel", {"level": "error"})
    assert "result" in decoded(await client.tool("says"))


async def test_a_request_is_cancelled_by_its_id(stage: Stage) -> None:
    client = await stage.client()
    events = Events(await client.tool("steps", n=1))
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": client.ids}}
    other = await stage.client()
    assert (await other.post(cancelled)).status == 202  # another session's request is not meant
    assert stage.runs.working == 1
    assert (await client.post(cancelled)).status == 202
    await asyncio.wait_for(stage.cancelled.wait(), 10)
    [last] = await events.rest()
    assert last["error"]["data"]["code"] == "cancelled"
    assert (await client.post(cancelled)).status == 202  # too late, which means nothing


async def test_a_cancellation_of_nonsense_means_nothing(stage: Stage) -> None:
    client = await stage.client()
    requests: list[Any] = [None, {}, [1], 7, "x"]
    for request in requests:
        message = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": request}}
        assert (await client.post(message)).status == 202
    assert (await client.post({"jsonrpc": "2.0", "method": "notifications/unheard"})).status == 202


async def test_a_response_that_nobody_waits_for_is_taken(stage: Stage) -> None:
    client = await stage.client()
    assert (await client.post({"jsonrpc": "2.0", "id": "x", "result": {}})).status == 202


async def test_json_alone_is_one_answer(stage: Stage) -> None:
    client = await stage.client()
    stage.steps.release()
    stage.steps.release()
    params = {"name": "steps", "arguments": {"n": 1}, "_meta": {"progressToken": "t"}}
    answer = await client.request("tools/call", params, accept="application/json")
    assert decoded(answer)["result"]["structuredContent"] == {"n": 1}


# --- ids -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id_", [7, "7"])
async def test_an_id_that_is_still_worked_on_is_refused(stage: Stage, id_: int | str) -> None:
    """ "MUST NOT have been previously used by the requestor within the same session" (2025-11-25, Requests)."""
    client = await stage.client()
    params = {"name": "steps", "arguments": {"n": 1}}
    events = Events(await client.post(call("tools/call", params, id_)))
    refused = await client.post(call("tools/call", params, id_))
    assert refused.status == 200
    assert decoded(refused)["id"] == id_
    assert decoded(refused)["error"]["code"] == -32600
    assert "notifications/cancelled" in decoded(refused)["error"]["data"]["hint"]
    assert "error" in decoded(await client.post(call("ping", id=id_)))
    other = str(id_) if isinstance(id_, int) else int(id_)
    assert decoded(await client.post(call("ping", id=other)))["result"] == {}  # 7 and "7" are two ids
    assert stage.runs.started == 1
    stage.steps.release()
    stage.steps.release()
    assert (await events.rest())[-1]["result"]["structuredContent"] == {"n": 1}
    # Answered is answered: whoever counts from 1 again is not refused.
    assert decoded(await client.post(call("ping", id=id_)))["result"] == {}


async def test_an_id_that_was_used_before_cancels_the_request_that_has_it_now(stage: Stage) -> None:
    client = await stage.client()
    params = {"name": "steps", "arguments": {"n": 0}}
    first = Events(await client.post(call("tools/call", params, 1)))
    stage.steps.release()
    assert "result" in (await first.rest())[-1]
    second = Events(await client.post(call("tools/call", params, 1)))
    third = Events(await client.post(call("tools/call", params, 2)))
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    assert (await client.post(cancelled)).status == 202
    assert (await second.rest())[-1]["error"]["data"]["code"] == "cancelled"
    stage.steps.release()
    assert (await third.rest())[-1]["id"] == 2
    assert stage.runs.ended == {"complete": 2, "cancelled": 1}


async def test_a_request_is_cancelled_while_it_is_being_begun(stage: Stage) -> None:
    """With a log that suspends, the cancellation may be there before the run is."""
    client = await stage.client()
    opened, begun = asyncio.Event(), stage.log.open

    async def slowly(*arguments: Any) -> None:
        await opened.wait()
        await begun(*arguments)

    stage.log.open = slowly  # type: ignore[method-assign, assignment]
    asked = asyncio.create_task(client.post(call("tools/call", {"name": "steps", "arguments": {"n": 1}}, 5)))
    await asyncio.sleep(0.02)
    refused = await client.post(call("ping", id=5))
    assert decoded(refused)["error"]["code"] == -32600
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}}
    assert (await client.post(cancelled)).status == 202
    opened.set()
    answer = await asked
    last = decoded(answer) if isinstance(answer.body, bytes) else (await Events(answer).rest())[-1]
    assert (last["id"], last["error"]["data"]["code"]) == (5, "cancelled")
