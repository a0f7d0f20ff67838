"""A page of another origin, in a browser: what it may send when its origin is listed, and that it may nothing else."""

from __future__ import annotations

import pytest
from live_server import serving
from page_tools import Stage, tools
from page_visitor import foreign
from playwright.async_api import Browser

from mcp_app import Settings, create_app

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]

CALL = """([url, options]) => fetch(url, {
  method: "POST",
  body: '{"tool": "fails"}',
  ...options,
  headers: { "Content-Type": "application/json", Accept: "application/json", ...options.headers },
}).then(async (answer) => (await answer.json()).error.message, (error) => error.message)"""

FIELDS = {
    "Authorization": "Bearer x",
    "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "Tracestate": "a=b",
    "Baggage": "c=d",
    "X-Api-Key": "y",
    "X-Requested-With": "z",
}


@pytest.mark.parametrize(
    ("listed", "options", "said"),
    [
        (True, {"headers": FIELDS}, "The well is dry."),
        (True, {"credentials": "include"}, "Failed to fetch"),
        (False, {}, "Failed to fetch"),
    ],
    ids=["header fields", "cookies", "not listed"],
)
async def test_what_a_page_of_another_origin_may_send(
    browser: Browser, lane: bool, listed: bool, options: dict[str, object], said: str
) -> None:
    async with foreign() as origin, await browser.new_page() as page:
        settings = Settings(allowed_origins=origin if listed else "https://app.example")
        async with serving(create_app(settings, tools(Stage()), lane=lane)) as other:
            await page.goto(origin)
            assert await page.evaluate(CALL, [f"{other.url}/api/v1/mcp/sse", options]) == said
