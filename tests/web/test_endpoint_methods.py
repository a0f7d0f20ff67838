"""Methods and documents: what is not GET or POST, conditional requests, and what must never start a tool."""

from __future__ import annotations

import asyncio

import pytest
from web_direct import EVENTS, RUNS, Direct
from web_wire import decoded, headers, refused

from mcp_app.dialects.mcp.stateless.requests import StatelessMethods
from mcp_app.manifest import DOCUMENT_PATHS
from mcp_app.web import pages
from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer

TOOLS = "/api/v1/mcp/tools"


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        (EVENTS, "DELETE, GET, HEAD, OPTIONS, POST"),
        (TOOLS, "GET, HEAD, OPTIONS"),
        (RUNS, "OPTIONS, POST"),
        (f"{RUNS}/x", "DELETE, GET, HEAD, OPTIONS"),
        (f"{RUNS}/x/events", "GET, HEAD, OPTIONS"),
        ("/", "GET, HEAD, OPTIONS"),
        ("/mcp.json", "GET, HEAD, OPTIONS"),
        ("/healthz", "GET, HEAD, OPTIONS"),
        ("/metrics", "GET, HEAD, OPTIONS"),
    ],
)
async def test_another_method_gets_405_with_allow(direct: Direct, path: str, allow: str) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO", "get", "X" * 300} - set(allow.split(", ")):
        answer = await direct.ask(method, path)
        refused(answer, 405, "method_not_allowed")
        assert headers(answer.headers)["allow"] == allow
    options = await direct.ask("OPTIONS", path)
    assert options.status == 204
    assert headers(options.headers)["allow"] == allow
    assert direct.play.calls == 0


