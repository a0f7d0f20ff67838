"""Asking an endpoint for `subscriptions/listen`, and its stream as messages. Not a test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from closing import stop
from mcp_types.methods import parse_server_notification, validate_server_result

from mcp_app import Prompts, Registry, Resources, Settings, prompt, resource, tool
from mcp_app.endpoint import Endpoint
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.manifest import load_manifest
from mcp_app.protocol.http.sse import Decoder
from mcp_app.runs import Runs
from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer, Request

SECONDS = 10.0
VERSION = "2026-07-28"
SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId"
EVERYTHING = {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True}

HEADERS = {
    "host": "127.0.0.1:8000",
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": VERSION,
    "mcp-method": "subscriptions/listen",
}


@tool
def first() -> int:
    return 1


@tool
def second() -> int:
    return 2


@prompt
def greet() -> str:
    return "Hello"


@resource("test://watched")
def watched() -> str:
    return "seen"


@resource("test://users/{id}")
def user(id: int) -> str:  # noqa: A002 - the template's name
    return str(id)


def request(notifications: Any, id: Any = 7, can: Any = None) -> dict[str, Any]:  # noqa: A002 - the wire's name
    meta = {"protocolVersion": VERSION, "clientCapabilities": can or {}, "clientInfo": {"name": "test", "version": "1"}}
    params = {"_meta": {f"io.modelcontextprotocol/{name}": value for name, value in meta.items()}}
    if notifications is not None:
        params["notifications"] = notifications
    return {"jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params}


class Listened:
    """One stream. Every message is held against MCP's own types."""

    def __init__(self, answer: Answer) -> None:
        assert isinstance(answer.body, Frames), answer.body
        self.answer = answer
        self.frames = answer.body
        self.ended = False
        self.heartbeats = 0
        self._decoder = Decoder()
        self._messages: list[dict[str, Any]] = []

    async def read(self) -> list[dict[str, Any]]:
        """The messages of the next write; none at the end, and for a heartbeat."""
        try:
            chunk = await asyncio.wait_for(anext(self.frames), SECONDS)
        except StopAsyncIteration:
            self.ended = True
            return []
        self.heartbeats += chunk == b":\n"
        messages = [json.loads(event.data) for event in self._decoder.feed(chunk)]
        for each in messages:
            if "result" in each:
                validate_server_result("subscriptions/listen", VERSION, each["result"])
            elif each["method"] != "notifications/tasks":  # an extension's: it is in none of those types
                parse_server_notification(each["method"], VERSION, each["params"])
        return messages

    async def next(self) -> dict[str, Any]:
        """The next message."""
        while not self._messages:
            self._messages += await self.read()
            assert self._messages or not self.ended, "the stream ended"
        return self._messages.pop(0)

    async def rest(self) -> list[dict[str, Any]]:
        """All messages up to the end of the stream."""
        while not self.ended:
            self._messages += await self.read()
        return self._messages


class Stage:
    """An endpoint with something of each sort."""

    def __init__(self, **settings: Any) -> None:
        self.tools, self.prompts = Registry([first]), Prompts([greet])
        self.resources = Resources([watched, user])
        log = MemoryLog()
        self.runs = Runs(Settings(**settings), log)
        self.endpoint = Endpoint(
            Settings(**settings), self.tools, load_manifest(None), self.runs, log, self.resources, self.prompts
        )
        self._opened: list[Frames] = []

    async def ask(self, message: Any, **headers: str) -> Answer:
        fields = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
        body = json.dumps(message).encode()
        answer = await self.endpoint.answer(Request("POST", "/mcp", headers=fields, body=body))
        if isinstance(answer.body, Frames):
            self._opened.append(answer.body)
        return answer

    async def listen(self, notifications: Any, **more: Any) -> Listened:
        return Listened(await self.ask(request(notifications, **more)))

    async def metrics(self) -> str:
        answer = await self.endpoint.answer(Request("GET", "/metrics", headers={"host": "127.0.0.1:8000"}))
        assert isinstance(answer.body, bytes)
        return answer.body.decode()


@asynccontextmanager
async def stage(**settings: Any) -> AsyncIterator[Stage]:
    """A stage, drained at the end with its streams closed."""
    made = Stage(**settings)
    try:
        yield made
    finally:
        await stop(made.runs, made._opened, drain=made.endpoint.drain)
