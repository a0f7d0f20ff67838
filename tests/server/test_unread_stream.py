"""An event stream over HTTP/2 whose client does not read it: it ends with its cap, and takes no other's place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from h2.errors import ErrorCodes
from live_server import client_tls, serving
from raw_h2 import raw_h2

from mcp_app import create_app, tool
from mcp_app.config.settings import Settings
from mcp_app.server.engine import http2_sending
from mcp_app.web.asgi import answer


@pytest.mark.parametrize("lane", [True, False], ids=["lane", "quart"])
@pytest.mark.parametrize("forever", [True, False], ids=["more than its window", "as much as its window"])
async def test_it_is_reset_after_the_cap(lane: bool, forever: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    @tool
    async def fill() -> AsyncIterator[str]:
        while True:
            yield "x" * 100_000
            if not forever:
                await asyncio.Event().wait()

    monkeypatch.setattr(answer, "BACKSTOP_SECONDS", 0.2)
    monkeypatch.setattr(http2_sending, "UNREAD_SECONDS", 0.2)
    async with (
        serving(create_app(Settings(), [fill], lane=lane)) as server,
        raw_h2(server.tls_port, client_tls()) as client,
    ):
        fields = {"content-type": "application/json", "accept": "text/event-stream"}
        number = await client.request("/api/v1/mcp/sse", "POST", end=False, **fields)
        client.h2.send_data(number, b'{"tool":"fill","cap_seconds":0.5}', end_stream=True)
        await client.flush()
        await client.until(lambda: client.reset_code(number) is not None, acknowledge=False, seconds=20)
        assert client.reset_code(number) == ErrorCodes.INTERNAL_ERROR
        again = await client.request("/healthz")
        await client.until(lambda: client.status(again) == 200, acknowledge=False)
