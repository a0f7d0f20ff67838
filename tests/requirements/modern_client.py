"""A client of MCP 2026-07-28 that may say anything, well formed or not, and the server of modern_served.py. No test.

What comes back is held against the revision's own types wherever it is a message: so each test of this directory is one
of the schema too.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from closing import stop
from mcp_types import JSONRPCError
from mcp_types.methods import parse_server_notification, validate_server_result
from modern_served import HELD, PROMPTS, RESOURCES, TOOLS
from pydantic import SecretStr

from mcp_app import Prompts, Registry, Resources, Settings
from mcp_app.endpoint import Endpoint
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.manifest import load_manifest
from mcp_app.runs import Runs
from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer, Request

SECONDS = 20.0
VERSION = "2026-07-28"
META = "io.modelcontextprotocol/"
TASKS = "io.modelcontextprotocol/tasks"
ALL: dict[str, Any] = {"elicitation": {"form": {}, "url": {}}, "sampling": {"tools": {}}, "roots": {}}
BOTH = "application/json, text/event-stream"

_NAMES = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"} | dict.fromkeys(
    ("tasks/get", "tasks/update", "tasks/cancel"), "taskId"
)

ABSENT: Any = object()
"""For a parameter, a member of `_meta` or a header: leave it out."""


@dataclass(frozen=True)
class Said:
    """A response: status, header fields by lower-case name, and the message, None for an empty body; `before` are the
    messages before it, where it was a stream."""

    status: int
    headers: Mapping[str, str]
    message: dict[str, Any] | None
    before: tuple[dict[str, Any], ...] = ()

    @property
    def result(self) -> dict[str, Any]:
        assert self.message is not None
        assert "result" in self.message, self.message
        result: dict[str, Any] = self.message["result"]
        return result

    @property
    def error(self) -> dict[str, Any]:
        assert self.message is not None
        assert "error" in self.message, self.message
        error: dict[str, Any] = self.message["error"]
        return error

    @property
    def refusal(self) -> tuple[int, int]:
        """Status and code of an error."""
        return self.status, self.error["code"]

    @property
    def id(self) -> Any:
        """The message's id; ABSENT where it has none."""
        assert self.message is not None
        return self.message.get("id", ABSENT)

    @property
    def said(self) -> list[str]:
        """The methods of the messages before the response."""
        return [each["method"] for each in self.before]


def meta(**changes: Any) -> dict[str, Any]:
    """A request's `_meta`: `capabilities`, `version`, `client` and `level` by those names, others as they are."""
    said = {
        f"{META}protocolVersion": changes.pop("version", VERSION),
        f"{META}clientInfo": changes.pop("client", {"name": "tests", "version": "1"}),
        f"{META}clientCapabilities": changes.pop("capabilities", ALL),
        f"{META}logLevel": changes.pop("level", ABSENT),
        **changes,
    }
    return {name: value for name, value in said.items() if value is not ABSENT}


def request(method: Any, params: Any = None, id: Any = 7, **changes: Any) -> dict[str, Any]:  # noqa: A002
    """A request, `changes` being those of its `_meta`; without parameters that are an object it has no `_meta`."""
    if params is None or isinstance(params, dict):
        params = {"_meta": meta(**changes), **(params or {})}
    message = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
    return {name: value for name, value in message.items() if value is not ABSENT}


def headers(message: Any, **changes: Any) -> dict[str, str]:
    """The header fields that repeat the message, as far as it can be read; `changes` by name with `_` for `-`."""
    fields: dict[str, Any] = {"host": "127.0.0.1:8000", "content-type": "application/json", "accept": BOTH}
    if isinstance(message, dict) and isinstance(message.get("method"), str):
        params = message["params"] if isinstance(message.get("params"), dict) else {}
        declared = params["_meta"] if isinstance(params.get("_meta"), dict) else {}
        fields["mcp-protocol-version"] = str(declared.get(f"{META}protocolVersion", VERSION))
        fields["mcp-method"] = encoded(message["method"])
        name = params.get(_NAMES.get(message["method"], ""))
        if isinstance(name, str):
            fields["mcp-name"] = encoded(name)
    fields |= {name.replace("_", "-"): value for name, value in changes.items()}
    return {name: value for name, value in fields.items() if value is not ABSENT}