@pytest.mark.parametrize("error", [GeneratorExit(), BaseExceptionGroup("x", [GeneratorExit()]), SystemExit(1)])
async def test_whatever_is_raised_is_masked_and_has_an_id(
    direct: Direct, error: BaseException, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> Answer:
        raise error

    monkeypatch.setitem(direct.endpoint._table, "/healthz", {"GET": broken})
    monkeypatch.setattr(StatelessMethods, "answer", broken)
    answer = await direct.get("/healthz")
    refused(answer, 500, "internal_error")
    assert decoded(answer)["error"]["error_id"] in caplog.text
    answer = await direct.post("/mcp", {"jsonrpc": "2.0", "id": 7, "method": "server/discover"})
    said = decoded(answer)
    assert (said["id"], said["error"]["code"]) == (7, -32603)
    assert said["error"]["data"]["error_id"] in caplog.text


async def test_who_cancels_the_task_of_a_request_ends_it(direct: Direct, monkeypatch: pytest.MonkeyPatch) -> None:
    async def waits(*_: object) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setitem(direct.endpoint._table, "/healthz", {"GET": waits})
    monkeypatch.setattr(StatelessMethods, "answer", waits)
    discover = {"jsonrpc": "2.0", "id": 7, "method": "server/discover"}
    for asking in (direct.get("/healthz"), direct.post("/mcp", discover)):
        task = asyncio.create_task(asking)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task}, timeout=10)
        assert task.cancelled()


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/api", f"{EVENTS}/x", f"{RUNS}/x/y", f"{RUNS}/x/events/y", "/*", "//x", "/MCP.json",
     f"{RUNS}/<run>/<x>", "/page/../mcp.json", "/\x00"],
)  # fmt: skip
async def test_where_there_is_nothing_is_404_for_every_method(direct: Direct, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS", "FOO"):
        refused(await direct.ask(method, path), 404, "not_found")
    assert (await direct.ask("HEAD", path)).status == 404


@pytest.mark.parametrize(
    "path", [EVENTS, TOOLS, "/mcp.json", "/.well-known/mcp.json", "/healthz", "/page/page.js", "/metrics"]
)
async def test_a_slash_at_the_end_means_nothing(direct: Direct, path: str) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        assert (await direct.ask(method, f"{path}/")).status == (await direct.ask(method, path)).status


async def test_a_post_with_a_slash_at_the_end_is_a_call(direct: Direct) -> None:
    assert decoded(await direct.post(f"{EVENTS}/", {"tool": "echo"}, accept="application/json"))["data"] == "hello"


# --- HEAD ------------------------------------------------------------------------------------------------------------


async def test_head_of_a_call_says_what_get_would_and_starts_nothing(direct: Direct) -> None:
    answer = await direct.ask("HEAD", f"{EVENTS}?tool=echo&text=a")
    assert answer.status == 200
    assert answer.body == b""
    assert headers(answer.headers)["content-type"] == "text/event-stream"
    assert "content-length" not in headers(answer.headers)
    as_json = await direct.ask("HEAD", f"{EVENTS}?tool=echo", accept="application/json")
    assert headers(as_json.headers)["content-type"] == "application/json"
    assert direct.play.calls == 0


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 400), ("?tool=nobody", 404), ("?tool=write", 405), ("?tool=echo&x=1", 422), ("?tool=echo&run=short", 400)],
)
async def test_head_of_a_bad_call_is_refused_as_get_is(direct: Direct, query: str, status: int) -> None:
    head, got = await direct.ask("HEAD", f"{EVENTS}{query}"), await direct.get(f"{EVENTS}{query}")
    assert head.status == got.status == status
    assert head.body == b""
    assert isinstance(got.body, bytes)
    assert headers(head.headers)["content-length"] == str(len(got.body))
    assert direct.play.calls == 0


@pytest.mark.parametrize("path", ["/", "/page/page.js", "/mcp.json", "/.well-known/ai-catalog.json", TOOLS, "/healthz"])
async def test_head_of_a_document_has_gets_headers_and_length(direct: Direct, path: str) -> None:
    head, got = await direct.ask("HEAD", path), await direct.get(path)
    assert (head.status, head.body) == (200, b"")
    assert isinstance(got.body, bytes)
    assert set(head.headers) == {*got.headers, ("Content-Length", str(len(got.body)))}


async def test_head_of_a_runs_events_is_no_stream(direct: Direct) -> None:
    run = decoded(await direct.post(RUNS, {"tool": "wait"}))
    head = await direct.ask("HEAD", run["events_url"])
    assert (head.status, head.body) == (200, b"")
    assert headers(head.headers)["content-type"] == "text/event-stream"
    assert (await direct.ask("HEAD", run["events_url"], accept="application/json")).status == 406
    assert (await direct.ask("HEAD", f"{RUNS}/{'0' * 32}/events")).status == 404


KEY = "a" * 16
LEFT = {"last-event-id": f"{'0' * 32}/1"}
HTTP_SSE = {"accept": "text/event-stream"}
EITHER: dict[str, tuple[str, dict[str, str]]] = {
    "a run that is not known any more": (f"{EVENTS}?tool=echo", LEFT),
    "a key that is not known": (f"{EVENTS}?run={KEY}", {}),
    "no id of an event": (f"{EVENTS}?tool=echo", {"last-event-id": "nonsense"}),
    "a page of another site": (f"{EVENTS}?tool=echo", {"sec-fetch-site": "cross-site"}),
    "the same for JSON": (f"{EVENTS}?tool=echo", {"sec-fetch-site": "cross-site", "accept": "application/json"}),
    "neither stream nor JSON": (f"{EVENTS}?tool=echo", {"accept": "text/html"}),
    "a call": (f"{EVENTS}?tool=echo", {}),
    "a call for JSON": (f"{EVENTS}?tool=echo", {"accept": "application/json"}),
    "a stream of MCP": ("/mcp", HTTP_SSE),
    "the same at the SSE route": (EVENTS, HTTP_SSE),
    "the same from a page of another site": ("/mcp", {**HTTP_SSE, "sec-fetch-site": "cross-site"}),
    "a revision without sessions": ("/mcp", {**HTTP_SSE, "mcp-protocol-version": "2026-07-28"}),
    "no session": ("/mcp", {"accept": "*/*"}),
    "no stream": ("/mcp", {"accept": "application/json"}),
    "a session that is not there": ("/mcp", {**HTTP_SSE, "mcp-session-id": "none"}),
}


async def both(direct: Direct, target: str, fields: dict[str, str]) -> tuple[Answer, Answer]:
    """HEAD, then GET, which may change what there is to read."""
    head = await direct.ask("HEAD", target, **fields)
    got = await direct.ask("GET", target, **fields)
    if isinstance(got.body, Frames):
        got.body.close()
    return head, got


def is_said_by_head(head: Answer, got: Answer) -> None:
    assert head.status == got.status
    assert head.body == b""
    length = ("Content-Length", str(len(got.body))) if isinstance(got.body, bytes) and got.body else None
    # RFC 9110, 9.3.2: without fields that are known only when the content is made.
    assert {field for field in head.headers if field[0] != "Content-Length"} == set(got.headers)
    assert {field for field in head.headers if field[0] == "Content-Length"} <= {length}


