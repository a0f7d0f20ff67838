"""Methods and documents: what is not GET or POST, conditional requests, and what must never start a tool."""

from __future__ import annotations

import pytest
from web_direct import EVENTS, RUNS, Direct
from web_wire import decoded, headers, refused

from mcp_app.manifest import DOCUMENT_PATHS
from mcp_app.web import pages

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
