"""A client of MCP's revisions with sessions that asks the endpoint directly: requests and answers are plain values.

Not a test; no test's expectations belong here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from closing import stop

from mcp_app import Context, Registry, Resources, ToolError, prompt, resource, tool
from mcp_app.authoring.prompt import Prompts
from mcp_app.config.settings import Settings
from mcp_app.endpoint import Endpoint
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.manifest import load_manifest
from mcp_app.nodes import Node
from mcp_app.protocol.http.sse import Decoder, ServerSentEvent
from mcp_app.runs import Runs
from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer, Request

SECONDS = 10.0
MCP = "/mcp"
BOTH = "application/json, text/event-stream"
STREAM = "text/event-stream"


class Stage:
    """An endpoint, and tools that do what a test tells them."""

    def __init__(self, **settings: Any) -> None:
        self.settings = Settings(**settings)
        log = MemoryLog()
        self.log = log
        self.steps = asyncio.Semaphore(0)
        self.begun = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.tools = Registry(self._tools())
        self.resources = Resources(self._resources())
        self.prompts = Prompts([_greeting()])
        self.node = self._node()
        self.runs = Runs(self.settings, log, elsewhere=self.node)
        offered = (self.resources, self.prompts)
        manifest = load_manifest(None)
        self.endpoint = Endpoint(self.settings, self.tools, manifest, self.runs, log, *offered, node=self.node)
        self._open: list[Frames] = []

    def _node(self) -> Node | None:
        return None

    def _tools(self) -> list[Any]:
        stage = self

        @tool(read_only=True)
        async def add(a: int, b: int) -> int:
            """The sum."""
            return a + b

        @tool
        async def steps(n: int, ctx: Context) -> dict[str, int]:
            """Says one word at each step that the test lets it make."""
            stage.begun.set()
            try:
                for i in range(n):
                    await stage.steps.acquire()
                    await ctx.progress(i + 1, n, f"step {i + 1}")
                await stage.steps.acquire()
            except asyncio.CancelledError:
                stage.cancelled.set()
                raise
            return {"n": n}

        @tool
        async def says(ctx: Context) -> str:
            """Logs at two levels."""
            await ctx.log("debug", "small")
            await ctx.log("warning", "large")
            return "said"

        @tool
        async def fails() -> str:
            """Fails."""
            raise ToolError("it went wrong", hint="try another")

        return [add, steps, says, fails]

    def _resources(self) -> list[Any]:
        @resource("test://text", mime_type="text/plain")
        def text() -> str:
            return "hi"

        return [text]

    async def ask(self, method: str, body: Any = None, *, path: str = MCP, **headers: str | None) -> Answer:
        """One HTTP request; header names with `_` for `-`, None leaves one out."""
        target, _, query = path.partition("?")
        fields = {"host": "127.0.0.1:8000", "accept": BOTH, "content-type": "application/json"}
        for name, value in headers.items():
            fields[name.replace("_", "-")] = value  # type: ignore[assignment]
        request = Request(
            method=method,
            path=target,
            query=query.encode(),
            headers={name: value for name, value in fields.items() if value is not None},
            body=b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode(),
            server=("127.0.0.1", 8000),
        )
        answer = await asyncio.wait_for(self.endpoint.answer(request), SECONDS)
        if isinstance(answer.body, Frames):
            self._open.append(answer.body)
        return answer

    async def client(self, version: str = "2025-11-25", **client: Any) -> Client:
        """A session, initialized."""
        params = {"protocolVersion": version, "capabilities": client, "clientInfo": {"name": "test", "version": "1"}}
        answer = await self.ask("POST", call("initialize", params))
        assert answer.status == 200, answer.body
        result = decoded(answer)["result"]
        made = Client(self, dict(answer.headers)["Mcp-Session-Id"], result["protocolVersion"], result)
        assert (await made.post({"jsonrpc": "2.0", "method": "notifications/initialized"})).status == 202
        return made

    async def close(self) -> None:
        await stop(self.runs, self._open, drain=self.endpoint.drain)


@dataclass
class Client:
    """One session."""

    stage: Stage
    session: str
    version: str
    initialized: Mapping[str, Any]
    ids: int = field(default=100)

    async def post(self, message: Any, **headers: str | None) -> Answer:
        return await self.stage.ask("POST", message, **self._headers(headers))

    async def get(self, last_event_id: str | None = None, **headers: str | None) -> Answer:
        return await self.stage.ask(
            "GET", **self._headers({"accept": STREAM, "last_event_id": last_event_id, **headers})
        )

    async def delete(self) -> Answer:
        return await self.stage.ask("DELETE", **self._headers({}))

    async def request(self, method: str, params: Mapping[str, Any] | None = None, **headers: str | None) -> Answer:
        self.ids += 1
        return await self.post(call(method, params, self.ids), **headers)

    async def result(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """The result of a request that is answered as JSON."""
        message = decoded(await self.request(method, params))
        assert message["id"] == self.ids, message
        return message["result"]

    async def tool(self, name: str, token: str | None = None, **arguments: Any) -> Answer:
        params: dict[str, Any] = {"name": name, "arguments": arguments}
        if token is not None:
            params["_meta"] = {"progressToken": token}
        return await self.request("tools/call", params)

    def _headers(self, headers: Mapping[str, str | None]) -> dict[str, Any]:
        said = {"mcp_session_id": self.session}
        if self.version >= "2025-06-18":
            said["mcp_protocol_version"] = self.version
        return {**said, **headers}


class Events:
    """The events of a stream, one by one. An event with empty data is given out too, as some clients do."""

    def __init__(self, answer: Answer) -> None:
        assert isinstance(answer.body, Frames), answer
        assert dict(answer.headers)["Content-Type"] == STREAM
        self.frames = answer.body
        self.raw = b""
        self._decoder = Decoder()
        self._ready: list[ServerSentEvent] = []

    async def next(self) -> ServerSentEvent | None:
        """None at the end."""
        while not self._ready:
            try:
                chunk = await asyncio.wait_for(anext(self.frames), SECONDS)
            except StopAsyncIteration:
                return None
            self.raw += chunk
            self._ready = list(self._decoder.feed(chunk))
        return self._ready.pop(0)

    async def message(self) -> Any:
        """The next event as a JSON-RPC message."""
        event = await self.next()
        assert event is not None, self.raw
        return json.loads(event.data)

    async def rest(self) -> list[Any]:
        found = []
        while (event := await self.next()) is not None:
            if event.data:
                found.append(json.loads(event.data))
        return found

    def leave(self) -> None:
        self.frames.close()


def call(method: str, params: Mapping[str, Any] | None = None, id: int | str = 1) -> dict[str, Any]:  # noqa: A002
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": id, "method": method}
    return message if params is None else {**message, "params": params}


def decoded(answer: Answer) -> Any:
    assert isinstance(answer.body, bytes), answer
    return json.loads(answer.body)


def _greeting() -> Any:
    @prompt
    def greet(name: str) -> str:
        """Greet."""
        return f"hello {name}"

    return greet
