"""Sessions over real sockets: streams that end when they should, clients that leave and come back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from legacy_client import BOTH, SECONDS, STREAM, call
from live_server import LiveServer, client_tls, serving

from mcp_app import Context, Registry, Settings, create_app, tool

VERSIONS = ["HTTP/1.1", "HTTP/2"]
INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "live", "version": "1"}}


class Gate:
    """A tool that says one word, and another when it is let."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.cancelled = asyncio.Event()

    def tools(self) -> Registry:
        @tool
        async def waits(ctx: Context) -> str:
            """Waits."""
            try:
                await ctx.progress(1, 2, "waiting")
                await self.open.wait()
                await ctx.progress(2, 2, "done")
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
            return "ok"

        return Registry([waits])


@asynccontextmanager
async def connected(server: LiveServer, version: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client at the endpoint's server."""
    secure = version == "HTTP/2"
    async with httpx.AsyncClient(
        base_url=server.tls_url if secure else server.url,
        http2=secure,
        http1=not secure,
        verify=client_tls() if secure else False,
        timeout=SECONDS,
        headers={"accept": BOTH},
    ) as client:
        yield client


async def session(client: httpx.AsyncClient) -> None:
    """Initialize, and name the session from now on."""
    answer = await client.post("/mcp", json=call("initialize", INITIALIZE))
    client.headers["mcp-session-id"] = answer.headers["mcp-session-id"]
    client.headers["mcp-protocol-version"] = answer.json()["result"]["protocolVersion"]
    told = await client.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert (told.status_code, told.content) == (202, b"")


async def field(lines: AsyncIterator[str], name: str) -> str:
    """The next value of that field that is not empty."""
    while True:
        line = await asyncio.wait_for(anext(lines), SECONDS)
        if line.startswith(f"{name}: ") and line != f"{name}: ":
            return line.removeprefix(f"{name}: ")


CALL = call("tools/call", {"name": "waits", "arguments": {}, "_meta": {"progressToken": "t"}}, 7)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_client_that_was_cut_comes_back_for_the_rest(version: str, lane: bool) -> None:
    gate = Gate()
    async with serving(create_app(Settings(), gate.tools(), lane=lane)) as server, connected(server, version) as client:
        await session(client)
        async with client.stream("POST", "/mcp", json=CALL) as answer:
            lines = answer.aiter_lines()
            await field(lines, "id")
            seen = await field(lines, "id")
            assert json.loads(await field(lines, "data"))["params"]["progress"] == 1
        gate.open.set()
        headers = {"accept": STREAM, "last-event-id": seen}
        async with client.stream("GET", "/mcp", headers=headers) as answer:
            lines = answer.aiter_lines()
            assert json.loads(await field(lines, "data"))["params"]["progress"] == 2
            assert json.loads(await field(lines, "data"))["id"] == 7
            assert [line async for line in lines if line] == []
        assert not gate.cancelled.is_set()


@pytest.mark.parametrize("version", VERSIONS)
async def test_delete_ends_the_streams_of_a_session(version: str, lane: bool) -> None:
    gate = Gate()
    async with serving(create_app(Settings(), gate.tools(), lane=lane)) as server, connected(server, version) as client:
        await session(client)
        async with client.stream("GET", "/mcp", headers={"accept": STREAM}) as own:
            lines = own.aiter_lines()
            await field(lines, "id")
            async with client.stream("POST", "/mcp", json=CALL) as answer:
                assert answer.http_version == version
                assert (await client.delete("/mcp")).status_code == 204
                assert b'"cancelled"' in await asyncio.wait_for(answer.aread(), SECONDS)
            assert [line async for line in lines if line.startswith("data: {")] == []
        await asyncio.wait_for(gate.cancelled.wait(), SECONDS)
        assert (await client.post("/mcp", json=call("ping"))).status_code == 404


@pytest.mark.parametrize("version", VERSIONS)
async def test_http_sse_and_leaving_it(version: str, lane: bool) -> None:
    gate = Gate()
    async with serving(create_app(Settings(heartbeat_seconds=1), gate.tools(), lane=lane)) as server:
        # It leaves with its whole connection: over HTTP/2 httpx resets no stream that it has closed.
        async with (
            connected(server, version) as client,
            client.stream("GET", "/api/v1/mcp/sse", headers={"accept": STREAM}) as stream,
        ):
            lines = stream.aiter_lines()
            address = await field(lines, "data")
            await posted(client, address, call("initialize", INITIALIZE))
            assert json.loads(await field(lines, "data"))["result"]["protocolVersion"] == "2025-11-25"
            await posted(client, address, CALL)
            assert json.loads(await field(lines, "data"))["params"]["progress"] == 1
        await asyncio.wait_for(gate.cancelled.wait(), SECONDS)
        async with connected(server, version) as client:
            assert (await client.post(address, json=call("ping"))).status_code == 404


async def posted(client: httpx.AsyncClient, address: str, message: Any) -> None:
    assert (await client.post(address, json=message)).status_code == 202


async def test_a_stopping_server_ends_the_streams_of_sessions(lane: bool) -> None:
    gate = Gate()
    async with (
        serving(create_app(Settings(), gate.tools(), lane=lane)) as server,
        connected(server, "HTTP/1.1") as client,
    ):
        await session(client)
        async with client.stream("GET", "/mcp", headers={"accept": STREAM}) as own:
            lines = own.aiter_lines()
            await field(lines, "id")
            async with client.stream("POST", "/mcp", json=CALL) as answer:
                server.stop.set()
                assert b'"shutdown"' in await asyncio.wait_for(answer.aread(), SECONDS)
            assert [line async for line in lines if line.startswith("data: {")] == []
