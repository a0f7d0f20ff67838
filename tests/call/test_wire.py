"""The client's pure half: requests as values, bytes to events, without a loop and without a server."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app import MissingCapability, ToolError, errors
from mcp_app.client.address import parse_address
from mcp_app.client.wire import outgoing, raised
from mcp_app.client.wire.conversation import Conversation, NotSpoken
from mcp_app.client.wire.http_sse import HttpSseSession
from mcp_app.client.wire.incoming import MAX_ANSWER_BYTES, AnswerTooLarge, Incoming
from mcp_app.client.wire.plain import By, PlainConversation, ToolCall
from mcp_app.client.wire.question import DECLINE, Question, result_of
from mcp_app.client.wire.rpc import Structured
from mcp_app.client.wire.run_events import (
    CompleteEvent,
    ErrorEvent,
    ProgressEvent,
    QuestionEvent,
    RunEvent,
    TaskEvent,
    UnknownEvent,
)
from mcp_app.client.wire.sessions import McpSession
from mcp_app.client.wire.stateless import McpRequests, StatelessConversation
from mcp_app.protocol.http.sse import ServerSentEvent
from mcp_app.protocol.mcp.headers import Mirror
from mcp_app.protocol.mcp.jsonrpc import RpcError

ROUTE = parse_address("https://example.com/prefix/sse")
RUN = "a1b2c3d4e5f6a7b8"
CALL = ToolCall("scan", {"domain": "example.com"}, cap_seconds=5, heartbeat_seconds=1)


def event(id_: str = "", /, **content: Any) -> bytes:
    head = f"id: {id_}\n" if id_ else ""
    return f"{head}data: {json.dumps(content)}\n\n".encode()


def given_to(conversation: Conversation, *chunks: bytes) -> list[RunEvent]:
    stream = Incoming(200, "text/event-stream; charset=utf-8")
    return [each for chunk in chunks for sent in stream.feed(chunk) for each in conversation.event(sent)]


PLAIN = b": open\n" + b"".join(
    [
        event(f"{RUN}/1", type="started", tool="scan", metadata={"run": RUN, "cap_seconds": 5}),
        event(f"{RUN}/2", type="progress", data={"message": "dns"}, metadata={"progress": 1, "total": 3}),
        b":\n:\n",
        event(f"{RUN}/3", type="log", data={"level": "info", "message": "hé"}),
        event(f"{RUN}/4", type="sparkle", data=1),
        event(f"{RUN}/05", type="complete", data={"grade": "A"}, metadata={"duration_ms": 7}),
    ]
)


def plain(by: By = "post", key: str = "") -> PlainConversation:
    return PlainConversation(ROUTE, CALL, by, key=key)


# --- bytes -----------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, len(PLAIN)), max_size=12))
def test_a_stream_says_the_same_however_it_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(PLAIN)]
    chunks = [PLAIN[start:end] for start, end in itertools.pairwise(edges)]
    assert given_to(plain(), *chunks) == given_to(plain(), PLAIN)


@given(st.binary(max_size=300), st.integers(0, 700))
def test_what_is_not_the_dialect_is_said_to_be_not_and_nothing_else(body: bytes, status: int) -> None:
    requests = McpRequests("/mcp")
    for conversation in (
        plain(),
        plain("detached"),
        StatelessConversation(requests, "tools/call", {"name": "x"}),
        McpSession("/mcp", "2025-11-25", {}).conversation("tools/call", {}),
    ):
        conversation.begin()
        for give in (
            lambda c=conversation: given_to(c, b"data: " + body + b"\n\n"),
            lambda c=conversation: c.answer(status, body),
        ):  # type: ignore[misc]
            assert said_of(give) < 1500


def said_of(give: Callable[[], object]) -> int:
    """How much is said of what is not spoken."""
    try:
        give()
    except NotSpoken as refused:
        return len(str(refused))
    return 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
members = st.sampled_from(
    [
        *(
            "result",
            "error",
            "method",
            "params",
            "resultType",
            "inputRequests",
            "taskId",
            "content",
            "isError",
            "status",
        ),
        *("code", "message", "data", "text", "type", "progress", "total", "progressToken", "_meta", "notifications"),
        *("taskIds", "structuredContent", "details", "error_id", "level", "hint", "requiredCapabilities"),
    ]
)
kinds = st.sampled_from(["input_required", "task", "complete", "completed", "failed", "cancelled", "working"])


@given(st.recursive(json_values, lambda inner: st.dictionaries(members, inner, max_size=4), max_leaves=12), kinds)
def test_any_message_is_an_event_or_not_spoken(value: Any, kind: Any) -> None:
    requests = McpRequests("/mcp", tasks=True)
    for conversation in (
        StatelessConversation(requests, "tools/call", {"name": "x"}, structured=Structured()),
        McpSession("/mcp", "2025-11-25", {}).conversation("tools/call", {}, structured=Structured(wrapped=True)),
    ):
        conversation.begin()
        for message in (
            {"jsonrpc": "2.0", "id": 1, "result": value if isinstance(value, dict) else {"content": value}},
            {"jsonrpc": "2.0", "id": 1, "error": value},
            {"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "m", "data": value}},
            {"jsonrpc": "2.0", "method": "notifications/tasks", "params": {"status": kind, **_object(value)}},
            {"jsonrpc": "2.0", "method": "notifications/tasks", "params": {"status": kind, "result": value}},
            {"jsonrpc": "2.0", "method": "notifications/tasks", "params": {"status": kind, "error": value}},
            {"jsonrpc": "2.0", "method": "notifications/tasks", "params": {"inputRequests": value}},
            {"jsonrpc": "2.0", "id": 1, "result": {"content": [value], "isError": True}},
            {"jsonrpc": "2.0", "id": 1, "result": {"content": [value]}},
            {"jsonrpc": "2.0", "method": "notifications/progress", "params": value},
            {"jsonrpc": "2.0", "method": "notifications/message", "params": value},
            {"jsonrpc": "2.0", "method": "notifications/tasks", "params": value},
            {"jsonrpc": "2.0", "id": 1, "result": {"resultType": kind, "inputRequests": value, "taskId": value}},
        ):
            conversation.over = False
            said_of(lambda: given_to(conversation, b"data: " + json.dumps(message).encode() + b"\n\n"))  # noqa: B023
            conversation.proceed()
    for content in ({"type": "error", "error": value}, {"type": "log", "data": value}, _object(value)):
        said_of(lambda: given_to(plain(), event(**{str(name): each for name, each in content.items()})))  # noqa: B023


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def test_a_body_without_a_bound_is_refused() -> None:
    body = Incoming(200, "application/json")
    body.feed(bytes(MAX_ANSWER_BYTES))
    with pytest.raises(AnswerTooLarge):
        body.feed(b"1")


def test_heartbeats_are_counted_and_other_comments_are_not() -> None:
    stream = Incoming(200, "text/event-stream")
    stream.feed(PLAIN + b": cap\n")
    assert (stream.heartbeats, stream.comments) == (2, 4)
    assert not Incoming(404, "text/event-stream").is_stream


# --- plain -----------------------------------------------------------------------------------------------------------


def test_a_call_by_post() -> None:
    conversation = plain()
    request = conversation.begin()
    assert (request.method, request.path, request.headers["Accept"]) == ("POST", "/prefix/sse", outgoing.EVENT_STREAM)
    body = {"tool": "scan", "params": {"domain": "example.com"}, "cap_seconds": 5, "heartbeat_seconds": 1}
    assert json.loads(request.body) == body
    started, progress, _, unknown, complete = given_to(conversation, PLAIN)
    assert conversation.over
    assert (conversation.run, started.id) == (RUN, f"{RUN}/1")
    assert isinstance(progress, ProgressEvent)
    assert (progress.progress, progress.total, progress.message) == (1, 3, "dns")
    assert isinstance(unknown, UnknownEvent)
    assert isinstance(complete, CompleteEvent)
    assert complete.metadata == {"duration_ms": 7}
    assert conversation.proceed() is None
    cancel = conversation.cancel()
    assert cancel is not None
    assert (cancel.method, cancel.path) == ("DELETE", f"/prefix/runs/{RUN}")


def test_nothing_follows_the_last_event() -> None:
    assert len(given_to(plain(), PLAIN, event(type="complete", data=2))) == 5


def test_a_post_is_lost_when_it_is_cut_and_the_others_go_on() -> None:
    started = event(f"{RUN}/1", type="started", metadata={"run": RUN})
    post, get, detached = plain(), plain("get", key="k" * 16), plain("detached")
    for conversation in (post, get, detached):
        conversation.begin()
    assert detached.answer(202, json.dumps({"id": RUN, "state": "working"}).encode()) == []
    follow = detached.proceed()
    assert follow is not None
    assert (follow.path, follow.headers.get("Last-Event-ID")) == (
        f"/prefix/runs/{RUN}/events?heartbeat_seconds=1",
        None,
    )
    again = get.proceed()
    assert again is not None
    assert (again, "Last-Event-ID" in again.headers) == (get.begin(), False)
    for conversation in (post, get, detached):
        given_to(conversation, started)
    assert post.proceed() is None
    for conversation, path in (
        (get, "/prefix/sse?tool=scan&run=kkkkkkkkkkkkkkkk&"),
        (detached, f"/prefix/runs/{RUN}/"),
    ):
        again = conversation.proceed()
        assert again is not None
        assert again.path.startswith(path)
        assert again.headers["Last-Event-ID"] == f"{RUN}/1"


def test_json_answers() -> None:
    answer = {"type": "complete", "data": 3, "progress": [{"type": "progress", "data": 1}, "what?"], "metadata": {}}
    events = plain().answer(200, json.dumps(answer).encode())
    assert [each.type for each in events] == ["progress", "complete"]
    [refused] = plain().answer(422, b'{"type":"error","error":{"code":"invalid_params","message":"No.","hint":"Try."}}')
    assert isinstance(refused, ErrorEvent)
    assert isinstance(refused.error, errors.InvalidParams)
    assert (refused.error.message, refused.error.hint) == ("No.", "Try.")
    session = McpSession("/mcp", "2025-11-25", {}).conversation("tools/call", {})
    message = rpc(method="notifications/progress", params={"progress": 1}).decode()
    for nothing_left, data in ((plain("get", "k" * 16), '{"type": "progress"}'), (session, message)):
        nothing_left.event(ServerSentEvent(data, id="e/1"))
        assert nothing_left.proceed() is not None
        assert nothing_left.answer(204, b"") == []
        assert nothing_left.proceed() is None
    with pytest.raises(NotSpoken, match=r"status 502.*Bad Gateway"):
        plain().answer(502, b"<h1>Bad Gateway</h1>")


# --- errors ----------------------------------------------------------------------------------------------------------


class Sunk(ToolError):
    code = "sunk"

    def __init__(self, ship: str, depth: int) -> None:
        super().__init__(f"{ship} is sunk at {depth} m.")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"code": "time_cap"}, errors.TimeCap),
        ({"code": "tool_failed"}, ToolError),
        ({"code": "tool_failed", "error_id": "7"}, errors.ToolFailed),
        ({"code": "missing_capability", "requiredCapabilities": {"roots": {}}}, MissingCapability),
        ({"code": "insufficient_scope", "scopes": ["read"]}, errors.InsufficientScope),
        ({"code": "sunk"}, Sunk),
        ({"code": "of a newer server"}, ToolError),
        ({}, ToolError),
    ],
)
def test_an_error_object_is_the_exception_that_was_raised(content: dict[str, Any], kind: type[Exception]) -> None:
    found = raised.from_object({"message": "m", "hint": "h", "details": [{"field": "f", "problem": "p"}], **content})
    assert isinstance(found, kind)
    assert (found.message, found.hint, found.code) == ("m", "h", content.get("code", ""))
    assert found.details == ({"field": "f", "problem": "p"},)
    assert found.error_id == content.get("error_id")
    if isinstance(found, MissingCapability):
        assert found.required == {"roots": {}}
    if isinstance(found, errors.InsufficientScope):
        assert found.needed == {"read"}


def test_each_public_error_is_known_by_its_code() -> None:
    public = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.McpAppError)]
    coded = [kind for kind in public if "code" in vars(kind) and kind not in (ToolError, errors.ToolFailed)]
    assert len(coded) > 30
    for kind in coded:
        assert type(raised.from_object({"code": kind.code, "message": "m"})) is kind


def test_the_class_of_an_author_is_no_other_than_his() -> None:
    assert type(raised.from_object({"code": "nobody's", "message": "m"})).__name__ == "ToolError"

    class One(ToolError):
        code = "of_two"

    class Other(ToolError):
        code = "of_two"

    assert type(raised.from_object({"code": "of_two", "message": "m"})) not in (One, Other)


def test_a_class_that_is_defined_again_is_the_newest() -> None:
    def defined() -> type[ToolError]:
        class Again(ToolError):
            code = "defined_again"

        return Again

    first, second = defined(), defined()
    assert first is not second
    assert type(raised.from_object({"code": "defined_again", "message": "m"})) is second


def test_an_error_of_json_rpc_without_an_error_object_is_one_of_json_rpc() -> None:
    found = raised.from_response({"code": -32601, "message": "There is no such method."})
    assert isinstance(found, RpcError)
    assert (found.code, found.message) == (-32601, "There is no such method.")


# --- questions -------------------------------------------------------------------------------------------------------


def test_answers_that_do_not_go_with_their_question() -> None:
    form = Question("k", "elicitation/create", {"message": "Name?", "requestedSchema": {"properties": {"name": {}}}})
    page = Question("k", "elicitation/create", {"mode": "url", "message": "Go", "url": "https://example.com/"})
    sample, roots = Question("k", "sampling/createMessage", {}), Question("k", "roots/list", {})
    for question, answer in (
        (form, "Ada"),
        (page, {"a": 1}),
        (page, False),
        (sample, 7),
        (sample, DECLINE),
        (roots, "/x"),
    ):
        with pytest.raises(TypeError, match="does not answer"):
            result_of(question, answer)
    with pytest.raises(TypeError, match="nothing does"):
        result_of(Question("k", "of/tomorrow", {}), {})


# --- MCP 2026-07-28 --------------------------------------------------------------------------------------------------


def rpc(**content: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **content}).encode()


def test_a_call_over_two_rounds() -> None:
    requests = McpRequests("/mcp", {"elicitation": {}}, "info")
    conversation = StatelessConversation(
        requests, "tools/call", {"name": "grüße", "arguments": {"a": True, "b": "x y"}},
        mirrors=(Mirror("A", ("a",)), Mirror("B", ("b",)), Mirror("C", ("c",))),
    )  # fmt: skip
    first = conversation.begin()
    assert first.headers["Mcp-Name"] == "=?base64?Z3LDvMOfZQ==?="
    assert (first.headers["Mcp-Param-A"], first.headers["Mcp-Param-B"]) == ("true", "x y")
    assert "Mcp-Param-C" not in first.headers
    meta = json.loads(first.body)["params"]["_meta"]
    assert meta["io.modelcontextprotocol/clientCapabilities"] == {"elicitation": {}}
    assert meta["io.modelcontextprotocol/logLevel"] == "info"
    asked = {"who": {"method": "elicitation/create", "params": {"message": "Who?"}}}
    required = {"resultType": "input_required", "inputRequests": asked, "requestState": "sealed"}
    [question] = conversation.answer(200, rpc(id=1, result=required))
    assert isinstance(question, QuestionEvent)
    assert conversation.reply(question.question, {"action": "decline"}) is None
    second = conversation.proceed()
    assert second is not None
    params = json.loads(second.body)["params"]
    assert (params["inputResponses"], params["requestState"]) == ({"who": {"action": "decline"}}, "sealed")
    assert conversation.answer(200, rpc(id=1, result={"of": "the first round"})) == []
    [last] = conversation.answer(200, rpc(id=2, result={"resultType": "complete", "content": []}))
    assert isinstance(last, CompleteEvent)
    assert conversation.over
    assert conversation.proceed() is None


def test_a_call_that_is_cut_is_not_sent_again() -> None:
    conversation = StatelessConversation(McpRequests("/mcp"), "tools/call", {"name": "x"})
    conversation.begin()
    assert conversation.proceed() is None
    assert conversation.cancel() is None


def test_a_task() -> None:
    conversation = StatelessConversation(
        McpRequests("/mcp", tasks=True), "tools/call", {"name": "x"}, structured=Structured()
    )
    conversation.begin()
    [became] = conversation.answer(200, rpc(id=1, result={"resultType": "task", "taskId": "t1"}))
    assert isinstance(became, TaskEvent)
    listen = conversation.proceed()
    assert listen is not None
    assert json.loads(listen.body)["params"]["notifications"] == {"taskIds": ["t1"]}
    acknowledged = {"notifications": {"taskIds": ["t1"]}}
    asked = {"k": {"method": "roots/list"}}

    def told(method: str, params: dict[str, Any]) -> list[RunEvent]:
        return given_to(conversation, b"data: " + rpc(method=f"notifications/{method}", params=params) + b"\n\n")

    assert told("subscriptions/acknowledged", acknowledged) == []
    assert told("tasks", {"taskId": "t1", "status": "working"}) == []
    [question] = told("tasks", {"taskId": "t1", "status": "input_required", "inputRequests": asked})
    assert told("tasks", {"taskId": "t1", "status": "input_required", "inputRequests": asked}) == []
    assert isinstance(question, QuestionEvent)
    update = conversation.reply(question.question, {"roots": []})
    assert update is not None
    assert json.loads(update.body)["params"]["inputResponses"] == {"k": {"roots": []}}
    assert update.headers["Mcp-Name"] == "t1"
    assert conversation.answer(200, rpc(id=2, result={"resultType": "complete"})) == []  # the subscription's end
    assert conversation.proceed() is not None
    [last] = told("tasks", {"taskId": "t1", "status": "completed", "result": {"structuredContent": 5}})
    assert isinstance(last, CompleteEvent)
    assert last.data == 5


def test_a_task_that_is_not_known_any_more() -> None:
    conversation = StatelessConversation(McpRequests("/mcp", tasks=True), "tools/call", {"name": "x"})
    conversation.begin()
    conversation.answer(200, rpc(id=1, result={"resultType": "task", "taskId": "t1"}))
    conversation.proceed()
    message = rpc(method="notifications/subscriptions/acknowledged", params={"notifications": {}})
    [last] = given_to(conversation, b"data: " + message + b"\n\n")
    assert isinstance(last, ErrorEvent)
    assert isinstance(last.error, errors.UnknownRun)


# --- sessions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "says"), [("2025-11-25", True), ("2025-06-18", True), ("2025-03-26", False)])
def test_a_session(version: str, says: bool) -> None:
    session = McpSession("/mcp", version, {"roots": {}})
    initialize = session.initialize()
    opening = initialize.begin()
    assert json.loads(opening.body)["params"]["capabilities"] == {"roots": {}}
    assert "Mcp-Session-Id" not in opening.headers
    [opened] = initialize.answer(200, rpc(id=1, result={"protocolVersion": version}))
    initialized = session.opened("s1", opened.raw)
    assert json.loads(initialized.body)["method"] == "notifications/initialized"
    conversation = session.conversation("tools/call", {"name": "x"}, structured=Structured(wrapped=True))
    request = conversation.begin()
    assert request.headers["Mcp-Session-Id"] == "s1"
    assert ("MCP-Protocol-Version" in request.headers) is says
    assert json.loads(request.body)["params"]["_meta"] == {"progressToken": 2}
    assert conversation.proceed() is None  # nothing came that has an id
    primer, asked = b"id: e/0\ndata: \n\n", b"id: e/1\ndata: " + rpc(id="q1", method="roots/list") + b"\n\n"
    [question] = given_to(conversation, primer, asked)
    assert isinstance(question, QuestionEvent)
    reply = conversation.reply(question.question, {"roots": []})
    assert reply is not None
    assert json.loads(reply.body) == {"jsonrpc": "2.0", "id": "q1", "result": {"roots": []}}
    rest = conversation.proceed()
    assert rest is not None
    assert (rest.method, rest.headers["Last-Event-ID"], rest.headers["Mcp-Session-Id"]) == ("GET", "e/1", "s1")
    [last] = given_to(conversation, b"data: " + rpc(id=2, result={"structuredContent": {"result": 7}}) + b"\n\n")
    assert isinstance(last, CompleteEvent)
    assert last.data == 7
    cancel = conversation.cancel()
    assert cancel is not None
    assert json.loads(cancel.body)["params"]["requestId"] == 2
    assert session.close().method == "DELETE"


def test_http_sse() -> None:
    """Everything comes on one stream, and is given to whom it belongs."""
    session = HttpSseSession("/sse", "2024-11-05", {"roots": {}})
    assert (session.stream().method, session.stream().path) == ("GET", "/sse")
    session.receive(ServerSentEvent("/sse/messages?session=s", "endpoint"))
    first, second = session.conversation("tools/call", {"name": "x"}), session.conversation("tools/call", {"name": "y"})
    assert {each.begin().path for each in (first, second)} == {"/sse/messages?session=s"}

    def came(**content: Any) -> list[tuple[str, list[str]]]:
        names = {first: "first", second: "second"}
        given = session.receive(ServerSentEvent(rpc(**content).decode()))
        return [(names[each], [event.type for event in events]) for each, events in given]  # type: ignore[index]

    assert first.answer(202, b"") == []
    assert came(method="notifications/progress", params={"progressToken": 1, "progress": 1}) == [
        ("first", ["progress"])
    ]
    assert came(method="notifications/progress", params={"progressToken": 9, "progress": 1}) == []
    assert came(method="notifications/message", params={"level": "info", "data": "all"}) == [
        ("first", ["log"]),
        ("second", ["log"]),
    ]
    assert came(id="q", method="roots/list") == [("second", ["ask"])]
    assert came(id=2, result={}) == [("second", ["complete"])]
    assert came(id="r", method="roots/list") == [("first", ["ask"])]
    assert came(id=2, result={}) == []
    batch = [
        {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": n}}
        for n in (2, 3)
    ]
    given = session.receive(ServerSentEvent(json.dumps(batch)))
    assert [(each, [e.raw["params"]["progress"] for e in events]) for each, events in given] == [
        (first, [2]),
        (first, [3]),
    ]
    assert (second.over, first.over) == (True, False)
    assert first.proceed() is None
