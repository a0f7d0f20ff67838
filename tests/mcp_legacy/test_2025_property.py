"""Whatever JSON a session is sent: an answer that is valid in its revision, never a 5xx, and the session works on.

And wherever a stream is cut: what comes back is the rest, each message once (2025-11-25, Resumability and Redelivery).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from legacy_client import Client, Events, Stage, call, decoded
from mcp_types.methods import parse_server_notification, parse_server_request, validate_server_result
from test_2025_bad_input import GOOD, VERSIONS

from mcp_app.web.messages import Answer

# One session for all examples: what one leaves behind must not harm the next.
many = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

METHODS = [*GOOD, "notifications/initialized", "notifications/cancelled", "notifications/x", "tasks/get", "x", ""]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = ["name", "arguments", "uri", "cursor", "level", "ref", "argument", "context", "_meta", "task", "requestId",
         "protocolVersion", "capabilities", "clientInfo", "progressToken"]  # fmt: skip
params = st.dictionaries(st.sampled_from(NAMES), values, max_size=4) | values
spoiled = st.sampled_from([good for method, good in GOOD.items() if method != "initialize"]).flatmap(
    lambda good: st.dictionaries(st.sampled_from(NAMES), values, max_size=2).map(lambda more: {**good, **more})
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | st.sampled_from(["1.0", 2, None]),
        "id": st.integers() | st.text(max_size=5) | values,
        "method": st.sampled_from(METHODS) | st.sampled_from(METHODS) | values,
        "params": spoiled | params,
        "result": values,
        "error": values,
    },
)
requests = st.fixed_dictionaries(
    {
        "jsonrpc": st.just("2.0"),
        "id": st.integers(-(2**63) + 1, 2**63 - 1) | st.text(max_size=20),
        "method": st.sampled_from(METHODS),
        "params": spoiled | params,
    }
)


def is_id(value: Any) -> bool:
    return type(value) in (int, str) or (type(value) is float and value.is_integer())


anything = requests | messages | values | st.lists(requests | messages, max_size=4)


@pytest.fixture(params=VERSIONS)
async def client(stage: Stage, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    for _ in range(10_000):  # `steps` never waits
        stage.steps.release()
    yield await stage.client(request.param, sampling={}, roots={})
    assert len(stage.endpoint.sessions) >= 1


async def said(answer: Answer) -> list[Any]:
    """All messages of an answer, those of an array one by one."""
    if isinstance(answer.body, bytes):
        if not answer.body:
            return []
        message = decoded(answer)
        return message if isinstance(message, list) else [message]
    return await Events(answer).rest()


def check(message: dict[str, Any], methods: dict[Any, Any], version: str) -> None:
    """One message of ours: valid in its revision, and under an id that was sent."""
    assert message["jsonrpc"] == "2.0"
    if "method" in message:
        parse = parse_server_request if "id" in message else parse_server_notification
        parse(message["method"], version, message.get("params"))
        return
    assert ("result" in message) != ("error" in message)
    if "error" in message:
        assert type(message["error"]["code"]) is int
        assert isinstance(message["error"]["message"], str)
        assert "id" not in message or type(message["id"]) in (int, str)
        return
    assert type(message["id"]) in (int, str)
    validate_server_result(methods[message["id"]], version, message["result"])


@many
@given(sent=anything)
async def test_any_json_has_an_answer_of_its_revision(client: Client, sent: Any) -> None:
    answer = await client.post(json.dumps(sent).encode())
    assert answer.status < 500, answer.body
    listed = sent if isinstance(sent, list) else [sent]
    calls = [each for each in listed if isinstance(each, dict) and is_id(each.get("id"))]
    methods = {each["id"]: each.get("method") for each in calls}  # 1.0 is 1, as a key too
    if len(methods) == len(calls):  # where ids are used twice, which was meant is not known
        for message in await said(answer):
            check(message, methods, client.version)
    assert await client.result("ping") == {}


@many
@given(sent=requests)
async def test_any_request_is_answered_under_its_id(client: Client, sent: dict[str, Any]) -> None:
    answer = await client.post(json.dumps(sent).encode())
    responses = [each for each in await said(answer) if "method" not in each]
    assert answer.status < 500
    assert len(responses) == 1
    assert responses[0]["id"] == sent["id"]


# --- wherever a stream is cut ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
async def test_wherever_it_is_cut_the_rest_comes_once(stage: Stage, version: str) -> None:
    client = await stage.client(version)
    bodies = {}
    for number in range(2):
        body = {"name": "steps", "arguments": {"n": 3}, "_meta": {"progressToken": number}}
        bodies[number] = Events(await client.post(call("tools/call", body, number)))
    for _ in range(8):
        stage.steps.release()
    ids: list[str] = []
    for number, events in bodies.items():
        seen: list[tuple[str, Any]] = []
        while (event := await events.next()) is not None:
            if event.data:
                seen.append((event.id, json.loads(event.data)))
        assert [each["params"]["progress"] for _, each in seen[:-1]] == [1, 2, 3]
        assert seen[-1][1]["id"] == number
        ids += [id_ for id_, _ in seen]
        for cut, (last, _) in enumerate(seen[:-1]):
            rest = await Events(await client.get(last)).rest()
            assert rest == [message for _, message in seen[cut + 1 :]], (
                "none lost, none twice, none of the other stream"
            )
        assert (await client.get(seen[-1][0])).status == 204
    assert len(set(ids)) == len(ids), "globally unique across all streams within that session"


async def test_who_comes_back_takes_the_stream_over(stage: Stage) -> None:
    client = await stage.client()
    first = Events(await client.tool("steps", token="t", n=3))
    primer = await first.next()
    assert primer is not None
    stage.steps.release()
    assert (await first.message())["params"]["progress"] == 1
    second = Events(await client.get(primer.id))
    for _ in range(3):
        stage.steps.release()
    assert [each.get("id", each.get("params", {}).get("progress")) for each in await second.rest()] == [
        1,
        2,
        3,
        client.ids,
    ]
    assert await first.rest() == []
