"""Every parameter of every method of MCP 2026-07-28, wrong in every way; and any JSON at all.

Each has an answer that JSON-RPC and the revision's schema know, under the request's id, in bounded time; none is a
failure of ours.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from modern_client import ABSENT, META, SECONDS, Stage, headers, request, said
from modern_requests import ADD, CAN_ALL

from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer

WHOLE: dict[str, dict[str, Any]] = {
    "server/discover": {},
    "tools/list": {"cursor": "x"},
    "tools/call": {"name": "add", "arguments": {"first": 1}, "inputResponses": {"a": {"action": "decline"}}},
    "resources/list": {"cursor": "x"},
    "resources/templates/list": {"cursor": "x"},
    "resources/read": {"uri": "test://text", "inputResponses": {}},
    "prompts/list": {"cursor": "x"},
    "prompts/get": {"name": "advise", "arguments": {"topic": "x"}, "inputResponses": {}},
    "completion/complete": {
        "ref": {"type": "ref/prompt", "name": "advise"},
        "argument": {"name": "topic", "value": "a"},
        "context": {"arguments": {"x": "y"}},
    },
    "subscriptions/listen": {"notifications": {"toolsListChanged": True, "resourceSubscriptions": ["test://text"]}},
    "tasks/get": {"taskId": "x"},
    "tasks/update": {"taskId": "x", "inputResponses": {}},
    "tasks/cancel": {"taskId": "x"},
}
"""Each method with each of its parameters."""

WRONG: list[Any] = [
    *(None, True, 0, -1, 1.5, 2**70, "", "x" * 3000, "\x00", [], [1], [None], [[]], {}, {"a": 1}, {"": None}, ABSENT)
]

# Paths of what must be there and of its type, and so is refused when it is anything else in WRONG.
REQUIRED: dict[str, tuple[tuple[str, ...], ...]] = {
    "tools/call": (("name",),),
    "resources/read": (("uri",),),
    "prompts/get": (("name",),),
    "completion/complete": (("ref",), ("ref", "type"), ("ref", "name"), ("argument",), ("argument", "name")),
    "tasks/get": (("taskId",),),
    "tasks/update": (("taskId",), ("inputResponses",)),
    "tasks/cancel": (("taskId",),),
    "subscriptions/listen": (("notifications",),),
}
HARMLESS: list[Any] = [{}, {"a": 1}, {"": None}]  # objects that say nothing
OBJECTS = {("notifications",), ("inputResponses",)}


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield from paths(each, (*path, name))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    value = copy.deepcopy(value)
    place = value
    for name in path[:-1]:
        place = place[name]
    if new is not ABSENT:
        place[path[-1]] = new
    else:
        del place[path[-1]]
    return value


async def sound(answer: Answer, id: Any = ABSENT, *, listens: bool = False) -> int:  # noqa: A002
    """The status of an answer that is one: 2xx or 4xx, its message valid, under the id where one could be read."""
    assert answer.status < 500
    if isinstance(answer.body, Frames) and listens:
        first = await asyncio.wait_for(anext(answer.body), SECONDS)
        answer.body.close()  # it does not end by itself
        acknowledged = json.loads(first.partition(b"data: ")[2])
        assert id is ABSENT or id in acknowledged["params"]["_meta"].values()
        return answer.status
    spoken = await said(answer)
    if spoken.message is None:
        assert answer.status == 202
        return answer.status
    assert set(spoken.message) <= {"jsonrpc", "id", "result", "error"}
    assert spoken.message["jsonrpc"] == "2.0"
    assert ("result" in spoken.message) != ("error" in spoken.message)
    assert spoken.id in ((ABSENT,) if id is ABSENT else (id,))
    assert ("error" in spoken.message) or answer.status == 200
    if "error" in spoken.message:
        assert spoken.error["code"] != -32603, spoken.error
        assert len(json.dumps(spoken.error)) < 8000, "an error is not a mirror"
    return answer.status


@pytest.mark.parametrize("method", WHOLE)
async def test_each_parameter_of_each_wrong_type(here: Stage, method: str) -> None:
    whole = request(method, WHOLE[method], id="mine", capabilities=CAN_ALL, progressToken="t", level="info")
    count = 0
    for path in paths(whole["params"]):
        for wrong in WRONG:
            message = {**whole, "params": changed(whole["params"], path, wrong)}
            body = json.dumps(message).encode()
            answer = await here.answer("POST", "/mcp", body, headers(message))
            status = await sound(answer, "mine", listens=method == "subscriptions/listen")
            if path in REQUIRED.get(method, ()) and not (path in OBJECTS and wrong in HARMLESS):
                assert status == 400, (path, wrong)
            count += 1
    assert count >= len(WRONG) * 5
    assert (await here.ask("tools/call", ADD)).result["structuredContent"] == 1, "the server still answers"


@pytest.mark.parametrize("method", WHOLE)
async def test_parameters_that_nobody_knows_are_passed_over(here: Stage, method: str) -> None:
    params = {**WHOLE[method], "unknown": {"a": [1]}, "": 1, "x-vendor": None}
    params.pop("cursor", None)
    answer = await here.answer(
        "POST",
        "/mcp",
        json.dumps(request(method, params, capabilities=CAN_ALL)).encode(),
        headers(request(method, params)),
    )
    expected = 400 if method.startswith("tasks/") else 200  # 400: there is no such task
    assert await sound(answer, 7, listens=method == "subscriptions/listen") == expected


nasty_text = st.text(max_size=12) | st.sampled_from(
    [
        "",
        "\x00",
        "a\r\nb",
        "add",
        "test://text",
        "tools/call",
        "2.0",
        META,
        "\ud800",
        "\U0001f600",
        "x" * 3000,
        "__proto__",
    ]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | nasty_text | st.sampled_from([2**63, 10**400, -0.0])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(nasty_text, inner, max_size=3), max_leaves=8
)
methods = st.sampled_from(
    [*WHOLE, "initialize", "ping", "notifications/cancelled", "notifications/x", "logging/setLevel"]
)


@st.composite
def bodies(draw: st.DrawFn) -> Any:
    """A request with some of it replaced, a message of any members, or any JSON."""
    kind = draw(st.sampled_from(["changed", "changed", "members", "any"]))
    if kind == "any":
        return draw(values)
    if kind == "members":
        names = st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "x"])
        return {"jsonrpc": "2.0", **draw(st.dictionaries(names, methods | values, max_size=6))}
    method = draw(st.sampled_from(sorted(WHOLE)))
    message: Any = request(method, WHOLE[method], id=draw(st.just(1) | scalars), capabilities=CAN_ALL)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(paths(message)) or [("id",)]))
        message = changed(message, path, draw(values))
    return draw(st.lists(st.just(message), min_size=1, max_size=2)) if draw(st.integers(0, 15)) == 0 else message


fields = st.dictionaries(
    st.sampled_from(["accept", "mcp_method", "mcp_name", "mcp_protocol_version", "mcp_session_id", "last_event_id"]),
    st.sampled_from(
        [ABSENT, "", "*/*", "application/json", "text/event-stream", "x", "tools/list", "2025-11-25", "\xff"]
    ),
    max_size=2,
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=bodies(), changes=fields)
async def test_any_json_has_an_answer_and_the_server_goes_on(here: Stage, body: Any, changes: dict[str, Any]) -> None:
    sent = json.dumps(body).encode()  # NaN, halves of surrogate pairs and all, as a lax encoder writes it
    answer = await here.answer("POST", "/mcp", sent, headers(body, **changes))  # within SECONDS
    id_ = body.get("id", ABSENT) if isinstance(body, dict) else ABSENT
    if type(id_) is float and id_.is_integer():
        id_ = int(id_)
    echoed: Any = ABSENT
    if isinstance(answer.body, bytes) and answer.body:
        message = json.loads(answer.body)
        echoed = message.get("id", ABSENT)
        if "error" in message:
            assert 400 <= answer.status < 500 or answer.status == 200
    if echoed is not ABSENT:
        assert (echoed, type(echoed)) == (id_, type(id_)), "an id that nobody sent"
    assert answer.status < 500
    listens = isinstance(body, dict) and body.get("method") == "subscriptions/listen"
    if isinstance(answer.body, Frames):
        echoed = id_
    await sound(answer, echoed, listens=listens)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.binary(max_size=300) | bodies().map(lambda each: json.dumps(each).encode()[:-1]))
async def test_any_bytes_have_an_answer(here: Stage, body: bytes) -> None:
    await sound(await here.answer("POST", "/mcp", body, headers(request("tools/list"))))


LONG = "x" * 900_000
MANY_URIS = {"resourceSubscriptions": ["test://a"] * 60_000}
LONG_VALUE = {"ref": {"type": "ref/prompt", "name": "advise"}, "argument": {"name": "topic", "value": LONG}}
HUGE: list[bytes] = [
    b"[" * 100_000,
    b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":' + b'{"a":' * 100_000,
    b'{"jsonrpc":"2.0","id":' + b"9" * 900_000 + b',"method":"tools/list"}',
    *(
        json.dumps(each).encode()
        for each in (
            request("tools/call", {"name": LONG}),
            request("tools/call", {"name": "add", "arguments": dict.fromkeys(map(str, range(60_000)), 1)}),
            request("tools/call", {**ADD, "requestState": LONG}),
            request("resources/read", {"uri": f"test://users/{LONG}"}),
            request(LONG),
            request("tools/list", id=LONG),
            request("tools/list", {"cursor": LONG}),
            request("tools/list", version=LONG),
            request("tools/list", progressToken=LONG),
            request("subscriptions/listen", {"notifications": MANY_URIS}),
            request("completion/complete", LONG_VALUE),
        )
    ),
]


@pytest.mark.parametrize("body", HUGE, ids=range(len(HUGE)))
@pytest.mark.time_bound(20)
async def test_what_is_huge_is_answered_in_time(here: Stage, body: bytes) -> None:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        message = request("tools/list")
    sent = {name: value[:1000] for name, value in headers(message).items()}  # no server lets longer ones through
    answer = await here.answer("POST", "/mcp", body, sent)
    assert answer.status < 500
    if isinstance(answer.body, Frames):
        answer.body.close()
    elif answer.status >= 400:
        assert len(answer.body) < 20_000
    assert (await here.ask("tools/call", ADD)).result["structuredContent"] == 1
