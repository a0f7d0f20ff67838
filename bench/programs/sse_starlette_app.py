"""The tutorial's events through sse-starlette's EventSourceResponse, which adds pings and notices who leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route


async def _updates(tool: str, params: dict[str, Any]) -> AsyncIterator[Any]:
    if tool == "echo":
        yield params["text"]
    elif tool == "events":
        for number in range(1, params["count"] + 1):
            yield {"progress": number, "total": params["count"], "message": f"step {number}"}
    elif tool == "idle":
        yield {"progress": 1, "total": 2, "message": "step 1"}
        await asyncio.sleep(params["seconds"])


async def _events(tool: str, params: dict[str, Any]) -> AsyncIterator[dict[str, str]]:
    yield {"data": json.dumps({"type": "started", "tool": tool})}
    async for update in _updates(tool, params):
        yield {"data": json.dumps({"type": "progress", "data": update})}
    yield {"data": json.dumps({"type": "complete"})}


async def answer(request: Request) -> EventSourceResponse:
    body = await request.json()
    return EventSourceResponse(_events(body["tool"], body.get("params", {})))


app = Starlette(routes=[Route("/api/v1/mcp/sse", answer, methods=["POST"])])
