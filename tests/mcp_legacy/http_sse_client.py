"""A client of HTTP+SSE, the transport of MCP 2024-11-05: one stream, and messages that are answered on it. No test."""

from __future__ import annotations

from typing import Any

from legacy_client import STREAM, Events, Stage, call

CLIENT = {"name": "old", "version": "1"}


class Old:
    """A client of 2024-11-05."""

    def __init__(self, stage: Stage, events: Events, address: str) -> None:
        self.stage = stage
        self.events = events
        self.address = address
        self.ids = 0

    async def send(self, message: Any) -> int:
        return (await self.stage.ask("POST", message, path=self.address, accept="*/*")).status

    async def request(self, method: str, params: Any = None) -> Any:
        """The response, which comes on the stream."""
        self.ids += 1
        assert await self.send(call(method, params, self.ids)) == 202
        message = await self.events.message()
        assert message["id"] == self.ids, message
        return message

    async def result(self, method: str, params: Any = None) -> Any:
        """The result or the error, which come behind other messages."""
        self.ids += 1
        assert await self.send(call(method, params, self.ids)) == 202
        while (message := await self.events.message()).get("id") != self.ids:
            pass
        return message["result"] if "result" in message else message["error"]


async def connected(stage: Stage, path: str = "/mcp", version: str = "2024-11-05") -> Old:
    """A session by its stream, initialized."""
    events = Events(await stage.ask("GET", path=path, accept=STREAM))
    first = await events.next()
    assert first is not None
    assert first.event == "endpoint"
    old = Old(stage, events, first.data)
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT}
    result = (await old.request("initialize", params))["result"]
    assert result["protocolVersion"] == version
    assert await old.send({"jsonrpc": "2.0", "method": "notifications/initialized"}) == 202
    return old
