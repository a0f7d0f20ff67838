"""The trace of a call through the whole path: to the tool, on to what it calls, into the log, and to the client."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from live_server import serving

from mcp_app import Context, Settings, Tool, create_app, tool
from mcp_app.protocol.mcp.tasks import EXTENSION

SECONDS = 20.0
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TOLD = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "tracestate": "rojo=00f067aa0ba902b7", "baggage": "user=ada"}
OTHER = f"00-{TRACE[::-1]}-00f067aa0ba902b7-00"
ROOT = Path(__file__).resolve().parents[2]


@tool
async def told(ctx: Context) -> dict[str, Any]:
    return {"headers": ctx.trace.headers(), "trace_id": ctx.trace.trace_id, "baggage": ctx.trace.baggage}


@tool(task="may")
async def may_be_a_task(ctx: Context) -> dict[str, Any]:
    return {"headers": ctx.trace.headers(), "trace_id": ctx.trace.trace_id, "baggage": ctx.trace.baggage}


@tool
async def broken(ctx: Context) -> None:
    raise RuntimeError("no word of this to the caller")


@tool
async def asking(ctx: Context) -> int:
    return len(await ctx.roots())


WHOLE = {"headers": TOLD, "trace_id": TRACE, "baggage": {"user": "ada"}}


def modern(name: str, **meta: Any) -> tuple[dict[str, Any], dict[str, str]]:
    own = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": name, "arguments": {}, "_meta": {**own, **meta}}
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": name}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, headers


async def test_every_way_to_call_carries_it(lane: bool) -> None:
    app = create_app(Settings(), [told, may_be_a_task], lane=lane)
    async with serving(app) as server, httpx.AsyncClient(base_url=server.url, timeout=SECONDS) as client:

        async def rpc(body: Any, headers: dict[str, str]) -> Any:
            answer = await client.post("/mcp", json=body, headers={"Accept": "application/json", **headers})
            return answer.json()["result"]["structuredContent"]

        as_json = {"Accept": "application/json", **TOLD}
        plain = await client.post("/api/v1/mcp/sse", json={"tool": "told"}, headers=as_json)
        assert plain.json()["data"] == WHOLE
        started = await client.post("/api/v1/mcp/runs", json={"tool": "told"}, headers=TOLD)
        async with client.stream("GET", started.json()["events_url"]) as events:
            last = [line async for line in events.aiter_lines() if line.startswith("data: ")][-1]
        assert json.loads(last[6:])["data"] == WHOLE
        untraced = await client.post("/api/v1/mcp/sse", json={"tool": "told"}, headers={"Accept": "application/json"})
        assert untraced.json()["data"] == {"headers": {}, "trace_id": None, "baggage": {}}

        body, headers = modern("told", **TOLD)
        assert await rpc(body, headers) == WHOLE
        body, headers = modern("told", traceparent=OTHER)
        assert (await rpc(body, {**headers, **TOLD}))["headers"] == {"traceparent": OTHER, "baggage": "user=ada"}
        can_follow = {"io.modelcontextprotocol/clientCapabilities": {"extensions": {EXTENSION: {}}}}
        for name in ("told", "may_be_a_task"):  # one that may be promoted at the cap, and one that may be a task
            body, headers = modern(name, **TOLD, **can_follow)
            assert await rpc(body, headers) == WHOLE
        body, headers = modern("told", traceparent="nonsense", tracestate=7, baggage=["x"])
        assert (await rpc(body, headers))["headers"] == {}


async def test_a_session_carries_it_to_the_tool_and_back_to_the_client(lane: bool) -> None:
    app = create_app(Settings(), [told, asking], lane=lane)
    async with serving(app) as server, httpx.AsyncClient(base_url=server.url, timeout=SECONDS) as client:
        hello = {
            "protocolVersion": "2025-11-25",
            "capabilities": {"roots": {}},
            "clientInfo": {"name": "t", "version": "1"},
        }
        both = {"Accept": "application/json, text/event-stream"}
        opened = await client.post(
            "/mcp", json={"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}, headers=both
        )
        session = {**both, "Mcp-Session-Id": opened.headers["mcp-session-id"], "MCP-Protocol-Version": "2025-11-25"}
        await client.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=session)
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
        params = {"name": "told", "arguments": {}, "_meta": TOLD}
        answer = await client.post(
            "/mcp", json={**call, "params": params}, headers={**session, "Accept": "text/event-stream"}
        )
        messages = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
        assert messages[-1]["result"]["structuredContent"] == WHOLE
        params = {"name": "asking", "arguments": {}, "_meta": TOLD}
        asked = []
        async with client.stream("POST", "/mcp", json={**call, "id": 2, "params": params}, headers=session) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: {"):
                    message = json.loads(line[6:])
                    if message.get("method") == "roots/list":
                        asked.append(message["params"]["_meta"])
                        roots = {"jsonrpc": "2.0", "id": message["id"], "result": {"roots": []}}
                        await client.post("/mcp", json=roots, headers=session)
        assert asked == [TOLD]


async def test_what_is_masked_has_the_trace_in_the_log(caplog: pytest.LogCaptureFixture, lane: bool) -> None:
    app = create_app(Settings(), [broken], lane=lane)
    async with serving(app) as server, httpx.AsyncClient(base_url=server.url, timeout=SECONDS) as client:
        for headers in (TOLD, {}):
            answer = await client.post(
                "/api/v1/mcp/sse", json={"tool": "broken"}, headers={"Accept": "application/json", **headers}
            )
            assert answer.status_code == 500
    traced, untraced = [record.getMessage() for record in caplog.records if "broken failed" in record.getMessage()]
    assert f"[trace_id {TRACE}]: broken failed [error_id " in traced
    assert "trace_id" not in untraced


@contextmanager
def warehouse(seen: list[dict[str, str]]) -> Iterator[str]:
    class Shelf(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"7 pieces")

        def log_message(self, *_: object) -> None:
            """Not to standard error."""

    with HTTPServer(("127.0.0.1", 0), Shelf) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}"
        finally:
            http.shutdown()
            thread.join(SECONDS)


async def test_the_example_of_the_how_to_sends_it_on(lane: bool) -> None:
    text = (ROOT / "docs/how-to-trace.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    module = ModuleType("trace_example")
    exec(compile(text, "docs/how-to-trace.md", "exec"), module.__dict__)
    stock = module.stock
    assert isinstance(stock, Tool)
    seen: list[dict[str, str]] = []
    with warehouse(seen) as url:
        async with (
            serving(create_app(Settings(), [stock], lane=lane)) as server,
            httpx.AsyncClient(base_url=server.url) as client,
        ):
            call = {"tool": "stock", "params": {"article": "4711", "url": url}}
            headers = {"Accept": "application/json", **TOLD}
            answer = await asyncio.wait_for(client.post("/api/v1/mcp/sse", json=call, headers=headers), SECONDS)
    assert answer.json()["data"] == "7 pieces"
    assert [{name: each.get(name) for name in TOLD} for each in seen] == [TOLD]
