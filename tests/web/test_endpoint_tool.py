"""A tool called at its own path: the answers are those of the SSE route, but JSON where nothing is preferred."""

from __future__ import annotations

from typing import Any

import pytest
from web_direct import EVENTS, Direct, Make
from web_wire import Following, decoded, headers, refused

from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer

TOOLS = "/api/v1/mcp/tools"
JSON = "application/json"
STREAM = "text/event-stream"


async def told(answer: Answer) -> Any:
    """What an answer says, without what differs from run to run."""
    streamed = isinstance(answer.body, Frames)
    messages = (await Following(answer).rest()).messages if streamed else [decoded(answer)]
    for message in messages:
        for name in ("run", "duration_ms"):
            message.get("metadata", {}).pop(name, None)
    return answer.status, [each for each in answer.headers if each[0] != "Date"], messages


@pytest.mark.parametrize("accept", [JSON, STREAM, f"{JSON};q=0.5, {STREAM}", "text/html"])
@pytest.mark.parametrize(
    ("tool", "params"),
    [
        ("echo", {}),
        ("echo", {"text": "hi"}),
        ("count", {"upto": 3}),
        ("count", {"upto": "3"}),
        ("typed", {"number": "5", "point": {"x": 1}}),
        ("count", {}),
        ("count", {"upto": [1]}),
        ("fails", {}),
        ("refuses", {}),
        ("nobody", {}),
        ("ech", {}),
    ],
)
async def test_the_answers_are_those_of_the_sse_route(
    direct: Direct, tool: str, params: dict[str, Any], accept: str
) -> None:
    own = await told(await direct.post(f"{TOOLS}/{tool}", params, accept=accept))
    usual = await told(await direct.post(EVENTS, {"tool": tool, "params": params}, accept=accept))
    for _, _, messages in (own, usual):
        for message in messages:
            message.get("error", {}).pop("error_id", None)
    assert own == usual


@pytest.mark.parametrize("accept", [None, "*/*", "text/*, application/*", f"{STREAM}, {JSON}", "", "?"])
async def test_json_where_nothing_is_preferred(direct: Direct, accept: str | None) -> None:
    value = decoded(await direct.post(f"{TOOLS}/echo", {"text": "hi"}, accept=accept))
    assert (value["type"], value["tool"], value["data"]) == ("complete", "echo", "hi")
    assert isinstance((await direct.call("echo", accept=accept)).body, Frames)


@pytest.mark.parametrize("accept", [STREAM, f"{STREAM}, {JSON};q=0.9", f"{STREAM}, */*"])
async def test_an_event_stream_where_it_is_preferred(direct: Direct, accept: str) -> None:
    answer = await direct.post(f"{TOOLS}/count", {"upto": 2}, accept=accept)
    assert headers(answer.headers)["content-type"] == STREAM
    assert (await Following(answer).rest()).kinds == ["started", "progress", "progress", "complete"]


async def test_no_parameters_need_no_body(direct: Direct) -> None:
    answers = [
        await direct.ask("POST", f"{TOOLS}/echo"),
        await direct.ask("POST", f"{TOOLS}/echo", content_type=JSON),
        await direct.ask("POST", f"{TOOLS}/echo", b"{}", content_type=JSON),
        await direct.ask("POST", f"{TOOLS}/echo/", b"{}", content_type=f"{JSON}; charset=utf-8"),
    ]
    assert [decoded(each)["data"] for each in answers] == ["hello"] * 4


@pytest.mark.parametrize(
    ("body", "fields", "status", "code"),
    [
        (b"{}", {"content_type": None}, 415, "unsupported_media_type"),
        (b"{}", {"content_type": "text/plain"}, 415, "unsupported_media_type"),
        (b"", {"content_type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
        (b" ", {}, 400, "invalid_request"),
        (b"[]", {}, 400, "invalid_request"),
        (b"null", {}, 400, "invalid_request"),
        (b'"text"', {}, 400, "invalid_request"),
        (b"{", {}, 400, "invalid_request"),
        (b'{"text":"a","text":"b"}', {}, 400, "invalid_request"),
        (b'{"text":NaN}', {}, 400, "invalid_request"),
        (b'{"text":' + b"[" * 99 + b"]" * 99 + b"}", {}, 400, "invalid_request"),
        (b"\xff", {}, 400, "invalid_request"),
        (b'{"tool":"echo","params":{}}', {}, 422, "invalid_params"),
        (b'{"text":1}', {}, 422, "invalid_params"),
        (b"{}", {"accept": "text/html"}, 406, "not_acceptable"),
        (b"{}", {"origin": "https://evil.example"}, 403, "origin_not_allowed"),
        (b"{}", {"sec_fetch_site": "cross-site"}, 403, "cross_site_not_allowed"),
        (b"", {"sec_fetch_site": "same-site", "content_type": None}, 403, "cross_site_not_allowed"),
    ],
)
async def test_bad_input_runs_nothing(
    direct: Direct, body: bytes, fields: dict[str, str | None], status: int, code: str
) -> None:
    answer = await direct.post(f"{TOOLS}/echo", body, **fields)
    error = refused(answer, status, code)
    assert direct.play.calls == 0
    if code == "invalid_request":
        assert error["hint"].startswith("Send the tool's parameters as one JSON object")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE"])
async def test_other_methods_start_nothing(direct: Direct, method: str) -> None:
    answer = await direct.ask(method, f"{TOOLS}/echo")
    assert (answer.status, headers(answer.headers)["allow"]) == (405, "OPTIONS, POST")
    assert (await direct.ask("OPTIONS", f"{TOOLS}/echo")).status == 204
    assert direct.play.calls == 0


@pytest.mark.parametrize("path", [f"{TOOLS}/echo/more", f"{TOOLS}//echo", f"{TOOLS}/<tool>", f"{TOOLS}/%65cho"])
async def test_other_paths_are_nobodys(direct: Direct, path: str) -> None:
    assert (await direct.post(path, {})).status == 404
    assert direct.play.calls == 0


async def test_who_comes_back_by_post_means_no_second_run(direct: Direct) -> None:
    answer = await direct.post(f"{TOOLS}/count", {"upto": 2}, accept=STREAM)
    ids = (await Following(answer).rest()).ids
    again = await direct.post(f"{TOOLS}/count", {"upto": 2}, accept=STREAM, last_event_id=ids[-1])
    assert again.status == 204
    assert direct.play.calls == 1


@pytest.mark.parametrize("public", [None, "https://tools.example.com/ai"])
async def test_the_document_is_of_this_server(make: Make, public: str | None) -> None:
    direct = make(public_url=public)
    document = decoded(await direct.get("/openapi.json"))
    assert document["servers"] == [{"url": public or "http://127.0.0.1:8000"}]
    assert set(document["paths"]) == {f"{TOOLS}/{each.name}" for each in direct.play.tools()}
