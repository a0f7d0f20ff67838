"""MCP 2026-07-28, basic/index "Messages", and JSON-RPC 2.0: a message, its id, and what an answer is made of."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from modern_client import ABSENT, BOTH, META, SECONDS, TASKS, Stage, headers, meta, request, said, stage
from modern_requests import CAN_ALL, FAILURES, REQUESTS
from modern_served import HELD

from mcp_app.protocol.mcp.rpc_error import Code
from mcp_app.web.frames import Frames

IDS: list[Any] = ["", "a", "7", "ä€\U0001f600", "a\nb", "x" * 256, 0, -1, 7, 2**53 + 1, 2**63 - 1, -(2**63) + 1]
NO_IDS: list[Any] = [None, True, False, 1.5, 1e300, [], ["a"], {}, {"a": 1}, "x" * 257, 2**63, -(2**200)]


@pytest.mark.parametrize("id", IDS, ids=ascii)
@pytest.mark.parametrize("accept", [BOTH, "application/json", "text/event-stream"])
async def test_a_result_has_the_id_of_its_request(here: Stage, id: Any, accept: str) -> None:  # noqa: A002
    answer = await here.ask("tools/call", {"name": "add", "arguments": {"first": 1}}, id=id, http={"accept": accept})
    assert answer.status == 200
    assert answer.message is not None
    assert set(answer.message) == {"jsonrpc", "id", "result"}
    assert (answer.message["jsonrpc"], answer.id, type(answer.id)) == ("2.0", id, type(id))


@pytest.mark.parametrize("id", IDS, ids=ascii)
@pytest.mark.parametrize(("method", "params", "status", "code"), FAILURES)
async def test_an_error_has_the_id_of_its_request(
    here: Stage,
    id: Any,  # noqa: A002
    method: str,
    params: dict[str, Any],
    status: int,
    code: int,
) -> None:
    answer = await here.ask(method, params, id=id, capabilities=CAN_ALL)
    assert answer.refusal == (status, code)
    assert answer.message is not None
    assert set(answer.message) == {"jsonrpc", "id", "error"}
    assert (answer.message["jsonrpc"], answer.id, type(answer.id)) == ("2.0", id, type(id))
    assert type(answer.error["code"]) is int
    assert isinstance(answer.error["message"], str)
    assert answer.error["message"]


@pytest.mark.parametrize("id", NO_IDS, ids=lambda each: ascii(each)[:20])
async def test_what_is_no_id_is_refused_and_not_echoed(here: Stage, id: Any) -> None:  # noqa: A002
    answer = await here.ask("tools/list", id=id)
    assert answer.refusal == (400, -32600)
    assert answer.id is ABSENT


async def test_a_request_without_an_id_is_refused(here: Stage) -> None:
    for method in ("tools/list", "tools/call", "nothing/here", "initialize"):
        answer = await here.send(request(method, {"name": "add", "arguments": {"first": 1}}, ABSENT))
        assert answer.refusal == (400, -32600)
        assert answer.id is ABSENT


async def test_a_notification_with_an_id_is_refused(here: Stage) -> None:
    for method in ("notifications/cancelled", "notifications/initialized", "notifications/nothing"):
        answer = await here.send(request(method, {"requestId": 1}, id="n"))
        assert answer.refusal == (400, -32600)
        assert answer.id == "n"


@pytest.mark.parametrize("method", ["notifications/cancelled", "notifications/initialized", "notifications/nothing"])
async def test_a_notification_is_taken_and_never_answered(here: Stage, method: str) -> None:
    for params in ({"requestId": 7}, {"requestId": "nobody's", "reason": "x"}, {}):
        answer = await here.send(request(method, params, ABSENT))
        assert (answer.status, answer.message) == (202, None)
        assert "content-type" not in answer.headers


@pytest.mark.parametrize(
    "change",
    [
        {"jsonrpc": "1.0"},
        {"jsonrpc": 2.0},
        {"jsonrpc": None},
        {"method": None},
        {"method": 1},
        {"method": ""},
        {"method": ["tools/list"]},
        {"params": []},
        {"params": None},
        {"params": "x"},
        {"params": 0},
        {"result": {}},
        {"error": {"code": 1, "message": "x"}},
    ],
)
async def test_json_that_is_no_request_is_refused_under_its_id(here: Stage, change: dict[str, Any]) -> None:
    answer = await here.send({**request("tools/list", id="mine"), **change})
    assert answer.refusal == (400, -32600)
    assert answer.id == "mine"


@pytest.mark.parametrize("name", ["jsonrpc", "method"])
async def test_a_member_that_is_missing(here: Stage, name: str) -> None:
    message = request("tools/list", id="mine")
    del message[name]
    answer = await here.send(json.dumps(message).encode(), **headers(request("tools/list")))
    assert answer.status == 400
    if name == "method":  # without jsonrpc it is no JSON-RPC at all, yet at this URL it is refused as such
        assert answer.id == "mine"
    assert answer.error["code"] == -32600


GOOD = json.dumps(request("tools/list", id="mine"))
DOUBLED = [
    GOOD.replace('"method":', '"method":"tools/call","method":'),
    GOOD.replace('"jsonrpc":', '"jsonrpc":"2.0","jsonrpc":'),
    GOOD.replace('"params":', '"params":{},"params":'),
    GOOD.replace('"_meta":', '"_meta":{},"_meta":'),
    GOOD.replace('"name": "tests"', '"name": "tests", "name": "tests"'),
]


@pytest.mark.parametrize("body", DOUBLED, ids=range(len(DOUBLED)))
async def test_a_name_that_stands_twice_is_refused_under_the_id(here: Stage, body: str) -> None:
    assert body != GOOD
    answer = await here.send(body.encode(), **headers(json.loads(GOOD)))
    assert answer.refusal == (400, -32600)
    assert answer.id == "mine"


async def test_of_two_ids_none_is_echoed(here: Stage) -> None:
    body = GOOD.replace('"id": "mine"', '"id": "mine", "id": "other"')
    answer = await here.send(body.encode(), **headers(json.loads(GOOD)))
    assert answer.refusal == (400, -32600)
    assert answer.id is ABSENT


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"{", b"nonsense", GOOD.encode()[:-1], GOOD.encode() + b"}", b'{"jsonrpc":"2.0","id":1,', b"\xff\xfe",
     GOOD.encode().replace(b"mine", b"m\xffne"), GOOD.encode("utf-16"), GOOD.replace('"mine"', "NaN").encode()],
    ids=range(11),
)  # fmt: skip
async def test_what_is_no_utf_8_json_is_a_parse_error_without_an_id(here: Stage, body: bytes) -> None:
    answer = await here.send(body, **headers(json.loads(GOOD)))
    assert answer.refusal == (400, -32700)
    assert answer.id is ABSENT


BATCHES: list[Any] = [
    [],
    [request("tools/list")],
    [request("tools/list", id=1), request("tools/list", id=2)],
    [request("notifications/cancelled", {"requestId": 1}, ABSENT)],
    [1, 2],
    [request("tools/list")] * 101,
]


@pytest.mark.parametrize("batch", BATCHES, ids=range(len(BATCHES)))
async def test_a_batch_is_refused_whole(here: Stage, batch: Any) -> None:
    answer = await here.send(batch, **headers(request("tools/list")))
    assert answer.refusal == (400, -32600)
    assert answer.id is ABSENT


@pytest.mark.parametrize("value", [1, "tools/list", None, True, 1.5])
async def test_json_that_is_no_object_is_refused(here: Stage, value: Any) -> None:
    answer = await here.send(value, **headers(request("tools/list")))
    assert answer.refusal == (400, -32600)
    assert answer.id is ABSENT


@pytest.mark.parametrize("part", [{"result": {}}, {"error": {"code": -1, "message": "no"}}, {"result": 1}])
async def test_a_response_is_refused_and_its_id_is_not_taken_for_a_requests(here: Stage, part: Any) -> None:
    answer = await here.send({"jsonrpc": "2.0", "id": 7, **part}, **headers(request("tools/list")))
    assert answer.refusal == (400, -32600)
    assert answer.id is ABSENT


@pytest.mark.parametrize(("method", "params"), REQUESTS)
async def test_every_result_says_its_type_and_whose_it_is(here: Stage, method: str, params: dict[str, Any]) -> None:
    answer = await here.ask(method, params, capabilities=CAN_ALL)
    assert answer.result["resultType"] in {"complete", "input_required", "task"}
    assert set(answer.result["_meta"][f"{META}serverInfo"]) >= {"name", "version"}


async def test_result_types_beyond_the_core_are_of_extensions_that_are_declared(here: Stage) -> None:
    types = {(await here.ask(*each, capabilities=CAN_ALL)).result["resultType"] for each in REQUESTS}
    assert types == {"complete", "input_required", "task"}
    assert TASKS in (await here.ask("server/discover")).result["capabilities"]["extensions"]


async def test_no_code_is_sent_that_the_specification_does_not_have(here: Stage) -> None:
    codes = {(await here.ask(method, params, capabilities=CAN_ALL)).error["code"] for method, params, *_ in FAILURES}
    codes.add((await here.ask("tools/call", {"name": "greet"}, capabilities={})).error["code"])
    codes.add((await here.ask("tools/list", version="1900-01-01")).error["code"])
    codes.add((await here.ask("tools/list", http={"mcp_method": "tools/call"})).error["code"])
    codes.add((await here.send(b"{")).error["code"])
    assert codes == {-32700, -32601, -32602, -32603, -32020, -32021, -32022}
    assert not codes & {Code.RESOURCE_NOT_FOUND, Code.URL_ELICITATION_REQUIRED}


async def test_one_id_in_two_requests_at_once_mixes_nothing_up(here: Stage) -> None:
    """The id MUST be unique, yet on HTTP each request has a stream of its own: a client that errs harms nobody."""
    sums = [here.ask("tools/call", {"name": "add", "arguments": {"first": number}}, id="same") for number in range(20)]
    said = await asyncio.gather(*sums)
    assert [each.result["structuredContent"] for each in said] == list(range(20))


async def test_a_message_is_read_whatever_the_order_of_its_members(here: Stage) -> None:
    message = request("tools/call", {"name": "add", "arguments": {"first": 4}})
    turned = {"params": {"_meta": meta(), **dict(reversed(message["params"].items()))}}
    turned |= {name: message[name] for name in ("method", "id", "jsonrpc")}
    assert (await here.send(turned)).result["structuredContent"] == 4


async def test_one_call_too_many_is_refused_under_its_id_and_may_come_again() -> None:
    async with stage(max_runs=1) as here:
        message = request("tools/call", {"name": "wait"}, progressToken="t")
        first = await here.answer("POST", "/mcp", json.dumps(message).encode(), headers(message))
        await asyncio.wait_for(HELD.began.wait(), SECONDS)
        answer = await here.ask("tools/call", {"name": "add", "arguments": {"first": 1}}, id="mine")
        assert answer.refusal == (503, -32603)
        assert answer.id == "mine"
        assert int(answer.headers["retry-after"]) > 0
        assert (await here.ask("tools/list")).status == 200, "lists need no run"
        assert isinstance(first.body, Frames)
        first.body.close()
        await asyncio.wait_for(HELD.stopped.wait(), SECONDS)


async def test_while_the_server_stops_what_runs_is_answered_and_nothing_begins(here: Stage) -> None:
    message = request("tools/call", {"name": "wait"}, id="running", progressToken="t")
    running = await here.answer("POST", "/mcp", json.dumps(message).encode(), headers(message))
    await asyncio.wait_for(HELD.began.wait(), SECONDS)
    ended = asyncio.ensure_future(said(running))
    await asyncio.wait_for(here.endpoint.drain(), SECONDS)
    last = await ended
    assert (last.id, last.error["code"]) == ("running", -32603)
    for method, params in (("tools/call", {"name": "talk"}), ("subscriptions/listen", {"notifications": {}})):
        answer = await here.ask(method, params, id="mine")
        assert answer.refusal == (503, -32603)
        assert answer.id == "mine"
