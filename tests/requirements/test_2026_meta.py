"""MCP 2026-07-28, basic/index "_meta" and "Statelessness", basic/versioning: what each request says of itself."""

from __future__ import annotations

import re
from typing import Any

import pytest
from modern_client import ABSENT, TASKS, VERSION, Stage, headers, meta, request
from modern_requests import ALL_METHODS, CAN_ALL, REQUESTS

METHODS = [*ALL_METHODS, *((f"tasks/{name}", {"taskId": "x"}) for name in ("get", "update", "cancel"))]
INVALID = (400, -32602)

LABEL = r"[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
KEY = re.compile(rf"({LABEL}(?:\.{LABEL})*/)?(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?")
"""basic/index, _meta, Key name format."""


@pytest.mark.parametrize(("method", "params"), METHODS)
@pytest.mark.parametrize("missing", ["version", "capabilities"])
async def test_what_every_request_has_to_say(here: Stage, method: str, params: dict[str, Any], missing: str) -> None:
    answer = await here.ask(method, params, id="mine", **{missing: ABSENT})
    assert answer.refusal == INVALID
    assert answer.id == "mine"


@pytest.mark.parametrize(("method", "params"), METHODS)
@pytest.mark.parametrize("value", [None, True, 1, "x", [], [{}]])
async def test_meta_and_capabilities_are_objects(here: Stage, method: str, params: dict[str, Any], value: Any) -> None:
    assert (await here.ask(method, params, capabilities=value)).refusal == INVALID
    message = request(method, params)
    message["params"]["_meta"] = value
    answer = await here.send(message, mcp_protocol_version=VERSION)
    assert answer.refusal == INVALID
    assert answer.id == 7


@pytest.mark.parametrize(("method", "params"), METHODS)
@pytest.mark.parametrize("value", [None, True, 1, 20260728, [VERSION], {}])
async def test_a_version_is_a_string(here: Stage, method: str, params: dict[str, Any], value: Any) -> None:
    for sent in (VERSION, str(value)):
        answer = await here.ask(method, params, version=value, http={"mcp_protocol_version": sent})
        assert answer.refusal == INVALID
        assert answer.id == 7


@pytest.mark.parametrize(("method", "params"), METHODS)
@pytest.mark.parametrize("version", ["1900-01-01", "2026-07-29", "", "DRAFT-2026-v1", "9" * 1000])
async def test_a_version_that_is_not_spoken(here: Stage, method: str, params: dict[str, Any], version: str) -> None:
    answer = await here.ask(method, params, id="mine", version=version)
    assert answer.refusal == (400, -32022)
    assert answer.id == "mine"
    assert answer.error["data"]["requested"] == version
    assert VERSION in answer.error["data"]["supported"]


async def test_a_client_that_knows_no_version_of_ours_finds_one_in_the_error(here: Stage) -> None:
    supported = (await here.ask("tools/list", version="1900-01-01")).error["data"]["supported"]
    assert supported == (await here.ask("server/discover")).result["supportedVersions"]
    assert (await here.ask("tools/list", version=supported[0])).result["tools"]


async def test_discovery_is_there_before_anything_else(here: Stage) -> None:
    result = (await here.ask("server/discover")).result
    assert VERSION in result["supportedVersions"]
    assert set(result["capabilities"]) >= {"tools", "resources", "prompts", "completions", "logging", "extensions"}


