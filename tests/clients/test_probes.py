"""What real clients send before and beside their calls (as seen on the wire) gets a fast, clean answer: never 5xx."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from live_server import LiveServer, process

HERE = __file__.rpartition("/")[0]

WELL_KNOWN = [
    f"/.well-known/{document}{suffix}"
    for document in ("oauth-protected-resource", "oauth-authorization-server", "openid-configuration")
    for suffix in ("", "/mcp")
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with process(f"{HERE}/served.py", cwd=tmp_path_factory.mktemp("probed")) as running:
        yield running


def ask(server: LiveServer, method: str, path: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.request(method, f"{server.url}{path}", headers=named, timeout=10, follow_redirects=False)


@pytest.mark.parametrize("path", [*WELL_KNOWN, "/mcp/.well-known/openid-configuration", "/register"])
def test_no_authorization_is_said_to_be_there(server: LiveServer, path: str) -> None:
    answer = ask(server, "GET", path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {"accept": "*/*"}, 400),  # mcp-remote
        ("GET", {"accept": "application/json"}, 406),  # mcp-use
        ("GET", {"accept": "text/event-stream", "mcp_session_id": "nope"}, 404),
        ("DELETE", {}, 400),
        ("DELETE", {"mcp_session_id": "nope"}, 404),
    ],
)
def test_without_a_session(server: LiveServer, method: str, headers: dict[str, str], status: int) -> None:
    answer = ask(server, method, "/mcp", **headers)
    assert answer.status_code == status
    error = answer.json()
    assert error["jsonrpc"] == "2.0"
    assert error["error"]["code"] < 0


@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
@pytest.mark.parametrize("version", [None, "2025-11-25"])  # @ai-sdk/mcp names one already here
def test_initialize_is_answered_where_it_was_sent(server: LiveServer, path: str, version: str | None) -> None:
    headers = {"accept": "application/json, text/event-stream"}
    if version is not None:
        headers["mcp-protocol-version"] = version
    params: dict[str, Any] = {"protocolVersion": "2025-11-25", "capabilities": {}}
    params["clientInfo"] = {"name": "probe", "version": "1"}
    message = {"jsonrpc": "2.0", "id": "a", "method": "initialize", "params": params}
    answer = httpx.post(f"{server.url}{path}", json=message, headers=headers, timeout=10, follow_redirects=False)
    assert answer.status_code == 200
    text = answer.text
    if answer.headers["content-type"].startswith("text/event-stream"):
        text = next(line[6:] for line in text.splitlines() if line.startswith("data: {"))
    result = json.loads(text)
    assert result["id"] == "a"
    assert result["result"]["protocolVersion"] == "2025-11-25"
    assert answer.headers["mcp-session-id"].isascii()
