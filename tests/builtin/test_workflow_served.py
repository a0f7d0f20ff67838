"""A workflow over the wire: http and TLS, and followed by an EventSource that loses its connection."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from live_server import LiveServer, serving
from workflow_stage import TOOLS, of, step

from mcp_app import Settings, create_app, tool
from mcp_app.builtin.run_workflow.tool import run_workflow

SECONDS = 30.0
WORKFLOW = {
    "steps": [
        step("n", "counts", params={"to": 3}),
        step("shop", "shop"),
        step("loud", "shout", params={"text": of("shop", "/rows/1/name"), "times": of("n", "/2")}),
    ]
}
EVENT_STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
async def server() -> AsyncIterator[LiveServer]:
    async with serving(create_app(Settings(), [run_workflow, *TOOLS])) as live:
        yield live


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


def loud(last: dict[str, Any]) -> Any:
    assert last["type"] == "complete", last
    return last["data"]["steps"][2]["result"]


@pytest.mark.parametrize("secure", [False, True], ids=["http", "TLS"])
async def test_it_streams(secure: bool, server: LiveServer) -> None:
    url = f"https://localhost:{server.tls_port}" if secure else f"http://127.0.0.1:{server.port}"
    trusted = ssl.create_default_context(cafile=str(server.ca))
    async with httpx.AsyncClient(http2=secure, verify=trusted, timeout=SECONDS) as http:
        body = {"tool": "run_workflow", "params": WORKFLOW}
        answer = await http.post(f"{url}/api/v1/mcp/sse", json=body, headers=EVENT_STREAM)
    assert answer.http_version == ("HTTP/2" if secure else "HTTP/1.1")
    seen = events(answer.text)
    assert loud(seen[-1]) == "TEA 1TEA 1"
    assert {each["metadata"]["path"][0] for each in seen if each["type"] == "progress"} == {"n", "shop", "loud"}


async def test_an_event_source_comes_back_to_it(server: LiveServer) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=SECONDS) as http:
        begun = await http.post("/api/v1/mcp/runs", json={"tool": "run_workflow", "params": WORKFLOW})
        assert begun.status_code == 202
        address = f"/api/v1/mcp/runs/{begun.json()['id']}/events"
        async with http.stream("GET", address, headers=EVENT_STREAM) as answer:
            ids = [line[4:] async for line in answer.aiter_lines() if line.startswith("id: ")]
        rest = await http.get(address, headers={**EVENT_STREAM, "Last-Event-ID": ids[2]})
    assert [line[4:] for line in rest.text.splitlines() if line.startswith("id: ")] == ids[3:]
    assert loud(events(rest.text)[-1]) == "TEA 1TEA 1"


async def test_a_client_that_goes_away_ends_what_works_and_what_waits() -> None:
    begun: list[str] = []
    ended = asyncio.Event()

    @tool
    async def endless(name: str) -> None:
        begun.append(name)
        try:
            await asyncio.sleep(1000)
        finally:
            ended.set()

    async with serving(create_app(Settings(), [run_workflow, endless, *TOOLS])) as server:
        steps = [
            step("first"),
            step("a", "endless", params={"name": "a"}, needs=["first"]),
            step("b", "endless", params={"name": "b"}, needs=["a"]),
        ]
        async with (
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=SECONDS) as http,
            http.stream("POST", "/api/v1/mcp/sse", json={"tool": "run_workflow", "params": {"steps": steps}}) as answer,
        ):
            async for line in answer.aiter_lines():
                if '"path":["first"]' in line:
                    break
        await asyncio.wait_for(ended.wait(), SECONDS)
    assert begun == ["a"]
