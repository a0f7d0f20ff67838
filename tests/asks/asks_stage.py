"""An endpoint with the tools, prompts and resources of a test, asked as a client of MCP 2026-07-28 does. Not a test."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from closing import stop
from mcp_types.methods import parse_server_notification, validate_server_result
from pydantic import SecretStr

from mcp_app.authoring.prompt import Prompts
from mcp_app.authoring.resource import Resources
from mcp_app.authoring.tool import Registry, Tool
from mcp_app.authoring.tool_decorator import tool
from mcp_app.config.settings import Settings
from mcp_app.endpoint import Endpoint
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.manifest import load_manifest
from mcp_app.nodes import Node
from mcp_app.runs import Runs
from mcp_app.web.frames import Frames
from mcp_app.web.messages import Request

SECONDS = 20.0
VERSION = "2026-07-28"
META = "io.modelcontextprotocol/"
SECRET = "a-secret-of-the-tests-long-enough"
ALL: dict[str, Any] = {"elicitation": {"form": {}, "url": {}}, "sampling": {"tools": {}}, "roots": {}}
_NAMES = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


@dataclass(frozen=True)
class Said:
    """A response: its status and the JSON-RPC message; `before` are the messages before it, where it was a stream."""

    status: int
    message: dict[str, Any]
    before: tuple[dict[str, Any], ...] = ()

    @property
    def result(self) -> dict[str, Any]:
        assert "result" in self.message, self.message
        result: dict[str, Any] = self.message["result"]
        return result

    @property
    def error(self) -> dict[str, Any]:
        assert "error" in self.message, self.message
        error: dict[str, Any] = self.message["error"]
        return error

    @property
    def text(self) -> str:
        assert self.result["resultType"] == "complete", self.result
        return "\n".join(block["text"] for block in self.result["content"])

    @property
    def requests(self) -> dict[str, Any]:
        assert self.result["resultType"] == "input_required", self.result
        requests: dict[str, Any] = self.result["inputRequests"]
        return requests

    @property
    def state(self) -> str:
        state: str = self.result["requestState"]
        return state


class Server:
    """One process's worth of server, and the client that asks it."""

    def __init__(
        self,
        *tools: Tool | Callable[..., Any],
        prompts: Sequence[Any] = (),
        resources: Sequence[Any] = (),
        secret: str | None = SECRET,
    ) -> None:
        settings = Settings(secret=None if secret is None else SecretStr(secret))
        log = MemoryLog()
        registry = Registry([each if isinstance(each, Tool) else tool(each) for each in tools])
        self.tools, self.resources = registry, Resources(resources)
        self.node = self._node(settings, registry)
        self.runs = Runs(settings, log, registry, elsewhere=self.node)
        offered = (self.resources, Prompts(prompts))
        self.endpoint = Endpoint(settings, registry, load_manifest(None), self.runs, log, *offered, node=self.node)

    def _node(self, settings: Settings, registry: Registry) -> Node | None:
        return None

    async def request(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        can: Mapping[str, Any] = ALL,
        accept: str = "application/json, text/event-stream",
        meta: Mapping[str, Any] | None = None,
        patience: float = SECONDS,
    ) -> Said:
        """One request; its answer is checked against the schema of 2026-07-28."""
        declared = {
            f"{META}protocolVersion": VERSION,
            f"{META}clientInfo": {"name": "tests", "version": "1"},
            f"{META}clientCapabilities": can,
            **(meta or {}),
        }
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": {**params, "_meta": declared}}
        headers = {
            "host": "127.0.0.1:8000",
            "content-type": "application/json",
            "accept": accept,
            "mcp-protocol-version": VERSION,
            "mcp-method": method,
        }
        if method in _NAMES:
            headers["mcp-name"] = _header(params[_NAMES[method]])
        said = await self.post("/mcp", body, headers, patience)
        if "result" in said.message:
            validate_server_result(method, VERSION, said.result)
        for before in said.before:
            assert "id" not in before
            parse_server_notification(before["method"], VERSION, before["params"])
        return said

    async def post(self, path: str, body: Any, headers: Mapping[str, str], patience: float = SECONDS) -> Said:
        request = Request(
            method="POST", path=path, headers=headers, body=json.dumps(body).encode(), server=("127.0.0.1", 8000)
        )
        answer = await asyncio.wait_for(self.endpoint.answer(request), patience)
        if not isinstance(answer.body, Frames):
            return Said(answer.status, json.loads(answer.body))
        messages = await asyncio.wait_for(_messages(answer.body, dict(answer.headers)["Content-Type"]), patience)
        return Said(answer.status, messages[-1], tuple(messages[:-1]))

    async def call(
        self, name: str, responses: Any = ..., state: str | None = None, *, arguments: Any = None, **more: Any
    ) -> Said:
        """tools/call, in a first round or with responses and state."""
        return await self.request(
            "tools/call", {"name": name, "arguments": arguments or {}, **_retry(responses, state)}, **more
        )

    async def plain(self, name: str, **params: Any) -> Said:
        """The same tool in the plain dialect, as JSON."""
        headers = {"host": "127.0.0.1:8000", "content-type": "application/json", "accept": "application/json"}
        return await self.post("/api/v1/mcp/sse", {"tool": name, "params": params}, headers)

    async def close(self) -> None:
        await stop(self.runs, drain=self.runs.drain)


def _retry(responses: Any, state: str | None) -> dict[str, Any]:
    retry: dict[str, Any] = {} if responses is ... else {"inputResponses": responses}
    return retry if state is None else {**retry, "requestState": state}


def retry(responses: Any, state: str | None) -> dict[str, Any]:
    """The parameters that a retry adds."""
    return _retry(responses, state)


def accepted(**content: Any) -> dict[str, Any]:
    """ElicitResult of a form that was filled in."""
    return {"action": "accept", "content": content}


def sampled(text: str) -> dict[str, Any]:
    """CreateMessageResult."""
    return {"role": "assistant", "content": {"type": "text", "text": text}, "model": "m", "stopReason": "endTurn"}


def _header(value: str) -> str:
    plain = value.isascii() and value.isprintable()
    return value if plain else f"=?base64?{base64.b64encode(value.encode()).decode()}?="


async def _messages(frames: Frames, content_type: str) -> list[dict[str, Any]]:
    try:
        text = b"".join([frame async for frame in frames]).decode()
    finally:
        frames.close()
    if content_type == "application/json":
        return [json.loads(text)]
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
