"""A connection over standard input and output in memory: lines go in, messages come out. Not a test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from mcp_app import Prompts, Registry, Resources, Settings
from mcp_app.endpoint import Endpoint
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.manifest import load_manifest
from mcp_app.runs import Runs
from mcp_app.stdio.connection import StdioConnection
from mcp_app.stdio.lines import LineSplitter

SECONDS = 10.0
MODERN = "2026-07-28"
META = "io.modelcontextprotocol/"
TASKS = "io.modelcontextprotocol/tasks"


def request(method: str, params: Mapping[str, Any] | None = None, id: Any = 1) -> dict[str, Any]:  # noqa: A002 - the wire's name
    """A request of a session."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": id, "method": method}
    return message if params is None else {**message, "params": params}


def modern(
    method: str,
    params: Mapping[str, Any] | None = None,
    id: Any = 1,  # noqa: A002 - the wire's name
    *,
    can: Mapping[str, Any] | None = None,
    version: str = MODERN,
    **meta: Any,
) -> dict[str, Any]:
    """A request of the revision without sessions."""
    said = {
        f"{META}protocolVersion": version,
        f"{META}clientCapabilities": can or {},
        f"{META}clientInfo": {"name": "tests", "version": "1"},
        **meta,
    }
    return request(method, {**(params or {}), "_meta": said}, id)


def initialize(version: str = "2025-11-25", id: Any = 0, **can: Any) -> dict[str, Any]:  # noqa: A002 - the wire's name
    params = {"protocolVersion": version, "capabilities": can, "clientInfo": {"name": "tests", "version": "1"}}
    return request("initialize", params, id)


def notification(method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    return message if params is None else {**message, "params": params}


def cancelled(id: Any) -> dict[str, Any]:  # noqa: A002 - the wire's name
    return notification("notifications/cancelled", {"requestId": id})


def call(name: str, arguments: Mapping[str, Any] | None = None, id: Any = 1, token: Any = None) -> dict[str, Any]:  # noqa: A002 - the wire's name
    params: dict[str, Any] = {"name": name, "arguments": arguments or {}}
    if token is not None:
        params["_meta"] = {"progressToken": token}
    return request("tools/call", params, id)


class Stage:
    """A server and its one client. `gate` closes: then the client reads nothing."""

    def __init__(self, tools: Registry, resources: Resources, prompts: Prompts, settings: Settings) -> None:
        log = MemoryLog()
        self.tools, self.resources, self.prompts = tools, resources, prompts
        self.runs = Runs(settings, log)
        self.endpoint = Endpoint(settings, tools, load_manifest(None), self.runs, log, resources, prompts)
        self.gate = asyncio.Event()
        self.gate.set()
        self.sent: list[bytes] = []
        self._messages: asyncio.Queue[Any] = asyncio.Queue()
        self._lines = LineSplitter()
        self.connection: StdioConnection

    async def _send(self, message: bytes) -> None:
        await self.gate.wait()
        assert b"\n" not in message
        self.sent.append(message)
        self._messages.put_nowait(json.loads(message))

    async def open(self) -> None:
        self.connection = await StdioConnection.open(self.endpoint.speaker, self._send)

    async def say(self, *messages: Any) -> None:
        """Each a line: bytes as they are, anything else as JSON."""
        for each in messages:
            line = each if isinstance(each, bytes) else json.dumps(each).encode()
            await self.raw(line + b"\n")

    async def raw(self, data: bytes) -> None:
        for line in self._lines.feed(data):
            await asyncio.wait_for(self.connection.receive(line), SECONDS)

    async def next(self) -> Any:
        """The next message from the server."""
        return await asyncio.wait_for(self._messages.get(), SECONDS)

    async def at_once(self) -> Any:
        """The next message, in the very turn of the loop in which it is sent."""
        for _ in range(1000):
            if not self._messages.empty():
                return self._messages.get_nowait()
            await asyncio.sleep(0)
        raise AssertionError("nothing is sent")

    async def ask(self, message: Mapping[str, Any]) -> Any:
        """The response to a request; nothing may come before it."""
        await self.say(message)
        said = await self.next()
        assert said["id"] == message["id"], said
        return said

    async def until(self, holds: Callable[[Any], bool]) -> list[Any]:
        """All messages up to the first of which that holds."""
        seen = [await self.next()]
        while not holds(seen[-1]):
            seen.append(await self.next())
        return seen

    async def session(self, version: str = "2025-11-25", **can: Any) -> Any:
        """Open the session; the result of `initialize`."""
        said = await self.ask(initialize(version, **can))
        await self.say(notification("notifications/initialized"))
        return said["result"]

    async def quiet(self) -> None:
        """Nothing more comes: asserted after the turns in which it would."""
        for _ in range(20):
            await asyncio.sleep(0)
        assert self._messages.empty(), self._messages.get_nowait()

    async def close(self) -> None:
        self.gate.set()
        await asyncio.wait_for(self.endpoint.drain(), SECONDS)
        await asyncio.wait_for(self.connection.close(SECONDS), SECONDS)
        self.runs.close()


@asynccontextmanager
async def stage(*tools: Any, resources: Any = (), prompts: Any = (), **settings: Any) -> AsyncIterator[Stage]:
    """A connection with these, closed afterwards."""
    made = Stage(Registry(tools), Resources(resources), Prompts(prompts), Settings(**settings))
    await made.open()
    try:
        yield made
    finally:
        await made.close()
