"""A session from initialize to its end (2025-11-25, Lifecycle; Transports, Session Management)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from legacy_client import MCP, Events, Stage, call, decoded

VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_clients_revision_is_spoken(stage: Stage, version: str) -> None:
    client = await stage.client(version)
    assert client.initialized["protocolVersion"] == version
    assert client.initialized["serverInfo"].keys() >= {"name", "version"}
    capabilities = client.initialized["capabilities"]
    assert capabilities["tools"] == {"listChanged": True}
    assert capabilities["logging"] == {}
    assert capabilities["resources"] == {"listChanged": True, "subscribe": True}
    assert await client.result("ping") == {}


@pytest.mark.parametrize("version", ["2099-01-01", "1.0", ""])
async def test_for_an_unknown_revision_the_newest_is_offered(stage: Stage, version: str) -> None:
    client = await stage.client(version)
    assert client.initialized["protocolVersion"] == "2025-11-25"


async def test_session_ids_are_random_and_visible_ascii(stage: Stage) -> None:
    ids = {(await stage.client()).session for _ in range(20)}
    assert len(ids) == 20
    assert all(re.fullmatch(r"[\x21-\x7e]{32,}", each) for each in ids)


async def test_initialize_with_wrong_parameters_opens_no_session(stage: Stage) -> None:
    answer = await stage.ask("POST", call("initialize", {"capabilities": {}}))
    assert answer.status == 200  # a client of these revisions would drop the body of a 4xx
    assert decoded(answer)["error"]["code"] == -32602
    assert "Mcp-Session-Id" not in dict(answer.headers)
    assert len(stage.endpoint.sessions) == 0


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "more",
    [
        {"clientInfo": {"name": "a", "version": "1", "icons": [{"src": "x", "sizes": "48x48"}], "websiteUrl": 5}},
        {"capabilities": {"experimental": {"x": True}, "tasks": 7, "unknown": "y"}},
        {"_more": 1},
    ],
)
async def test_what_is_not_read_refuses_no_session(stage: Stage, version: str, more: dict[str, Any]) -> None:
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}, **more}
    answer = await stage.ask("POST", call("initialize", params))
    assert decoded(answer)["result"]["protocolVersion"] == version


@pytest.mark.parametrize(("version", "refused"), [("2025-11-25", True), ("2025-06-18", False), ("2025-03-26", False)])
async def test_a_capability_is_checked_where_it_exists(stage: Stage, version: str, refused: bool) -> None:
    """Forms have had a member of their own since 2025-11-25."""
    params = {"protocolVersion": version, "capabilities": {"elicitation": {"form": 5}}}
    answer = await stage.ask("POST", call("initialize", {**params, "clientInfo": {"name": "a", "version": "1"}}))
    assert ("error" in decoded(answer)) is refused


async def test_a_session_is_initialized_once(stage: Stage) -> None:
    client = await stage.client()
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}
    again = await client.post(call("initialize", params))
    assert dict(again.headers)["Mcp-Session-Id"] != client.session  # it is another session's


@pytest.mark.parametrize(
    "message", [call("tools/list"), call("ping"), {"jsonrpc": "2.0", "method": "notifications/initialized"}]
)
async def test_without_a_session_is_400(stage: Stage, message: Any) -> None:
    for version in (None, "2025-11-25"):
        answer = await stage.ask("POST", message, mcp_protocol_version=version)
        assert answer.status == 400
        assert decoded(answer)["error"]["code"] == -32600


@pytest.mark.parametrize("session", ["x", "0" * 32, ""])
async def test_an_unknown_session_is_404(stage: Stage, session: str) -> None:
    assert (await stage.ask("POST", call("ping"), mcp_session_id=session)).status == 404
    assert (await stage.ask("GET", mcp_session_id=session)).status == 404
    assert (await stage.ask("HEAD", mcp_session_id=session)).status == 404
    assert (await stage.ask("DELETE", mcp_session_id=session)).status == 404


async def test_delete_ends_the_session_and_its_runs(stage: Stage) -> None:
    client = await stage.client()
    await client.tool("steps", n=3)
    assert stage.runs.working == 1
    assert (await client.delete()).status == 204
    assert (await client.request("ping")).status == 404
    assert (await client.delete()).status == 404
    assert stage.runs.working == 0
    assert stage.runs.ended == {"cancelled": 1}


async def test_delete_without_a_session_is_400(stage: Stage) -> None:
    assert (await stage.ask("DELETE")).status == 400


@pytest.mark.parametrize(("version", "status"), [("2025-06-18", 200), ("2026-07-28", 400), ("nonsense", 400)])
async def test_the_version_header_must_be_one_of_a_session(stage: Stage, version: str, status: int) -> None:
    client = await stage.client("2025-06-18")
    assert (await client.request("ping", mcp_protocol_version=version)).status == status
    assert (await client.request("ping", mcp_protocol_version=None)).status == 200


async def test_the_oldest_revisions_have_no_version_header(stage: Stage) -> None:
    client = await stage.client("2025-03-26")
    assert (await client.request("ping", mcp_protocol_version="nonsense")).status == 200


async def test_one_session_more_ends_the_one_unused_longest(make: Any) -> None:
    stage = make(max_sessions=2)
    first, second = await stage.client(), await stage.client()
    await first.result("ping")
    third = await stage.client()
    assert (await second.request("ping")).status == 404
    assert await first.result("ping") == {}
    assert await third.result("ping") == {}


async def test_sessions_in_use_are_not_ended_for_another(make: Any) -> None:
    stage = make(max_sessions=1)
    client = await stage.client()
    await client.get()
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}
    refused = await stage.ask("POST", call("initialize", params))
    assert refused.status == 503
    assert dict(refused.headers)["Retry-After"]
    assert await client.result("ping") == {}


async def test_no_session_begins_while_the_server_stops(stage: Stage) -> None:
    client = await stage.client()
    events = Events(await client.get())
    assert await events.next() is not None
    await stage.endpoint.drain()
    assert await events.next() is None
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}
    assert (await stage.ask("POST", call("initialize", params))).status == 503
    assert (await client.request("ping")).status == 404


async def test_at_the_sse_route_as_at_its_own(stage: Stage) -> None:
    client = await stage.client()
    path = "/api/v1/mcp/sse"
    headers = {"mcp_session_id": client.session}
    assert decoded(await stage.ask("POST", call("ping"), path=path, **headers))["result"] == {}
    assert (await stage.ask("GET", path=path, **headers)).status == 200
    assert (await stage.ask("HEAD", path=path, **headers)).status == 200
    assert (await stage.ask("DELETE", path=path, **headers)).status == 204
    assert (await stage.ask("HEAD", path=MCP, **headers)).status == 404
