"""A client of MCP's revisions with sessions that is asked something in the middle of its calls. Not a test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from asks_stage import ALL, SECONDS, Server
from mcp_types.methods import parse_server_notification, parse_server_request, validate_server_result

from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer, Request

VERSION = "2025-11-25"


class Client:
    """A client of one session, which reads one stream at a time."""

    def __init__(self, server: Server, version: str) -> None:
        self.server = server
        self.version = version
        self.session: str | None = None

    async def post(self, body: Any, accept: str = "application/json, text/event-stream") -> Answer:
        headers = {"host": "127.0.0.1:8000", "content-type": "application/json", "accept": accept}
        if self.session is not None:
            headers |= {"mcp-session-id": self.session, "mcp-protocol-version": self.version}
        request = Request("POST", "/mcp", headers=headers, body=json.dumps(body).encode(), server=("127.0.0.1", 8000))
        return await asyncio.wait_for(self.server.endpoint.answer(request), SECONDS)

    async def begin(self, can: Any) -> Client:
        params = {"protocolVersion": self.version, "capabilities": can, "clientInfo": {"name": "t", "version": "1"}}
        answer = await self.post({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
        self.session = dict(answer.headers)["Mcp-Session-Id"]
        await self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    @asynccontextmanager
    async def call(self, tool: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The messages of a call's stream, each checked against the revision's schema."""
        params = {"name": tool, "arguments": {}}
        answer = await self.post({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params})
        assert isinstance(answer.body, Frames), answer.body
        try:
            yield self._messages(answer.body)
        finally:
            answer.body.close()

    async def _messages(self, frames: Frames) -> AsyncIterator[dict[str, Any]]:
        while True:
            chunk = await asyncio.wait_for(anext(frames), SECONDS)
            for line in chunk.decode().splitlines():
                if line.startswith("data: {"):
                    message = json.loads(line[6:])
                    if "result" in message:
                        validate_server_result("tools/call", self.version, message["result"])
                    elif "id" not in message:
                        parse_server_notification(message["method"], self.version, message["params"])
                    elif "method" in message:
                        parse_server_request(message["method"], self.version, message.get("params"))
                    yield message

    async def resume(self, last: str) -> Answer:
        """GET of the rest of a stream."""
        headers = {"host": "127.0.0.1:8000", "accept": "text/event-stream", "last-event-id": last}
        headers |= {"mcp-session-id": self.session or "", "mcp-protocol-version": self.version}
        request = Request("GET", "/mcp", headers=headers, server=("127.0.0.1", 8000))
        return await asyncio.wait_for(self.server.endpoint.answer(request), SECONDS)

    async def respond(self, request: dict[str, Any], result: Any = None, error: Any = None) -> Answer:
        said = {"result": result} if error is None else {"error": error}
        return await self.post({"jsonrpc": "2.0", "id": request["id"], **said})


async def connect(server: Server, can: Any = ALL, version: str = VERSION) -> Client:
    return await Client(server, version).begin(can)


async def question(messages: AsyncIterator[dict[str, Any]]) -> dict[str, Any]:
    """The next request among them."""
    async for message in messages:
        if "method" in message and "id" in message:
            return message
    raise AssertionError("no question came")


async def result(messages: AsyncIterator[dict[str, Any]]) -> dict[str, Any]:
    async for message in messages:
        if "result" in message:
            found: dict[str, Any] = message["result"]
            return found
    raise AssertionError("no result came")


async def to_its_end(answer: Answer) -> str:
    """Read a stream that has no message; the last id of it."""
    assert isinstance(answer.body, Frames)
    text = b"".join([chunk async for chunk in answer.body]).decode()
    answer.body.close()
    assert "jsonrpc" not in text
    assert text.count("retry: ") == 1, "with its end"
    ids = [line[4:] for line in text.splitlines() if line.startswith("id: ")]
    assert ids
    return ids[-1]
