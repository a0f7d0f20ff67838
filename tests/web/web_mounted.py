"""Our routes in a host, driven in memory: who calls stands in a header field, as a host's sign-in would find it.

Not a test; no test's expectations belong here.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from web_asgi import Client, Exchange

JSON = (b"content-type", b"application/json")
BOTH = (b"accept", b"application/json, text/event-stream")
STREAM = (b"accept", b"text/event-stream")
META = "io.modelcontextprotocol/"
STATELESS = "2026-07-28"
SESSIONS = "2025-11-25"

Fields = tuple[tuple[bytes, bytes], ...]


def signed_in(scope: Mapping[str, Any]) -> str | None:
    """The host's sign-in: the caller is who the field says; nobody without one."""
    return dict(scope["headers"]).get(b"x-user", b"").decode() or None


def user(name: str) -> Fields:
    return ((b"x-user", name.encode()),) if name else ()


class Caller:
    """Calls as one user, below a prefix."""

    def __init__(self, app: Any, name: str = "", prefix: str = "/tools") -> None:
        self.client = Client(app)
        self.fields = user(name)
        self.prefix = prefix

    def open(self, method: str, target: str, *fields: tuple[bytes, bytes], body: bytes | None = b"") -> Exchange:
        return self.client.open(method, self.prefix + target, (*self.fields, *fields), body=body)

    async def ask(self, method: str, target: str, *fields: tuple[bytes, bytes], body: Any = None) -> Exchange:
        """One request, to its end; a body that is not None is sent as JSON."""
        if body is None:
            return await self.open(method, target, *fields).rest()
        return await self.open(method, target, JSON, *fields, body=json.dumps(body).encode()).rest()

    async def stateless(self, method: str, params: dict[str, Any], **capabilities: Any) -> dict[str, Any]:
        """A request of MCP 2026-07-28; its response."""
        meta = {f"{META}protocolVersion": STATELESS, f"{META}clientCapabilities": capabilities}
        fields = [BOTH, (b"mcp-protocol-version", STATELESS.encode()), (b"mcp-method", method.encode())]
        if name := params.get("name") or params.get("taskId") or params.get("uri"):
            fields.append((b"mcp-name", name.encode()))
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
        return response(await self.ask("POST", "/mcp", *fields, body=message))

    async def initialize(self) -> str:
        """Open a session of MCP 2025-11-25; its id."""
        params = {"protocolVersion": SESSIONS, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        session = (await self.ask("POST", "/mcp", BOTH, body=message)).field("mcp-session-id")
        assert session is not None
        return session

    async def in_session(self, session: str, method: str, **params: Any) -> Exchange:
        """A request of the session."""
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return await self.ask("POST", "/mcp", BOTH, (b"mcp-session-id", session.encode()), body=message)


def response(exchange: Exchange) -> dict[str, Any]:
    """The JSON-RPC response, whether it came as JSON or as the last event of a stream."""
    found: dict[str, Any] = exchange.wire.messages[-1] if exchange.wire.events else json.loads(exchange.body)
    return found


def error_of(exchange: Exchange) -> dict[str, Any]:
    """The error object of a plain answer."""
    error: dict[str, Any] = json.loads(exchange.body)["error"]
    return error


@asynccontextmanager
async def stopped_after(app: Any) -> AsyncIterator[Any]:
    """What `asgi_app` returns, shut down after the block."""
    try:
        yield app
    finally:
        await app.shutdown()
