"""`--admin-bind`: metrics and health at an address of their own."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from live_server import START_SECONDS, LiveServer, eventually, process

TOOLS = """
from mcp_app import tool

@tool(scopes={"write"})
async def secret() -> int:
    "For some."
    return 1

@tool(read_only=True)
async def echo(text: str) -> str:
    "Return the text."
    return text
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_tools.py").write_text(TOOLS)
    return tmp_path


@contextlib.contextmanager
def administered(folder: Path, *words: str, bind: str = "127.0.0.1:0", **env: str) -> Iterator[tuple[LiveServer, str]]:
    """A server, and the URL for operators."""
    with process("my_tools.py", "--admin-bind", bind, *words, cwd=folder, env=env) as server:
        found: list[str] = []

        def printed() -> bool:
            found[:] = re.findall(r"whoever reaches it: (\S+)/metrics", "\n".join(server.output))
            return bool(found)

        eventually(printed, server.output)
        yield server, found[0]


def get(url: str, method: str = "GET", **headers: str) -> httpx.Response:
    return httpx.request(method, url, headers=headers, timeout=START_SECONDS)


def test_metrics_are_there_alone_and_health_at_both(folder: Path) -> None:
    with administered(folder) as (server, admin):
        assert f"127.0.0.1:{server.port}" not in admin
        assert "mcp_app_runs_started_total" in get(f"{admin}/metrics").text
        assert "mcp_app_runs_started_total" in get(f"{admin}/metrics/").text
        for url in (server.url, admin):
            assert get(f"{url}/healthz").json() == {"status": "ok"}
            assert get(f"{url}/readyz").json() == {"status": "ready"}
        for path in ("/metrics", "/metrics/", "/%6detrics"):
            gone = get(f"{server.url}{path}")
            assert (gone.status_code, gone.json()["error"]["code"]) == (404, "not_found")


def test_nothing_else_is_there(folder: Path) -> None:
    with administered(folder) as (_, admin):
        for path in ("/", "/mcp", "/api/v1/mcp/tools", "/mcp.json", "/healthz/x"):
            answer = get(f"{admin}{path}")
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found"), path
        call = httpx.post(f"{admin}/api/v1/mcp/sse", json={"tool": "echo", "params": {}}, timeout=START_SECONDS)
        assert call.status_code == 404
        refused = get(f"{admin}/metrics", "POST")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
        head = get(f"{admin}/metrics", "HEAD")
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) > 1000


def test_a_name_that_was_rebound_reads_no_metrics(folder: Path) -> None:
    with administered(folder, MCP_APP_ALLOWED_HOSTS="app:9090") as (_, admin):
        assert get(f"{admin}/metrics", Host="10.0.0.7:9090").status_code == 200, "Prometheus asks an address"
        assert get(f"{admin}/metrics", Host="[fd00::7]:9090").status_code == 200
        assert get(f"{admin}/metrics", Host="app:9090").status_code == 200, "a name that is listed"
        assert get(f"{admin}/metrics", Host="evil.example:9090").status_code == 421
        assert get(f"{admin}/metrics", Origin="https://evil.example").status_code == 403
        assert get(f"{admin}/healthz", Host="evil.example").status_code == 200


def test_whoever_reaches_it_needs_no_key(folder: Path) -> None:
    (folder / "keys.json").write_text('{"version": 1, "keys": []}')
    with administered(folder, bind="0.0.0.0:0", MCP_APP_PUBLIC_URL="https://tools.example.com") as (server, admin):
        assert get(f"{server.url}/api/v1/mcp/tools").status_code == 401
        assert get(f"{admin}/metrics").status_code == 200


def test_it_is_answered_while_all_other_connections_are_taken(folder: Path) -> None:
    (folder / "hypercorn.toml").write_text("max_connections = 2\n")
    with administered(folder) as (server, admin), contextlib.ExitStack() as opened:
        for _ in range(4):
            busy = opened.enter_context(socket.create_connection(("127.0.0.1", server.port), START_SECONDS))
            busy.sendall(b"POST /api/v1/mcp/sse HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
        assert get(f"{admin}/readyz").status_code == 200


def test_an_address_in_use_is_one_line(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(AssertionError, match=f"cannot listen on {address}: .* with --admin-bind"),
            process("my_tools.py", "--admin-bind", address, cwd=folder, status=1),
        ):
            pass


def test_every_worker_answers_there(folder: Path) -> None:
    log = f"sqlite:///{folder}/runs.db"
    with administered(folder, "--workers", "2", MCP_APP_EVENT_LOG=log, MCP_APP_SECRET="s" * 32) as (server, admin):
        eventually(lambda: sum("is ready" in line for line in server.output) == 2, server.output)
        assert {get(f"{admin}/readyz").status_code for _ in range(5)} == {200}
        assert get(f"{server.url}/metrics").status_code == 404
