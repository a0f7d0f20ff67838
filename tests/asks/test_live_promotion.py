"""A call that becomes a task near the cap, over real sockets, by a client that leaves as soon as it has the task."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from live_server import client_tls, serving

from mcp_app import Context, Settings, create_app, tool

SECONDS = 20.0
VERSION = "2026-07-28"
EXTENSION = "io.modelcontextprotocol/tasks"


@tool
async def work(ctx: Context) -> str:
    """Work for longer than the cap of these tests."""
    await ctx.partial("first")
    await asyncio.sleep(1.5)
    await ctx.partial("second")
    return "done"


def message(method: str, subject: str, /, **params: Any) -> dict[str, Any]:
    """What httpx is to send: the body, and the header fields that repeat it."""
    meta = {"protocolVersion": VERSION, "clientCapabilities": {"extensions": {EXTENSION: {}}}}
    params["_meta"] = {f"io.modelcontextprotocol/{key}": value for key, value in meta.items()}
    return {
        "json": {"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
        "headers": {
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": VERSION,
            "mcp-method": method,
            "mcp-name": subject,
        },
    }


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
async def test_the_work_of_a_promoted_call_outlives_its_connection(version: str) -> None:
    secure = version == "HTTP/2"
    async with serving(create_app(Settings(cap_seconds=0.5), [work])) as server:
        url = f"{server.tls_url if secure else server.url}/mcp"
        options: dict[str, Any] = {"http2": secure, "http1": not secure, "verify": client_tls() if secure else False}
        async with (
            httpx.AsyncClient(**options, timeout=SECONDS) as client,
            client.stream("POST", url, **message("tools/call", "work", name="work", arguments={})) as answer,
        ):
            assert answer.http_version == version
            [task] = [
                json.loads(line.removeprefix("data: "))["result"]["taskId"]
                async for line in answer.aiter_lines()
                if '"resultType":"task"' in line
            ]
        async with httpx.AsyncClient(timeout=SECONDS) as client, asyncio.timeout(SECONDS):
            while True:  # from another connection
                asked = await client.post(f"{server.url}/mcp", **message("tasks/get", task, taskId=task))
                found = asked.json()["result"]
                if found["status"] != "working":
                    break
                await asyncio.sleep(0.05)
    assert found["status"] == "completed"
    assert found["result"]["content"] == [{"type": "text", "text": "done"}]
    [partial] = [value for key, value in found["result"]["_meta"].items() if key.endswith("/partial")]
    assert partial == ["first", "second"]
