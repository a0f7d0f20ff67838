"""HTTP around the messages of a session: who may send them, in which form, and to which session.

MCP 2025-11-25 and older, basic/transports: Security Warning, Sending Messages, Listening, Session Management, Protocol
Version Header; basic/lifecycle. What was sent is never lost by what was refused.
"""

from __future__ import annotations

from typing import Any

import pytest
from legacy_client import BOTH, STREAM, Client, Events, Stage, call, decoded

from mcp_app import Audio, Context, ResourceLink, tool
from mcp_app.protocol.access import Access
from mcp_app.web.messages import Answer

VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
each_version = pytest.mark.parametrize("version", VERSIONS)
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}
ADD = {"name": "add", "arguments": {"a": 1, "b": 2}}


def kind(answer: Answer) -> str:
    return dict(answer.headers)["Content-Type"]


def is_rpc_error(answer: Answer) -> bool:
    message = decoded(answer)
    return message["jsonrpc"] == "2.0" and type(message["error"]["code"]) is int and "id" not in message


# --- what is sent ----------------------------------------------------------------------------------------------------


@each_version
@pytest.mark.parametrize(
    "message",
    [
        INITIALIZED,
        {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"},
        {"jsonrpc": "2.0", "method": "notifications/unheard", "params": {"a": 1}},
        {"jsonrpc": "2.0", "id": "nobody's", "result": {}},
        {"jsonrpc": "2.0", "id": "nobody's", "error": {"code": -1, "message": "no"}},
    ],
)
async def test_what_is_no_request_is_202_without_a_body(stage: Stage, version: str, message: Any) -> None:
    client = await stage.client(version)
    answer = await client.post(message)
    assert (answer.status, answer.body) == (202, b"")


@each_version
@pytest.mark.parametrize("accept", [BOTH, STREAM, "application/json", "*/*", None, "application/json;q=0.1, text/*"])
async def test_a_request_is_answered_with_json_or_a_stream(stage: Stage, version: str, accept: str | None) -> None:
    client = await stage.client(version)
    answer = await client.request("tools/call", ADD, accept=accept)
    assert answer.status == 200
    if isinstance(answer.body, bytes):
        assert kind(answer) == "application/json"
        message = decoded(answer)
    else:
        assert kind(answer) == STREAM
        [message] = await Events(answer).rest()
    assert (message["id"], message["result"]["content"]) == (client.ids, [{"type": "text", "text": "3"}])


@pytest.mark.parametrize("accept", ["text/html", "image/*", "application/json;q=0", "text/event-stream;q=0"])
async def test_406_has_a_json_rpc_body(stage: Stage, accept: str) -> None:
    client = await stage.client()
    for method in ("ping", "tools/list", "tools/call"):
        answer = await client.request(method, ADD if method == "tools/call" else None, accept=accept)
        message = decoded(answer)
        assert (answer.status, message["id"], message["error"]["code"]) == (406, client.ids, -32600)
    assert stage.runs.started == 0
    refused = await stage.ask("POST", call("initialize", INITIALIZE), accept=accept)
    assert refused.status == 406
    assert len(stage.endpoint.sessions) == 1


@pytest.mark.parametrize("kind_", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_only_json_is_read(stage: Stage, kind_: str | None) -> None:
    client = await stage.client()
    answer = await client.request("ping", content_type=kind_)
    assert answer.status == 415
    assert is_rpc_error(answer)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "TRACE", "CONNECT", "BREW"])
async def test_what_is_no_method_is_405(stage: Stage, method: str) -> None:
    client = await stage.client()
    answer = await stage.ask(method, call("ping"), mcp_session_id=client.session)
    assert answer.status == 405
    assert {"GET", "POST", "DELETE"} <= set(dict(answer.headers)["Allow"].split(", "))


# --- who sends it ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:9", "null", "", "http://localhost.evil"])
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_a_page_of_another_origin_is_403_and_does_nothing(stage: Stage, method: str, origin: str) -> None:
    client = await stage.client()
    body = call("tools/call", ADD) if method == "POST" else None
    answer = await stage.ask(method, body, origin=origin, mcp_session_id=client.session)
    assert answer.status == 403
    assert "id" not in decoded(answer)
    assert stage.runs.started == 0
    assert await client.result("ping") == {}


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "127.0.0.1@evil.example"])
async def test_a_name_that_was_rebound_is_421(stage: Stage, host: str) -> None:
    client = await stage.client()
    assert (await client.request("tools/call", ADD, host=host)).status == 421
    assert stage.runs.started == 0


@pytest.mark.parametrize(
    "session", ["", " ", "x", "0" * 32, "0" * 31, "g" * 32, "..", "%00", "\x7f", "ä", "x" * 10_000, "a, b"]
)
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE", "HEAD"])
async def test_an_id_of_no_session_is_404(stage: Stage, method: str, session: str) -> None:
    client = await stage.client()
    body = call("tools/call", ADD) if method == "POST" else None
    for named in (session, client.session.upper(), client.session + "0", client.session[:-1]):
        assert (await stage.ask(method, body, mcp_session_id=named)).status == 404
    assert stage.runs.started == 0
    assert await client.result("ping") == {}


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE", "HEAD"])
async def test_somebody_elses_session_is_none(stage: Stage, method: str) -> None:
    """The same as one that never was: nobody can find out which there are."""
    theirs = await stage.endpoint.sessions.begin(Access("somebody else"))
    body = call("ping") if method == "POST" else None
    answer = await stage.ask(method, body, mcp_session_id=theirs.id)
    never = await stage.ask(method, body, mcp_session_id="0" * 32)
    assert (answer.status, answer.body) == (never.status, never.body)
    assert answer.status == 404
    assert await stage.endpoint.sessions.find(theirs.id, Access("somebody else")) is theirs
    await stage.endpoint.sessions.end(theirs)