def encoded(value: str) -> str:
    """As a header value ("Value Encoding")."""
    plain = value.isascii() and value.isprintable() and value == value.strip() and not value.startswith("=?base64?")
    if plain:
        return value
    return f"=?base64?{base64.b64encode(value.encode('utf-8', 'surrogatepass')).decode()}?="


class Stage:
    """The server, and the client that asks it."""

    def __init__(self, **settings: Any) -> None:
        self.settings = Settings(**{"secret": SecretStr("a-secret-of-the-tests-long-enough"), **settings})
        log = MemoryLog()
        self.runs = Runs(self.settings, log)
        self.tools = Registry(TOOLS)
        self.resources = Resources(RESOURCES)
        self.prompts = Prompts(PROMPTS)
        self.endpoint = Endpoint(
            self.settings, self.tools, load_manifest(None), self.runs, log, self.resources, self.prompts
        )
        HELD.began, HELD.stopped = asyncio.Event(), asyncio.Event()

    async def ask(self, method: str, params: Any = None, *, id: Any = 7, http: Any = None, **changes: Any) -> Said:  # noqa: A002
        """One well-formed request: `http` are changes of its header fields, `changes` those of its `_meta`."""
        message = request(method, params, id, **changes)
        said = await self.send(message, **(http or {}))
        if said.message is not None and "result" in said.message and method not in _NAMES_OF_TASKS:
            validate_server_result(method, VERSION, said.result) if said.result["resultType"] != "task" else None
        return said

    async def send(self, message: Any, path: str = "/mcp", **fields: Any) -> Said:
        """Any value as the body, bytes as they are, with the header fields that belong to it."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return await self.exchange("POST", path, body, headers(message, **fields))

    async def exchange(self, method: str, path: str, body: bytes, fields: Mapping[str, str]) -> Said:
        return await said(await self.answer(method, path, body, fields))

    async def answer(self, method: str, path: str, body: bytes, fields: Mapping[str, str]) -> Answer:
        """The answer as the endpoint gives it. Whoever takes one with a stream closes that."""
        asked_for = Request(method, path, headers=fields, body=body, server=("127.0.0.1", 8000))
        return await asyncio.wait_for(self.endpoint.answer(asked_for), SECONDS)


_NAMES_OF_TASKS = {"tasks/get", "tasks/update", "tasks/cancel"}


async def said(answer: Answer) -> Said:
    """The whole answer. Every message in it is held against the schema of the revision."""
    fields = {name.lower(): value for name, value in answer.headers}
    if isinstance(answer.body, Frames):
        messages = await asyncio.wait_for(_messages(answer.body, fields["content-type"]), SECONDS)
        for each in messages[:-1]:
            parse_server_notification(each["method"], VERSION, each["params"])
            assert "id" not in each
        return Said(answer.status, fields, _checked(messages[-1]), tuple(messages[:-1]))
    message = json.loads(answer.body) if answer.body else None
    return Said(answer.status, fields, _checked(message))


def _checked(message: Any) -> Any:
    """Errors are of the schema's shape; an id that is there is one that a request may have."""
    if isinstance(message, dict) and "error" in message and "jsonrpc" in message:
        JSONRPCError.model_validate({"id": None, **message})  # its type has null where the schema has nothing
        assert type(message["error"]["code"]) is int
        assert type(message.get("id", 0)) in {int, str}
    return message


async def _messages(frames: Frames, content_type: str) -> list[dict[str, Any]]:
    try:
        written = b"".join([frame async for frame in frames]).decode()
    finally:
        frames.close()
    if content_type == "application/json":
        return [json.loads(written)]
    return [json.loads(line[6:]) for line in written.splitlines() if line.startswith("data: ")]


@asynccontextmanager
async def stage(**settings: Any) -> AsyncIterator[Stage]:
    """A stage, drained at the end."""
    made = Stage(**settings)
    try:
        yield made
    finally:
        await stop(made.runs, drain=made.endpoint.drain)
