"""A query over sockets and pipes: HTTP, TLS with HTTP/2, EventSource, standard input; and clients that hang up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from live_server import client_tls, serving
from mcp_messages import INITIALIZE
from query_world import COUNTING, ENDLESS, until_none_is_at_work, until_one_is_at_work, write

import mcp_app
from mcp_app.builtin.query_database.tool import query_database

SQL = "select n, n * n as square from numbers where n <= $1"
KINDS = ["columns", "rows", "rows", "rows"]


@pytest.fixture(autouse=True)
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_APP_DATABASES", f"mine=sqlite:///{write(tmp_path / 'mine.db')}")


def call(sql: str, **params: Any) -> dict[str, Any]:
    return {"tool": "query_database", "params": {"sql": sql, **params}}


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


async def answered(way: str) -> str:
    async with serving(mcp_app.create_app(tools=[query_database])) as server:
        tls = client_tls() if way == "tls" else True
        async with httpx.AsyncClient(timeout=30, http2=way == "tls", verify=tls) as client:
            url = f"{server.tls_url if way == 'tls' else server.url}/api/v1/mcp/sse"
            headers = {"Accept": "text/event-stream"}
            if way == "EventSource":
                query = {
                    "tool": "query_database",
                    "params": json.dumps({"sql": SQL, "parameters": [250]}),
                    "run": "q" * 32,
                }
                answer = await client.get(url, params=query, headers=headers)
            else:
                answer = await client.post(url, json=call(SQL, parameters=[250]), headers=headers)
            assert answer.http_version == ("HTTP/2" if way == "tls" else "HTTP/1.1")
            return answer.text


@pytest.mark.parametrize("way", ["http", "tls", "EventSource"])
async def test_rows_are_streamed(way: str) -> None:
    started, *streamed, complete = events(await answered(way))
    assert started["type"] == "started"
    assert [each["data"]["kind"] for each in streamed] == KINDS
    assert complete["data"]["row_count"] == 250
    assert complete["data"]["rows"][-1] == [250, 62_500]


def test_rows_are_streamed_over_standard_output() -> None:
    """To a client of MCP, of a server that is a process of its own."""
    messages: list[dict[str, Any]] = [
        dict(INITIALIZE),
        {"method": "notifications/initialized"},
        {
            "id": 2,
            "method": "tools/call",
            "params": {
                "name": "query_database",
                "arguments": {"sql": SQL, "parameters": [250]},
                "_meta": {"progressToken": "t"},
            },
        },
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "mcp_app", "serve", "--stdio"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        for each in messages:
            server.stdin.write(json.dumps({"jsonrpc": "2.0", **each}) + "\n")
        server.stdin.flush()
        lines = iter(server.stdout.readline, "")
        said = []
        for line in lines:
            said.append(json.loads(line))
            if said[-1].get("id") == 2:
                break
        server.stdin.close()
        assert server.wait(50) == 0
    streamed = [each["params"]["_meta"] for each in said if each.get("method") == "notifications/progress"]
    assert [part["kind"] for meta in streamed for name, part in meta.items() if name.endswith("/partial")] == KINDS
    assert said[-1]["result"]["structuredContent"]["row_count"] == 250


@pytest.mark.parametrize("sql", [ENDLESS, COUNTING], ids=["without a row", "with rows"])
@pytest.mark.parametrize("way", ["http", "tls"])
async def test_a_client_that_hangs_up_has_stopped_the_statement(way: str, sql: str) -> None:
    async with serving(mcp_app.create_app(tools=[query_database])) as server:
        async with httpx.AsyncClient(
            timeout=30, http2=way == "tls", verify=client_tls() if way == "tls" else True
        ) as c:
            url = f"{server.tls_url if way == 'tls' else server.url}/api/v1/mcp/sse"
            request = c.build_request("POST", url, json=call(sql, max_rows=10_000_000), headers={"Accept": "*/*"})
            answer = await c.send(request, stream=True)
            await anext(answer.aiter_bytes())
            if sql == ENDLESS:
                await until_one_is_at_work()
            await answer.aclose()
        await until_none_is_at_work()
