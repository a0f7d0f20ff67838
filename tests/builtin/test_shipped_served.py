"""Each tool that ships, as one server offers them, by every way to call it: events come before the result."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, get_args

import httpx
import pytest
import pytest_asyncio
from live_server import LiveServer, client_tls, serving

import mcp_app
from mcp_app.builtin import TOOLS
from mcp_app.testing import Era, client

STEPS = [
    {"id": "countries", "tool": "query_database", "params": {"sql": "select distinct country from customers"}},
    {
        "id": "some",
        "tool": "query_database",
        "params": {
            "sql": "select name from customers where country = $1 limit 3",
            "parameters": [{"$from": "countries", "pointer": "/rows/0/0"}],
        },
    },
]
CALLS: dict[str, tuple[dict[str, Any], str]] = {
    "query_database": ({"sql": "select * from orders", "max_rows": 250}, "table"),
    "analyze_dataset": ({"path": "products.csv"}, "analysis"),
    "run_workflow": ({"steps": STEPS}, "workflow"),
}
"""What is asked of each, and the kind of its result."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[LiveServer]:
    async with serving(mcp_app.create_app()) as found:
        yield found


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("way", ["http", "tls", "EventSource"])
@pytest.mark.parametrize("tool", CALLS)
async def test_it_streams_over(way: str, tool: str, server: LiveServer) -> None:
    params, kind = CALLS[tool]
    async with httpx.AsyncClient(timeout=60, http2=way == "tls", verify=client_tls() if way == "tls" else True) as http:
        url = f"{server.tls_url if way == 'tls' else server.url}/api/v1/mcp/sse"
        headers = {"Accept": "text/event-stream"}
        if way == "EventSource":
            answer = await http.get(url, headers=headers, params={"tool": tool, "params": json.dumps(params)})
        else:
            answer = await http.post(url, headers=headers, json={"tool": tool, "params": params})
    if way == "EventSource" and tool == "run_workflow":  # it may call tools that change something
        assert answer.status_code == 405
        return
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    assert [events[0]["type"], events[-1]["type"]] == ["started", "complete"]
    assert len(events) > 3
    assert events[-1]["data"]["kind"] == kind


@pytest.mark.parametrize("era", get_args(Era))
@pytest.mark.parametrize("tool", CALLS)
async def test_it_streams_in(era: Era, tool: str) -> None:
    params, kind = CALLS[tool]
    async with client(TOOLS, era=era) as c:
        run = c.run(tool, **params)
        events = [event async for event in run]
        assert len(events) > 3
        result = await run
    if era in ("2025-03-26", "2024-11-05"):  # which have no structured content
        assert isinstance(result, str)
    else:
        assert result["kind"] == kind