async def test_somebody_elses_stream_of_the_oldest_transport_takes_no_messages(stage: Stage) -> None:
    theirs = await stage.endpoint.sessions.begin(Access("somebody else"))
    answer = await stage.ask("POST", call("ping"), path=f"/mcp/messages?session={theirs.id}")
    assert answer.status == 404
    await stage.endpoint.sessions.end(theirs)


@pytest.mark.parametrize("version", ["2025-11-25", "2025-06-18"])
@pytest.mark.parametrize("said", ["2026-07-28", "2024-10-07", "nonsense", "", "2025-11-25 ", "2025-11-25, 2025-06-18"])
async def test_a_revision_that_is_none_is_400_in_every_method(stage: Stage, version: str, said: str) -> None:
    client = await stage.client(version)
    for body in (call("tools/call", ADD), INITIALIZED):
        answer = await client.post(body, mcp_protocol_version=said)
        assert answer.status == 400
        assert decoded(answer)["error"]["code"] == -32600
    assert (await client.get(mcp_protocol_version=said)).status == 400
    headers = {"mcp_session_id": client.session, "mcp_protocol_version": said}
    assert (await stage.ask("DELETE", **headers)).status == 400
    assert stage.runs.started == 0
    assert await client.result("ping") == {}


@pytest.mark.parametrize("version", ["2025-11-25", "2025-06-18"])
async def test_without_a_revision_it_is_the_sessions(stage: Stage, version: str) -> None:
    client = await stage.client(version)
    answer = await client.request("tools/call", ADD, mcp_protocol_version=None)
    assert decoded(answer)["result"]["structuredContent"] == {"result": 3}  # which 2025-03-26 has not


# --- before, and what was agreed on ----------------------------------------------------------------------------------


async def test_over_the_oldest_transport_initialize_comes_first(stage: Stage) -> None:
    events = Events(await stage.ask("GET", accept=STREAM))
    first = await events.next()
    assert first is not None
    for method, params in (("tools/list", None), ("tools/call", ADD), ("logging/setLevel", {"level": "debug"})):
        assert (await stage.ask("POST", call(method, params, method), path=first.data)).status == 202
        message = await events.message()
        assert (message["id"], message["error"]["code"]) == (method, -32600)
    assert stage.runs.started == 0
    assert (await stage.ask("POST", call("ping"), path=first.data)).status == 202
    assert (await events.message())["result"] == {}
    assert (await stage.ask("POST", INITIALIZED, path=first.data)).status == 202
    stage.endpoint.sessions.list_changed("tools")  # of which nobody is told who is not initialized
    for message in (call("initialize", INITIALIZE, "i"), call("initialize", INITIALIZE, "again")):
        assert (await stage.ask("POST", message, path=first.data)).status == 202
    assert (await events.message())["result"]["protocolVersion"] == "2025-11-25"
    again = await events.message()
    assert (again["id"], again["error"]["code"]) == ("again", -32600)


async def test_a_stream_of_the_oldest_transport_is_no_session_of_the_newer(stage: Stage) -> None:
    events = Events(await stage.ask("GET", accept=STREAM))
    first = await events.next()
    assert first is not None
    session = first.data.partition("session=")[2]
    for method, body in (("POST", call("ping")), ("GET", None), ("DELETE", None)):
        assert (await stage.ask(method, body, mcp_session_id=session)).status == 404
    assert (await stage.ask("POST", call("ping"), path=first.data)).status == 202
    assert (await events.message())["result"] == {}


@tool
async def what_can_be_asked(ctx: Context) -> list[str]:
    """Which of all there is this client can be asked for."""
    names = ("elicitation", "elicitation.url", "sampling", "sampling.tools", "roots")
    return [name for name in names if ctx.can(name)]


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("2025-11-25", "elicitation elicitation.url sampling sampling.tools roots"),
        ("2025-06-18", "elicitation sampling roots"),
        ("2025-03-26", "sampling roots"),
        ("2024-11-05", "sampling roots"),
    ],
)
async def test_only_what_the_revision_has_is_asked(stage: Stage, version: str, expected: str) -> None:
    stage.tools.add(what_can_be_asked)
    client = await stage.client(version, elicitation={"form": {}, "url": {}}, sampling={"tools": {}}, roots={})
    [text] = decoded(await client.tool("what_can_be_asked"))["result"]["content"]
    assert [name for name in expected.split() if f'"{name}"' in text["text"]] == expected.split()
    assert text["text"].count('"') == 2 * len(expected.split())


@tool
async def sounds() -> list[Any]:
    """A sound and a link."""
    return [Audio(b"abc", "audio/wav"), ResourceLink(uri="test://x", name="x")]


@pytest.mark.parametrize(
    ("version", "kinds"),
    [
        ("2025-11-25", ["audio", "resource_link"]),
        ("2025-06-18", ["audio", "resource_link"]),
        ("2025-03-26", ["audio", "text"]),
        ("2024-11-05", ["resource", "text"]),
    ],
)
async def test_only_content_that_the_revision_has_is_sent(stage: Stage, version: str, kinds: list[str]) -> None:
    stage.tools.add(sounds)
    client: Client = await stage.client(version)
    result = decoded(await client.tool("sounds"))["result"]
    assert [block["type"] for block in result["content"]] == kinds