@pytest.mark.parametrize("name", EITHER)
async def test_head_has_the_status_and_the_fields_of_get(direct: Direct, name: str) -> None:
    target, fields = EITHER[name]
    head = await direct.ask("HEAD", target, **fields)
    assert direct.play.calls == 0
    assert not direct.runs.working
    _, got = await both(direct, target, fields)
    is_said_by_head(head, got)


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
@pytest.mark.parametrize("tool", ["echo", "fails"])
async def test_head_of_a_run_that_has_ended_is_that_of_get(direct: Direct, accept: str, tool: str) -> None:
    target = f"{EVENTS}?tool={tool}&run={KEY}"
    begun = await direct.ask("GET", target, accept="application/json")
    head, got = await both(direct, target, {"accept": accept})
    is_said_by_head(head, got)
    if accept == "application/json":
        assert (head.status, got.body) == (begun.status, begun.body)


async def test_head_of_a_run_that_was_read_to_its_end(direct: Direct) -> None:
    target = f"{EVENTS}?tool=echo&run={KEY}"
    await direct.ask("GET", target, accept="application/json")
    [run] = direct.runs.known.runs
    for position, status in ((1, 200), (direct.runs.known.runs[run].events, 204), (999, 400)):
        fields = {"accept": "text/event-stream", "last-event-id": f"{run}/{position}"}
        head, got = await both(direct, target, fields)
        assert got.status == status
        is_said_by_head(head, got)


async def test_head_while_no_run_can_be_started(direct: Direct) -> None:
    await direct.endpoint.drain()
    for target in (f"{EVENTS}?tool=echo", "/mcp"):
        head, got = await both(direct, target, HTTP_SSE)
        assert got.status == 503
        is_said_by_head(head, got)


# --- documents -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*DOCUMENT_PATHS, *pages.pages()])
async def test_who_has_a_document_gets_304(direct: Direct, path: str) -> None:
    got = await direct.get(path)
    etag = headers(got.headers)["etag"]
    assert got.status == 200
    for condition in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await direct.get(path, if_none_match=condition)
        assert (again.status, again.body) == (304, b"")
        fields = headers(again.headers)
        assert fields["etag"] == etag
        assert fields["cache-control"] == headers(got.headers)["cache-control"]
        assert "Accept" in fields["vary"]
        assert "content-type" not in fields
        assert (await direct.ask("HEAD", path, if_none_match=condition)).status == 304
    for condition in ('"other"', "broken", "", etag.strip('"')):
        assert (await direct.get(path, if_none_match=condition)).status == 200


async def test_documents_do_not_ask_for_accept(direct: Direct) -> None:
    for path in (*DOCUMENT_PATHS, "/", TOOLS, "/healthz", "/metrics"):
        assert (await direct.get(path, accept="image/png")).status == 200


async def test_the_tools_route_lists_every_tool_in_order(direct: Direct) -> None:
    tools = decoded(await direct.get(TOOLS))["tools"]
    assert [tool["name"] for tool in tools] == [tool.name for tool in direct.play.tools()]
    by_name = {tool["name"]: tool for tool in tools}
    assert by_name["brief"]["time_limit_seconds"] == 0.3
    assert by_name["write"]["read_only"] is False
    assert by_name["echo"]["input_schema"]["properties"]["text"]["type"] == "string"
    assert by_name["echo"]["output_schema"]["type"] == "string"


async def test_urls_come_from_the_setting_or_the_connection_and_never_from_host(direct: Direct) -> None:
    told = decoded(await direct.get("/mcp.json", host="localhost:1"))
    assert "http://127.0.0.1:8000" in str(told)
    assert "localhost:1" not in str(told)


async def test_metrics_count_what_happened(direct: Direct) -> None:
    await direct.call("echo", accept="application/json")
    await direct.call("nobody")
    text = (await direct.get("/metrics")).body
    assert isinstance(text, bytes)
    for line in (
        b"mcp_app_runs_started_total 1",
        b'mcp_app_runs_ended_total{code="complete"} 1',
        b'mcp_app_refusals_total{code="unknown_tool"} 1',
        b"mcp_app_streams_open 0",
        b"mcp_app_draining 0",
    ):
        assert line in text.split(b"\n")
