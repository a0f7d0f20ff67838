"""The ceiling of the stack: MCP's answers by a bare ASGI application that checks nothing. Not an MCP server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

JSON = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
STREAM = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    call = orjson.loads(body)
    tool, arguments = call["params"]["name"], call["params"]["arguments"]
    if tool == "echo":
        await send(JSON)
        await send({"type": "http.response.body", "body": orjson.dumps(_result(call["id"], arguments["text"]))})
        return
    steps, count = (1, 2) if tool == "idle" else (arguments["count"],) * 2
    token = call["params"]["_meta"]["progressToken"]
    await send(STREAM)
    for number in range(1, steps + 1):
        await send({"type": "http.response.body", "body": _event(_progress(token, number, count)), "more_body": True})
    if tool == "idle":
        await asyncio.sleep(arguments["seconds"])
    await send({"type": "http.response.body", "body": _event(_result(call["id"], "done"))})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _result(number: int, text: str) -> dict[str, Any]:
    result = {"content": [{"type": "text", "text": text}], "isError": False}
    return {"jsonrpc": "2.0", "id": number, "result": result}


def _progress(token: int, number: int, count: int) -> dict[str, Any]:
    params = {"progressToken": token, "progress": number, "total": count, "message": f"step {number}"}
    return {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}


def _event(message: dict[str, Any]) -> bytes:
    return b"event: message\ndata: " + orjson.dumps(message) + b"\n\n"
