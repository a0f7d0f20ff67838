"""MCP 2026-07-28, basic/transports/streamable-http: method and status, header fields that repeat the body, Origin.

Through the whole path; how a header's value is read in every case is tests/protocol/test_mcp_headers.py's.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from modern_client import ABSENT, BOTH, VERSION, Stage, headers, request
from modern_requests import ADD, ALL_METHODS, NAMED

MISMATCH = (400, -32020)


def b64(text: str) -> str:
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


@pytest.mark.parametrize(("method", "params"), ALL_METHODS)
@pytest.mark.parametrize("header", ["mcp_protocol_version", "mcp_method"])
@pytest.mark.parametrize("value", [ABSENT, "", "other", "2025-11-25", "TOOLS/CALL"])
async def test_each_request_repeats_its_version_and_method(
    here: Stage, method: str, params: dict[str, Any], header: str, value: Any
) -> None:
    answer = await here.ask(method, params, id="mine", http={header: value})
    assert answer.refusal == MISMATCH
    assert answer.id == "mine"
    assert answer.error["message"].startswith("Header mismatch: ")


@pytest.mark.parametrize(("method", "params"), NAMED)
@pytest.mark.parametrize("value", [ABSENT, "", "other", "ADD", b64("other"), "=?base64?YWRk", "=?BASE64?YWRk?="])
async def test_each_call_repeats_its_name(here: Stage, method: str, params: dict[str, Any], value: Any) -> None:
    answer = await here.ask(method, params, id="mine", http={"mcp_name": value})
    assert answer.refusal == MISMATCH
    assert answer.id == "mine"


@pytest.mark.parametrize(("method", "params"), NAMED)
async def test_a_name_may_be_encoded(here: Stage, method: str, params: dict[str, Any]) -> None:
    name = params.get("name") or params["uri"]
    answer = await here.ask(method, params, http={"mcp_name": b64(name)})
    assert answer.result["resultType"] == "complete"


@pytest.mark.parametrize("field", ["mcp_protocol_version", "mcp_method"])
async def test_what_may_not_be_encoded_is_not_decoded(here: Stage, field: str) -> None:
    value = VERSION if field == "mcp_protocol_version" else "tools/list"
    assert (await here.ask("tools/list", http={field: b64(value)})).refusal == MISMATCH


@pytest.mark.parametrize("name", ["Łódź", "a\nb", " a ", "=?base64?YWRk?=", "a\tb", "\U0001f600"])
async def test_a_name_that_no_header_carries_is_decoded_before_it_is_compared(here: Stage, name: str) -> None:
    """The encoded name is that of the body; so what is wrong is that there is no such tool, and not the header."""
    answer = await here.ask("tools/call", {"name": name})
    assert answer.refusal == (400, -32602)
    assert (await here.ask("tools/call", {"name": name}, http={"mcp_name": b64(name + "x")})).refusal == MISMATCH


@pytest.mark.parametrize(("region", "value"), [("eu", "eu"), ("eu", b64("eu")), ("Köln", b64("Köln")), ("", "")])
async def test_an_argument_is_repeated(here: Stage, region: str, value: str) -> None:
    params = {"name": "regional", "arguments": {"region": region}}
    answer = await here.ask("tools/call", params, http={"mcp_param_region": value})
    assert answer.result["structuredContent"] == f"region {region}"


@pytest.mark.parametrize("value", [ABSENT, "us", "EU", b64("us"), "=?base64?%%%?=", "=?base64?ZXV=?=", "e\x00u", "eü"])
async def test_an_argument_that_is_repeated_otherwise_is_refused(here: Stage, value: Any) -> None:
    params = {"name": "regional", "arguments": {"region": "eu"}}
    answer = await here.ask("tools/call", params, id="mine", http={"mcp_param_region": value})
    assert answer.refusal == MISMATCH
    assert answer.id == "mine"


async def test_a_header_is_not_expected_for_an_argument_that_is_absent(here: Stage) -> None:
    without: list[Any] = [{}, None]
    for arguments in without:
        answer = await here.ask("tools/call", {"name": "regional", "arguments": arguments})
        assert answer.result["structuredContent"] == "region here"
    spoken = await here.ask("tools/call", {"name": "regional"}, http={"mcp_param_region": "eu"})
    assert spoken.refusal == MISMATCH, "a proxy has acted on a value that nobody sent"


async def test_an_argument_that_is_null_needs_no_header(here: Stage) -> None:
    """It is left out: the parameter has a default."""
    answer = await here.ask("tools/call", {"name": "regional", "arguments": {"region": None}})
    assert "isError" not in answer.result


async def test_headers_of_no_parameter_are_nobodys_business(here: Stage) -> None:
    answer = await here.ask("tools/call", ADD, http={"mcp_param_region": "\xff", "mcp_param_first": "2"})
    assert answer.result["structuredContent"] == 1


# --- the endpoint and its methods ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "/api/v1/mcp/sse"])
async def test_one_path_takes_every_request(here: Stage, path: str) -> None:
    for method, params in ALL_METHODS:
        if method != "subscriptions/listen":
            answer = await here.send(request(method, params), path)
            assert answer.result["resultType"] == "complete"


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH"])
async def test_there_is_nothing_but_post(here: Stage, method: str) -> None:
    fields = headers(request("tools/list"), accept="text/event-stream")
    answer = await here.exchange(method, "/mcp", b"", fields)
    assert answer.status == 405
    assert "POST" in answer.headers["allow"]


async def test_a_session_id_is_ignored_and_none_is_given(here: Stage) -> None:
    for http in ({}, {"mcp_session_id": "somebody's"}, {"last_event_id": "1/1"}):
        answer = await here.ask("tools/call", ADD, http=http)
        assert answer.result["structuredContent"] == 1
        assert "mcp-session-id" not in answer.headers


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [(BOTH, "application/json"), ("application/json", "application/json"), ("text/event-stream", "text/event-stream")],
)
async def test_a_request_is_answered_as_json_or_as_a_stream(here: Stage, accept: str, content_type: str) -> None:
    for method, params in ALL_METHODS[:3]:
        answer = await here.ask(method, params, http={"accept": accept})
        assert answer.headers["content-type"] == content_type
        assert answer.result["resultType"] == "complete"


async def test_a_stream_is_not_buffered_by_proxies(here: Stage) -> None:
    answer = await here.ask("tools/call", ADD, http={"accept": "text/event-stream"})
    assert answer.headers["x-accel-buffering"] == "no"


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0, text/event-stream;q=0", "image/*"])
async def test_what_takes_neither_is_refused_under_its_id(here: Stage, accept: str) -> None:
    answer = await here.ask("tools/call", ADD, id="mine", http={"accept": accept})
    assert answer.status == 406
    assert answer.id == "mine"


@pytest.mark.parametrize("content_type", [ABSENT, "text/plain", "application/x-www-form-urlencoded", "json"])
async def test_what_is_not_said_to_be_json_is_not_read(here: Stage, content_type: Any) -> None:
    answer = await here.ask("tools/call", ADD, http={"content_type": content_type})
    assert answer.status == 415
    assert answer.error["code"] == -32600


# --- Security & Endpoint ---------------------------------------------------------------------------------------------

FOREIGN = ["https://evil.example", "http://127.0.0.1:9", "null", "", "http://127.0.0.1:8000.evil.example", "nonsense"]


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_an_origin_that_is_not_ours_is_403(here: Stage, origin: str, method: str) -> None:
    message = request("tools/call", ADD)
    body = json.dumps(message).encode() if method == "POST" else b""
    assert (await here.exchange(method, "/mcp", body, headers(message, origin=origin))).status == 403


async def test_our_own_origin_is_taken(here: Stage) -> None:
    answer = await here.ask("tools/call", ADD, http={"origin": "http://127.0.0.1:8000"})
    assert answer.result["structuredContent"] == 1


async def test_a_host_that_was_rebound_is_refused(here: Stage) -> None:
    answer = await here.ask("tools/call", ADD, http={"host": "evil.example"})
    assert answer.status == 421
