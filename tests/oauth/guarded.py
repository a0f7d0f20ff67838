"""A server of ours that takes the tokens of a test's own issuer, asked with plain values. Not a test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from closing import stop
from mcp_messages import INITIALIZE, META
from oauth_tokens import ISSUER, SERVER, Clock, Web

from mcp_app import Context, Registry, Settings, tool
from mcp_app.auth.authentication import Authentication
from mcp_app.auth.oauth.outlet import Outlet
from mcp_app.auth.oauth.resources import ProtectedResources
from mcp_app.auth.oauth.verifier import OAuth
from mcp_app.endpoint import Endpoint
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.manifest import load_manifest
from mcp_app.protocol.scopes import Hierarchy
from mcp_app.runs import Runs
from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer, Request

ENDPOINTS = ("/api/v1/mcp/sse", "/mcp", "/sse")
SECONDS = 20.0
REVISIONS: Mapping[str, tuple[Mapping[str, str], Mapping[str, Any]]] = {
    "2025-11-25": ({}, INITIALIZE),
    "2026-07-28": (
        {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list"},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}},
    ),
    "plain": ({}, {"tool": "whoami", "params": {}}),
}
"""A request of each revision that any caller may make: header fields and body."""


class Guarded:
    """The server; `ran` are the principals for whom its tool has worked."""

    def __init__(self, *, hierarchy: str = "") -> None:
        self.web, self.clock = Web(), Clock()
        self.ran: list[str] = []
        self.settings = Settings(public_url=SERVER, oauth_issuers=(ISSUER,), scopes=hierarchy)
        resources = ProtectedResources(SERVER, ENDPOINTS, [ISSUER], scopes=["read"], name="Tools")
        self.oauth = OAuth(
            resources,
            {ISSUER: ""},
            Outlet(self.web.transport),
            hierarchy=Hierarchy.read(self.settings.scopes),
            clock=self.clock,
            ticks=Clock(0.0),
        )
        log = MemoryLog()
        registry = Registry([self._whoami(), self._erase()])
        self.runs = Runs(self.settings, log, registry)
        authentication = Authentication(self.settings, [self.oauth])
        manifest = load_manifest(None)
        self.endpoint = Endpoint(self.settings, registry, manifest, self.runs, log, authentication=authentication)

    def _whoami(self) -> Any:
        @tool(read_only=True)
        def whoami(ctx: Context) -> dict[str, Any]:
            """Who calls."""
            self.ran.append(ctx.principal)
            return {"principal": ctx.principal, "scopes": sorted(ctx.scopes or ()), "claims": dict(ctx.claims)}

        return whoami

    def _erase(self) -> Any:
        @tool(scopes=["write", "delete"])
        def erase() -> str:
            """Erase everything."""
            self.ran.append("erase")
            return "erased"

        return erase

    async def ask(
        self,
        method: str = "POST",
        path: str = "/mcp",
        body: Any = None,
        *,
        token: str | None = None,
        query: bytes = b"",
        **headers: str,
    ) -> Answer:
        fields = {
            "host": "tools.test",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            **({} if token is None else {"authorization": f"Bearer {token}"}),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        request = Request(
            method,
            path,
            query=query,
            headers=fields,
            body=b"" if body is None else json.dumps(body).encode(),
            server=("192.0.2.1", 443),
            scheme="https",
        )
        answer = await asyncio.wait_for(self.endpoint.answer(request), SECONDS)
        if isinstance(answer.body, Frames):
            sent = b"".join([bytes(frame) async for frame in answer.body])
            return Answer(answer.status, answer.headers, sent)
        return answer

    async def whoami(self, token: str | None, **headers: str) -> Answer:
        """A call of the tool."""
        body = {"tool": "whoami", "params": {}}
        return await self.ask(path=ENDPOINTS[0], body=body, token=token, accept="application/json", **headers)


@asynccontextmanager
async def guarded(*, hierarchy: str = "") -> AsyncIterator[Guarded]:
    made = Guarded(hierarchy=hierarchy)
    try:
        yield made
    finally:
        await stop(made.runs, drain=made.runs.drain)
        await made.oauth.close()


def field(answer: Answer, name: str) -> str:
    """The value of a header field; "" without one."""
    return ", ".join(value for each, value in answer.headers if each.lower() == name)


def value(answer: Answer) -> Any:
    assert isinstance(answer.body, bytes)
    return json.loads(answer.body)
