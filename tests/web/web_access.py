"""A server whose callers are known by a table of names: what each may do, until when, and whose was taken back.

Not a test; no test's expectations belong here.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from web_asgi import Exchange
from web_mounted import BOTH, STREAM, Caller, stopped_after

from mcp_app import Access, Request, Settings, Verifier, asgi_app, errors

EVENTS = "/api/v1/mcp/sse"
RUNS = "/api/v1/mcp/runs"
TOOLS = "/api/v1/mcp/tools"
TASKS = {"extensions": {"io.modelcontextprotocol/tasks": {}}}


class People(Verifier):
    """Whoever says a name of the table is that one."""

    def __init__(self, **people: Access) -> None:
        self.people = people
        self.gone: set[str] = set()

    def verify(self, request: Request) -> Access | None:
        name = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not name:
            return None
        if name not in self.people or self.people[name].credential in self.gone:
            raise errors.Unauthorized("No such caller.")
        return self.people[name]

    def revoked(self, access: Access) -> bool:
        return access.credential in self.gone


class Person(Caller):
    """Calls by a name of the table; by none without one."""

    def __init__(self, app: Any, name: str = "") -> None:
        super().__init__(app, name, prefix="")
        self.fields = ((b"authorization", f"Bearer {name}".encode()),) if name else ()

    async def plain(self, tool: str, accept: bytes = b"application/json", **params: Any) -> Exchange:
        return await self.ask("POST", EVENTS, (b"accept", accept), body={"tool": tool, "params": params})

    async def rpc(self, method: str, params: dict[str, Any], **capabilities: Any) -> Exchange:
        """A request of MCP 2026-07-28, as the exchange that it was."""
        said: list[Exchange] = []
        ask = self.ask

        async def kept(*args: Any, **more: Any) -> Exchange:
            said.append(await ask(*args, **more))
            return said[0]

        self.ask = kept  # type: ignore[method-assign]
        try:
            await self.stateless(method, params, **capabilities)
        finally:
            self.ask = ask  # type: ignore[method-assign]
        return said[0]

    async def opened(self, method: str, target: str, *fields: tuple[bytes, bytes], body: Any = None) -> Exchange:
        """An exchange whose stream goes on."""
        if body is None:
            exchange = self.open(method, target, STREAM, *fields)
        else:
            json_type = (b"content-type", b"application/json")
            exchange = self.open(method, target, json_type, *fields, body=json.dumps(body).encode())
        await exchange.receive()
        return exchange

    async def listening(self, session: str) -> Exchange:
        """The session's own stream."""
        return await self.opened("GET", "/mcp", (b"mcp-session-id", session.encode()))

    async def subscribed(self, **notifications: Any) -> Exchange:
        """A stream of subscriptions/listen, with its acknowledgement."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": TASKS,
        }
        message = {
            "jsonrpc": "2.0",
            "id": 7,
            "method": "subscriptions/listen",
            "params": {"notifications": notifications, "_meta": meta},
        }
        fields = (BOTH, (b"mcp-protocol-version", b"2026-07-28"), (b"mcp-method", b"subscriptions/listen"))
        return await self.opened("POST", "/mcp", *fields, body=message)


def fingerprint(exchange: Exchange, *ids: str) -> tuple[Any, ...]:
    """All that a caller can tell two answers apart by, without the ids that it has sent itself."""
    body = exchange.body.decode()
    for each in ids:
        body = body.replace(each, "#" * len(each))
    fields = sorted((name, value) for name, value in exchange.headers if name != "date")
    return exchange.status, fields, len(exchange.body), body


@asynccontextmanager
async def served(*offered: Any, people: Mapping[str, Access], **settings: Any) -> AsyncIterator[tuple[Any, People]]:
    known = People(**people)
    made = asgi_app(*offered, settings=Settings(**{"allow_anonymous": False, **settings}), verifiers=[known])
    async with stopped_after(made) as app:
        yield app, known