async def test_initialize_is_legacy_whatever_revision_it_asks_for(here: Stage) -> None:
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    answer = await here.send({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
    assert answer.result["protocolVersion"] == "2025-11-25"
    session = answer.headers["mcp-session-id"]
    listed = await here.ask("tools/list", http={"mcp_session_id": session})
    assert listed.result["resultType"] == "complete", "beside it, who names the modern revision is served by that"


@pytest.mark.parametrize("capabilities", [{}, {"sampling": {}}, {"elicitation": {"url": {}}}, {"roots": {}}])
async def test_nothing_is_remembered_of_a_client(here: Stage, capabilities: dict[str, Any]) -> None:
    """Capabilities of an earlier request, of the same client and with the same id, count for nothing."""
    able = await here.ask("tools/call", {"name": "greet"})
    assert able.result["resultType"] == "input_required"
    unable = await here.ask("tools/call", {"name": "greet"}, capabilities=capabilities)
    assert unable.refusal == (400, -32021)
    assert unable.error["data"]["requiredCapabilities"] == {"elicitation": {"form": {}}}
    assert (await here.ask("tools/call", {"name": "talk"})).before == (), "nor the level of a log"


@pytest.mark.parametrize(
    "client", [ABSENT, {"name": "x", "version": "1"}, {"name": "admin", "version": "", "title": "y"}]
)
async def test_who_the_client_says_it_is_changes_nothing(here: Stage, client: Any) -> None:
    answer = await here.ask("tools/call", {"name": "add", "arguments": {"first": 1}}, client=client)
    assert answer.result["structuredContent"] == 1


@pytest.mark.parametrize(
    "key", ["traceparent", "tracestate", "baggage", "com.example/x", "x", "io.modelcontextprotocol/y"]
)
@pytest.mark.parametrize("value", [None, 1, "", "00-nonsense", ["a"], {"a": 1}, "\U0001f600"])
async def test_nothing_is_assumed_of_other_keys(here: Stage, key: str, value: Any) -> None:
    answer = await here.ask("tools/call", {"name": "add", "arguments": {"first": 1}}, **{key: value})
    assert answer.result["structuredContent"] == 1


@pytest.mark.parametrize(("method", "params"), REQUESTS)
async def test_our_own_keys_are_well_formed(here: Stage, method: str, params: dict[str, Any]) -> None:
    changes: dict[str, Any] = {"progressToken": 1, "level": "debug", "capabilities": CAN_ALL}
    answer = await here.ask(method, params, http={"accept": "text/event-stream"} if "call" in method else {}, **changes)
    metas = [answer.result["_meta"], *(each["params"].get("_meta", {}) for each in answer.before)]
    for key in {key for each in metas for key in each}:
        found = KEY.fullmatch(key)
        assert found is not None
        assert found[1], f"{key} has no prefix"


async def test_identifiers_of_extensions_have_a_prefix(here: Stage) -> None:
    extensions = (await here.ask("server/discover")).result["capabilities"]["extensions"]
    assert extensions
    for key in extensions:
        found = KEY.fullmatch(key)
        assert found is not None
        assert found[1]


async def test_an_extension_that_the_client_lacks_is_done_without_or_refused(here: Stage) -> None:
    assert (await here.ask("tools/call", {"name": "add", "arguments": {"first": 1}})).result["resultType"] == "complete"
    answer = await here.ask("tools/call", {"name": "long_work"})
    assert answer.refusal == (400, -32021)
    assert answer.error["data"]["requiredCapabilities"] == {"extensions": {TASKS: {}}}


@pytest.mark.parametrize("level", ["", "INFO", "verbose", 3, None, [], "warn"])
async def test_a_level_that_is_none_is_refused(here: Stage, level: Any) -> None:
    answer = await here.ask("tools/call", {"name": "talk"}, level=level)
    if level is None:  # as if it were left out
        assert answer.before == ()
    else:
        assert answer.refusal == INVALID


async def test_the_legacy_header_does_not_make_a_modern_request(here: Stage) -> None:
    """Neither era: nothing says which revision it is of."""
    message = {"jsonrpc": "2.0", "id": "mine", "method": "tools/list", "params": {}}
    for fields in ({}, {"mcp_protocol_version": "2025-11-25"}):
        answer = await here.send(message, **({"mcp_protocol_version": ABSENT} | fields))
        assert answer.status == 400
        assert answer.id == "mine"
        assert VERSION in answer.error["data"]["supported"]


async def test_required_fields_are_looked_for_where_they_belong(here: Stage) -> None:
    """In `params._meta`, not beside it."""
    message = request("tools/list")
    message["params"] = {"_meta": {}, **meta()}
    answer = await here.send(message, **headers(request("tools/list")))
    assert answer.refusal == INVALID
