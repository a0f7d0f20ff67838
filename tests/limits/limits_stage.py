"""Asking an endpoint that limits its callers, without a socket: who asks, and from where. Not a test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from closing import stop

from mcp_app import Context, tool
from mcp_app.auth.authentication import Authentication
from mcp_app.auth.verifier import as_verifier
from mcp_app.authoring.tool import Registry, Tool
from mcp_app.config.limits import DEFAULTS, parse_rules
from mcp_app.config.settings import Settings
from mcp_app.endpoint import Endpoint
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.limits.charges import Charges
from mcp_app.manifest import load_manifest
from mcp_app.protocol.mcp.revisions import STATELESS
from mcp_app.runs import Runs
from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer, Request

EVENTS, RUNS, MCP = "/api/v1/mcp/sse", "/api/v1/mcp/runs", "/mcp"
SECONDS = 10.0
STRANGER = "192.0.2.1"


@tool(read_only=True)
async def echo(text: str) -> str:
    """Say it back."""
    return text


@tool
async def twice(ctx: Context, text: str) -> str:
    """Call echo two times."""
    return str(await ctx.call_json("echo", {"text": text})) + str(await ctx.call_json("echo", {"text": text}))


@tool(read_only=True)
async def hang() -> str:
    """Work until it is cancelled."""
    await asyncio.Event().wait()
    return "never"


class Limited:
    """An endpoint whose callers name themselves in X-Me, and whose clock of limits is `now`."""

    def __init__(self, limits: str = "", *, exposed: bool = False, tools: tuple[Tool, ...] = (), **more: Any) -> None:
        self.now = 0.0
        self.settings = Settings(limits=limits, allow_anonymous=True, **more)
        rules = parse_rules(limits, DEFAULTS if exposed else ())
        self.lines: list[str] = []
        self.charges = Charges(rules, lambda: self.now, self.lines.append)
        log, registry = MemoryLog(), Registry((echo, twice, hang, *tools))
        self.runs = Runs(self.settings, log, registry, charges=self.charges)
        who = as_verifier(lambda request: request.headers.get("x-me"))
        authentication = Authentication(self.settings, (who,))
        self.endpoint = Endpoint(
            *(self.settings, registry, load_manifest(None), self.runs, log),
            authentication=authentication,
            exposed=exposed,
        )
        self.opened: list[Frames] = []

    async def ask(
        self, method: str, target: str, value: Any = None, *, me: str | None = "anna", peer: str = STRANGER, **more: str
    ) -> Answer:
        """One request of `me`, from `peer`; further header fields have `_` for `-`."""
        path, _, query = target.partition("?")
        headers = {"host": "localhost", "content-type": "application/json"}
        headers |= {name.replace("_", "-"): text for name, text in more.items()}
        if me is not None:
            headers["x-me"] = me
        request = Request(
            method,
            path,
            query.encode(),
            headers,
            b"" if value is None else json.dumps(value).encode(),
            peer=peer,
        )
        answer = await asyncio.wait_for(self.endpoint.answer(request), SECONDS)
        if isinstance(answer.body, Frames):
            self.opened.append(answer.body)
        return answer

    async def call(self, name: str = "echo", params: dict[str, Any] | None = None, **more: Any) -> Answer:
        """A call by POST."""
        params = {"text": "x"} if params is None else params
        return await self.ask(
            "POST", EVENTS, {"tool": name, "params": params}, **({"accept": "application/json"} | more)
        )

    async def rpc(self, method: str, params: dict[str, Any] | None = None, *, id_: int = 7, **more: Any) -> Answer:
        """A request of MCP without sessions."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": STATELESS,
            "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        body = {"jsonrpc": "2.0", "id": id_, "method": method, "params": {**(params or {}), "_meta": meta}}
        fields = {
            "accept": "application/json, text/event-stream",
            "mcp_protocol_version": STATELESS,
            "mcp_method": method,
        }
        if params and "name" in params:
            fields["mcp_name"] = params["name"]
        return await self.ask("POST", MCP, body, **(fields | more))


@asynccontextmanager
async def limited(limits: str = "", **more: Any) -> AsyncIterator[Limited]:
    """It is drained in the end, and then nothing is charged any more."""
    made = Limited(limits, **more)
    try:
        yield made
    finally:
        await stop(made.runs, made.opened, drain=made.runs.drain)
    for counts in (*made.charges._concurrent, *made.charges._streams):
        assert not len(counts[1]), "something is charged after its end"


def error_of(answer: Answer) -> dict[str, Any]:
    """The error object, in whichever dialect."""
    assert isinstance(answer.body, bytes)
    error: dict[str, Any] = json.loads(answer.body)["error"]
    return dict(error.get("data", error))
