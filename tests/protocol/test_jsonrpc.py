"""JSON-RPC 2.0 as MCP narrows it: what is a message, what is none, under which id that is said, and our own bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mcp_types.jsonrpc import jsonrpc_message_adapter

from mcp_app.protocol.mcp import jsonrpc
from mcp_app.protocol.mcp.jsonrpc import (
    MAX_BATCH,
    MAX_ID_CHARS,
    MAX_ID_INT,
    Code,
    RpcError,
    RpcNotification,
    RpcRequest,
    RpcResponse,
    parse,
)

INVALID, PARSE = Code.INVALID_REQUEST, Code.PARSE_ERROR

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=8), JSON_VALUES, max_size=4)
IDS = st.text(max_size=MAX_ID_CHARS) | st.integers(-MAX_ID_INT, MAX_ID_INT)


def body(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode()


def refusal(sent: bytes) -> RpcError:
    with pytest.raises(RpcError) as caught:
        parse(sent)
    return caught.value


def parsed(sent: bytes) -> jsonrpc.RpcMessage | list[jsonrpc.RpcMessage | RpcError] | RpcError:
    try:
        return parse(sent)
    except RpcError as problem:
        return problem


# --- what is a message -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (body(id=1, method="tools/list"), RpcRequest(1, "tools/list")),
        (body(id="a", method="x", params={"p": [1]}), RpcRequest("a", "x", {"p": [1]})),
        (body(id=0, method="x"), RpcRequest(0, "x")),
        (body(id="", method="x"), RpcRequest("", "x")),
        (body(id=-7, method="x"), RpcRequest(-7, "x")),
        (body(id=MAX_ID_INT, method="x"), RpcRequest(MAX_ID_INT, "x")),
        (body(id="i" * MAX_ID_CHARS, method="x"), RpcRequest("i" * MAX_ID_CHARS, "x")),
        (body(id=1, method="x", more=True), RpcRequest(1, "x")),
        (body(method="notifications/initialized"), RpcNotification("notifications/initialized")),
        (body(method="notifications/cancelled", params={"a": 1}), RpcNotification("notifications/cancelled", {"a": 1})),
        (body(id=5, result={}), RpcResponse(5, result={})),
        (body(id="s", result={"roots": []}), RpcResponse("s", result={"roots": []})),
        (body(id=5, error={"code": -1, "message": "no"}), RpcResponse(5, error={"code": -1, "message": "no"})),
        (body(id=None, error={"code": -1, "message": "no"}), RpcResponse(None, error={"code": -1, "message": "no"})),
        (body(error={"code": -1, "message": "no"}), RpcResponse(None, error={"code": -1, "message": "no"})),
    ],
)
def test_a_message(sent: bytes, message: jsonrpc.RpcMessage) -> None:
    assert parse(sent) == message


@given(id_=IDS, method=st.text(min_size=1).filter(lambda name: not name.startswith("notifications/")), params=OBJECTS)
def test_a_request_comes_back_as_it_was_encoded(id_: jsonrpc.Id, method: str, params: dict[str, Any]) -> None:
    encoded = json.dumps(params).encode()
    assert parse(jsonrpc.request(id_, method, encoded)) == RpcRequest(id_, method, params)
    assert parse(jsonrpc.notification(f"notifications/{method}", encoded)) == RpcNotification(
        f"notifications/{method}", params
    )
    assert parse(jsonrpc.result(id_, encoded)) == RpcResponse(id_, result=params)


@pytest.mark.parametrize("number", ["1.0", "1e0", "10e-1"])
def test_an_integer_may_have_a_fraction_of_zero(number: str) -> None:
    """JSON Schema Validation, 6.1.1: what the schema of each revision calls an integer."""
    request = parse(b'{"jsonrpc":"2.0","id":%b,"method":"x"}' % number.encode())
    assert (request, type(request.id)) == (RpcRequest(1, "x", {}), int)
    response = parse(b'{"jsonrpc":"2.0","id":%b,"result":{}}' % number.encode())
    assert (response, type(response.id)) == (RpcResponse(1, result={}), int)


# --- what is none ----------------------------------------------------------------------------------------------------

# The id that the error carries: the one that was read, or none.
NO_MESSAGE = {
    "not an object": (b"1", None),
    "a string": (b'"method"', None),
    "null": (b"null", None),
    "no version": (b'{"id":7,"method":"x"}', 7),
    "version 1.0": (b'{"jsonrpc":"1.0","id":7,"method":"x"}', 7),
    "version as a number": (b'{"jsonrpc":2.0,"id":7,"method":"x"}', 7),
    "nothing but an id": (body(id=7), 7),
    "method is a number": (body(id=7, method=1, params="bar"), 7),  # the example of JSON-RPC 2.0, 7
    "method is null": (body(id=7, method=None), 7),
    "method is empty": (body(id=7, method=""), 7),
    "params is an array": (body(id="a", method="x", params=[1, 2]), "a"),
    "params is null": (body(id="a", method="x", params=None), "a"),
    "params is a string": (body(id="a", method="x", params="p"), "a"),
    "id is null": (body(id=None, method="x"), None),
    "id is true": (body(id=True, method="x"), None),
    "id is a fraction": (body(id=1.5, method="x"), None),
    "id is a float beyond 64 bits": (b'{"jsonrpc":"2.0","id":1e300,"method":"x"}', None),
    "id is an object": (body(id={}, method="x"), None),
    "id is an array": (body(id=[1], method="x"), None),
    "id is too long": (body(id="i" * (MAX_ID_CHARS + 1), method="x"), None),
    "id is too large": (body(id=MAX_ID_INT + 1, method="x"), None),
    "id is too small": (body(id=-MAX_ID_INT - 1, method="x"), None),
    "a request without id": (body(method="tools/call", params={}), None),
    "a notification with id": (body(id=7, method="notifications/initialized"), 7),
    "a notification with id null": (body(id=None, method="notifications/initialized"), None),
    "method and result": (body(id=7, method="x", result={}), 7),
    "method and error": (body(id=7, method="x", error={"code": 1, "message": ""}), 7),
    # An id in a response is one of the server's: an error under it would end a request of the client's.
    "result and error": (body(id=7, result={}, error={"code": 1, "message": ""}), None),
    "result is an array": (body(id=7, result=[]), None),
    "result is null": (body(id=7, result=None), None),
    "a result without id": (body(result={}), None),
    "a result with id null": (body(id=None, result={}), None),
    "a response with id true": (body(id=True, error={"code": 1, "message": ""}), None),
    "a response of version 1.0": (b'{"jsonrpc":"1.0","id":7,"result":{}}', None),
    "error is a string": (body(id=7, error="no"), None),
    "error without code": (body(id=7, error={"message": "no"}), None),
    "error with code true": (body(id=7, error={"code": True, "message": "no"}), None),
    "error without message": (body(id=7, error={"code": 1}), None),
    # JSON by its grammar, and refused: the id is there.
    "a name twice": (b'{"jsonrpc":"2.0","id":7,"method":"x","params":{"a":1,"a":2}}', 7),
    "the id twice": (b'{"jsonrpc":"2.0","id":7,"id":8,"method":"x"}', None),
    "a number out of range": (b'{"jsonrpc":"2.0","id":"a","method":"x","params":{"n":1e999}}', "a"),
    "an integer of 1000 digits": (b'{"jsonrpc":"2.0","id":7,"method":"x","params":{"n":' + b"9" * 1000 + b"}}", 7),
    "an id of 5000 digits": (b'{"jsonrpc":"2.0","id":' + b"9" * 5000 + b',"method":"x"}', None),
    "half of a surrogate pair": (b'{"jsonrpc":"2.0","id":7,"method":"x","params":{"s":"\\ud800"}}', 7),
    "too deep": (b'{"jsonrpc":"2.0","id":7,"method":"x","params":{"d":' + b"[" * 70 + b"]" * 70 + b"}}", 7),
    "a duplicate in a response": (b'{"jsonrpc":"2.0","id":7,"result":{"a":1,"a":2}}', None),
    "a duplicate in a batch": (b'[{"jsonrpc":"2.0","id":7,"method":"x","params":{"a":1,"a":2}}]', None),
}


@pytest.mark.parametrize(("sent", "id_"), NO_MESSAGE.values(), ids=NO_MESSAGE)
def test_json_that_is_no_message(sent: bytes, id_: jsonrpc.Id | None) -> None:
    problem = refusal(sent)
    assert (problem.code, problem.id, problem.status) == (INVALID, id_, 400)
    assert type(problem.id) is type(id_)
    assert problem.data["code"] == "invalid_request"
    assert problem.data["message"] == problem.message
    assert "jsonrpc" in problem.data["hint"]


NO_JSON = {
    "nothing": b"",
    "white space": b" \r\n",
    "the example of JSON-RPC 2.0, 7": b'{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
    "cut off": body(id=7, method="x")[:-1],
    "two values": body(id=7, method="x") * 2,
    "NaN": b'{"jsonrpc":"2.0","id":7,"method":"x","params":{"n":NaN}}',
    "Infinity": b'{"jsonrpc":"2.0","id":7,"method":"x","params":{"n":-Infinity}}',
    "not UTF-8": b'{"jsonrpc":"2.0","id":7,"method":"\xff"}',
    "UTF-16": '{"jsonrpc":"2.0","id":7,"method":"x"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + body(id=7, method="x"),
    "deeper than any parser": b"[" * 500_000,
    "single quotes": b"{'jsonrpc':'2.0','id':7,'method':'x'}",
}


@pytest.mark.parametrize("sent", NO_JSON.values(), ids=NO_JSON)
def test_what_is_no_json(sent: bytes) -> None:
    problem = refusal(sent)
    assert (problem.code, problem.id, problem.status) == (PARSE, None, 400)


@given(st.binary())
@example(b'{"jsonrpc":"2.0","id":"\\ud800","id":1}')
@example(b'{"jsonrpc":"2.0","id":"\\ud800","method":"x"}')
def test_any_bytes_are_a_message_or_a_refusal_that_can_be_sent(sent: bytes) -> None:
    seen = parsed(sent)
    if isinstance(seen, RpcError):
        assert json.loads(seen.encode())["error"]["code"] in (PARSE, INVALID)


@given(OBJECTS, st.sets(st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error"])))
def test_any_json_is_a_message_or_a_refusal(members: dict[str, Any], good: set[str]) -> None:
    right: dict[str, Any] = {"jsonrpc": "2.0", "id": 7, "method": "x", "params": {}, "result": {}, "error": {}}
    sent = json.dumps({**members, **{name: right[name] for name in good}}).encode()
    seen = parsed(sent)
    if isinstance(seen, RpcError):
        assert seen.code == INVALID
        assert seen.id is None or seen.id == json.loads(sent)["id"]  # the id that was sent, or none at all
    else:
        assert isinstance(seen, RpcRequest | RpcNotification | RpcResponse)
        jsonrpc_message_adapter.validate_json(sent)  # the official types take it too


# --- batches (2025-03-26) --------------------------------------------------------------------------------------------


def test_a_batch_keeps_its_order_and_its_bad_messages() -> None:
    # JSON-RPC 2.0, 7, "rpc call Batch": a request, a notification, no message, a request without method.
    messages = parse(
        b'[{"jsonrpc":"2.0","method":"sum","params":{"a":1},"id":"1"},'
        b'{"jsonrpc":"2.0","method":"notifications/hello"},{"foo":"boo"},{"jsonrpc":"2.0","id":5},'
        b'{"jsonrpc":"2.0","id":9,"result":{}}]'
    )
    assert isinstance(messages, list)
    assert messages[:2] == [RpcRequest("1", "sum", {"a": 1}), RpcNotification("notifications/hello")]
    assert messages[4] == RpcResponse(9, result={})
    problems = [each for each in messages if isinstance(each, RpcError)]
    assert [(each.code, each.id) for each in problems] == [(INVALID, None), (INVALID, 5)]
    assert problems == messages[2:4]


def test_a_batch_of_no_messages() -> None:
    messages = parse(b"[1,2,3]")  # JSON-RPC 2.0, 7, "rpc call with invalid Batch"
    assert isinstance(messages, list)
    assert [each.code for each in messages if isinstance(each, RpcError)] == [INVALID] * 3


def test_a_batch_within_a_batch_is_no_message() -> None:
    messages = parse(b'[[{"jsonrpc":"2.0","id":1,"method":"x"}]]')
    assert isinstance(messages, list)
    assert isinstance(messages[0], RpcError)


def test_an_empty_batch_is_refused_as_a_whole() -> None:
    assert refusal(b"[]").code == INVALID  # JSON-RPC 2.0, 7, "rpc call with an empty Array"


def test_the_size_of_a_batch() -> None:
    one = body(id=1, method="x")
    assert len(list(parse(b"[" + b",".join([one] * MAX_BATCH) + b"]"))) == MAX_BATCH  # type: ignore[arg-type]
    problem = refusal(b"[" + b",".join([one] * (MAX_BATCH + 1)) + b"]")
    assert (problem.code, problem.id) == (INVALID, None)
    assert str(MAX_BATCH) in problem.message


# --- our bytes -------------------------------------------------------------------------------------------------------


def test_our_bytes() -> None:
    assert jsonrpc.result(1, b'{"a":1}') == b'{"jsonrpc":"2.0","id":1,"result":{"a":1}}'
    assert jsonrpc.result('"\\', b"{}") == b'{"jsonrpc":"2.0","id":"\\"\\\\","result":{}}'
    assert jsonrpc.notification("n") == b'{"jsonrpc":"2.0","method":"n"}'
    assert jsonrpc.notification("n", b'{"a":1}') == b'{"jsonrpc":"2.0","method":"n","params":{"a":1}}'
    assert jsonrpc.request("s-1", "m") == b'{"jsonrpc":"2.0","id":"s-1","method":"m"}'
    assert jsonrpc.request(2, "m", b"{}") == b'{"jsonrpc":"2.0","id":2,"method":"m","params":{}}'


@given(id_=IDS, method=st.text(), value=OBJECTS)
def test_our_bytes_are_one_line_that_the_official_types_take(
    id_: jsonrpc.Id, method: str, value: dict[str, Any]
) -> None:
    encoded = jsonrpc.RpcError(-1, "", data=value).encode()  # any one-line encoder of the value will do
    assert json.loads(encoded)["error"]["data"] == value
    line = json.dumps(value).encode()
    for sent in (
        jsonrpc.result(id_, line),
        jsonrpc.request(id_, method, line),
        jsonrpc.notification(method, line),
        jsonrpc.error(id_, -32603, method, line),
    ):
        assert b"\n" not in sent
        seen = jsonrpc_message_adapter.validate_json(sent).model_dump()
        assert seen.get("id", id_) == id_
        assert value in (seen.get("result"), seen.get("params"), seen.get("error", {}).get("data"))
