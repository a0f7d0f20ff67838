"""Tools that come and go while the server runs: every list shows what there is, and only that can be called."""

from __future__ import annotations

import json
from typing import Any

from mcp_app import Registry, Settings, create_app, tool

SSE = "/api/v1/mcp/sse"


@tool(read_only=True)
def stays() -> int:
    """It stays."""
    return 1


@tool(read_only=True)
def comes() -> int:
    """It comes and goes."""
    return 2


async def test_what_is_offered_is_what_there_is_now() -> None:
    tools = Registry([stays])
    app = create_app(Settings(), tools)
    async with app.test_app() as running:
        client = running.test_client()

        async def named(path: str) -> Any:
            answer = await client.get(path)
            assert answer.status_code == 200
            return [each["name"] for each in json.loads(await answer.get_data())["tools"]], answer.headers.get("ETag")

        async def call() -> int:
            answer = await client.post(SSE, json={"tool": "comes"}, headers={"Accept": "application/json"})
            return int(answer.status_code)

        card = "/.well-known/mcp/server-card.json"
        before = await named(card)
        assert before[0] == ["stays"]
        assert await call() == 404

        tools.add(comes)
        assert (await named("/api/v1/mcp/tools"))[0] == (await named(card))[0] == ["stays", "comes"]
        assert (await named(card))[1] != before[1]
        assert await call() == 200

        tools.remove(comes)
        assert await named(card) == before
        assert await call() == 404


def test_an_empty_registry_is_the_one_that_is_served() -> None:
    tools = Registry()
    app = create_app(Settings(), tools)
    assert app.extensions["mcp_app"].registry is tools
