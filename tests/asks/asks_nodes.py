"""Several nodes on one shared log in memory, asked as a client of MCP 2026-07-28 does. Not a test.

Everything is on the clock of the test's loop.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from asks_stage import META, VERSION, Said, Server, _messages
from loop_lease import keep_by_task, now

from mcp_app.authoring.tool import Registry
from mcp_app.config.settings import Settings
from mcp_app.eventlog.shared_memory import MemorySharedLog, SharedMemory
from mcp_app.nodes import Node
from mcp_app.protocol.http.sse import Decoder
from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer, Request

SECONDS = 3000.0  # of the loop's clock
CAN: Mapping[str, Any] = {"elicitation": {"form": {}, "url": {}}, "extensions": {"io.modelcontextprotocol/tasks": {}}}


class NodeServer(Server):
    """One process of those that share the log."""

    def __init__(self, shared: SharedMemory, *args: Any, **more: Any) -> None:
        self.log = MemorySharedLog(shared)
        self.streams: list[Frames] = []
        super().__init__(*args, **more)

    def _node(self, settings: Settings, registry: Registry) -> Node:
        return Node(self.log, settings, registry, keeping=keep_by_task, clock=now)

    @property
    def here(self) -> Node:
        assert self.node is not None
        return self.node

    async def ask(self, method: str, params: Mapping[str, Any]) -> Answer:
        """One request of a client that can do all that CAN says."""
        declared = {f"{META}protocolVersion": VERSION, f"{META}clientCapabilities": CAN, **params.get("_meta", {})}
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": {**params, "_meta": declared}}
        headers = {
            "host": "127.0.0.1:8000",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": VERSION,
            "mcp-method": method,
        }
        for name in ("name", "uri", "taskId"):
            if name in params:
                headers["mcp-name"] = params[name]
        request = Request("POST", "/mcp", headers=headers, body=json.dumps(body).encode())
        answer = await asyncio.wait_for(self.endpoint.answer(request), SECONDS)
        if isinstance(answer.body, Frames):
            self.streams.append(answer.body)
        return answer

    async def said(self, method: str, **params: Any) -> Said:
        """The response."""
        answer = await self.ask(method, params)
        if isinstance(answer.body, bytes):
            return Said(answer.status, json.loads(answer.body))
        messages = await asyncio.wait_for(_messages(answer.body, dict(answer.headers)["Content-Type"]), SECONDS)
        return Said(answer.status, messages[-1])

    async def task(self, name: str, **arguments: Any) -> str:
        """The id of the task that a call becomes."""
        result = (await self.said("tools/call", name=name, arguments=arguments)).result
        assert result["resultType"] == "task", result
        task: str = result["taskId"]
        return task

    async def get(self, task: str) -> dict[str, Any]:
        return (await self.said("tasks/get", taskId=task)).result

    async def until(self, task: str, *statuses: str) -> dict[str, Any]:
        """The task, once it has one of these statuses."""
        for _ in range(1000):
            if (found := await self.get(task))["status"] in statuses:
                return found
            await asyncio.sleep(1)
        raise AssertionError(found)

    async def fetch(self, method: str, path: str) -> Answer:
        """A request of the plain dialect."""
        request = Request(method, path, headers={"host": "127.0.0.1:8000"})
        return await asyncio.wait_for(self.endpoint.answer(request), SECONDS)

    async def die(self) -> None:
        """As by kill -9: from now on nothing of it reaches the log, and nobody renews its lease."""
        self.log.reachable = False
        await asyncio.wait_for(self.here.stop(), SECONDS)
        await self.close()

    async def close(self) -> None:
        for each in self.streams:
            each.close()
        await asyncio.wait_for(self.endpoint.drain(), SECONDS)
        await asyncio.wait_for(self.here.stop(), SECONDS)
        self.runs.close()


class Listened:
    """The messages of a stream, one by one."""

    def __init__(self, answer: Answer) -> None:
        assert isinstance(answer.body, Frames), answer
        self.frames = answer.body
        self._decoder = Decoder()
        self._ready: list[Any] = []

    async def next(self) -> Any:
        """None at the end."""
        while not self._ready:
            try:
                chunk = await asyncio.wait_for(anext(self.frames), SECONDS)
            except StopAsyncIteration:
                return None
            self._ready = [json.loads(each.data) for each in self._decoder.feed(chunk) if each.data]
        return self._ready.pop(0)

    async def rest(self) -> list[Any]:
        found = []
        while (message := await self.next()) is not None:
            found.append(message)
        return found


@asynccontextmanager
async def servers(*tools: Any, count: int = 2, **more: Any) -> AsyncIterator[list[NodeServer]]:
    shared = SharedMemory(now)
    made = [NodeServer(shared, *tools, **more) for _ in range(count)]
    for each in made:
        await each.here.start(each.runs.known)
    try:
        yield made
    finally:
        for each in made:
            await each.close()
