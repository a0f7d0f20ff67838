"""subscriptions/listen over real sockets: HTTP/1.1 and HTTP/2, a client that leaves, and a server that is stopped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from listening_client import EVERYTHING, HEADERS, SECONDS, first, request, second
from live_server import LiveServer, client_tls, serving

from mcp_app import Registry, Settings, create_app

VERSIONS = ["HTTP/1.1", "HTTP/2"]


@asynccontextmanager
async def listening(server: LiveServer, version: str) -> AsyncIterator[AsyncIterator[str]]:
    """The lines of data of one subscription."""
    fields = {name: value for name, value in HEADERS.items() if name != "host"}
    secure = version == "HTTP/2"
    url = f"{server.tls_url if secure else server.url}/mcp"
    verify = client_tls() if secure else False
    async with (
        httpx.AsyncClient(http2=secure, http1=not secure, verify=verify, timeout=SECONDS) as client,
        client.stream("POST", url, headers=fields, json=request(EVERYTHING)) as answer,
    ):
        assert answer.status_code == 200
        assert answer.http_version == version
        yield (line.removeprefix("data: ") async for line in answer.aiter_lines() if line.startswith("data: "))


async def told(lines: AsyncIterator[str]) -> str:
    message = json.loads(await asyncio.wait_for(anext(lines), SECONDS))
    return str(message.get("method", "result"))


async def open_streams(server: LiveServer) -> int:
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{server.url}/metrics")).text
    return int(next(line for line in text.splitlines() if line.startswith("mcp_app_streams_open")).split()[1])


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_change_is_told_and_leaving_ends_it(version: str, lane: bool) -> None:
    tools = Registry([first])
    async with serving(create_app(Settings(heartbeat_seconds=1), tools, lane=lane)) as server:
        async with listening(server, version) as lines:
            assert await told(lines) == "notifications/subscriptions/acknowledged"
            tools.add(second)
            assert await told(lines) == "notifications/tools/list_changed"
            assert await open_streams(server) == 1
        async with asyncio.timeout(SECONDS):
            while await open_streams(server):  # noqa: ASYNC110 - only the server's own page knows
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_server_that_is_stopped_says_so(version: str, lane: bool) -> None:
    async with serving(create_app(Settings(), [first], lane=lane)) as server, listening(server, version) as lines:
        assert await told(lines) == "notifications/subscriptions/acknowledged"
        server.stop.set()
        assert await told(lines) == "result"
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(lines), SECONDS)
