"""The tutorial's own FastAPI code, as it stands there; only `execute_tool_streaming`, which it leaves open, is ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

app = FastAPI()


async def execute_tool_streaming(tool_name: str, params: dict[str, Any]) -> AsyncIterator[Any]:
    """The tools of the other programs, as updates."""
    if tool_name == "echo":
        yield params["text"]
    elif tool_name == "events":
        for number in range(1, params["count"] + 1):
            yield {"progress": number, "total": params["count"], "message": f"step {number}"}
    elif tool_name == "idle":
        yield {"progress": 1, "total": 2, "message": "step 1"}
        await asyncio.sleep(params["seconds"])


async def event_generator(request: Request, tool_name: str, params: dict[str, Any]) -> AsyncIterator[str]:
    """Generate SSE events for a tool invocation."""
    # Send initial acknowledgment
    yield f"data: {json.dumps({'type': 'started', 'tool': tool_name})}\n\n"

    # Execute tool and stream progress
    async for update in execute_tool_streaming(tool_name, params):
        if await request.is_disconnected():
            break
        yield f"data: {json.dumps({'type': 'progress', 'data': update})}\n\n"
        await asyncio.sleep(0)

    # Send completion
    yield f"data: {json.dumps({'type': 'complete'})}\n\n"


@app.post("/api/v1/mcp/sse")
async def mcp_sse(request: Request) -> StreamingResponse:
    body = await request.json()
    return StreamingResponse(
        event_generator(request, body["tool"], body.get("params", {})),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "Connection": "keep-alive"},
    )
