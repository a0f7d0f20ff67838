"""The browser's own EventSource, whose script never closes it: how it ends when its server is replaced."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from page_visitor import PATIENCE_MS, Site, Visitor, replaceable
from playwright.async_api import Page

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]

LISTEN = """(url) => {
  window.seen = [];
  window.source = new EventSource(url);
  window.source.onmessage = ({ data }) => {
    const { type, error } = JSON.parse(data);
    window.seen.push(error?.code ?? type);
  };
  window.until = async (condition) => {
    while (!condition()) await new Promise((resume) => setTimeout(resume, 20));
  };
}"""
SECONDS = PATIENCE_MS / 1000

WALK = "/api/v1/mcp/sse?tool=walk&count=2"


async def seen(page: Page, least: int) -> list[Any]:
    """The types of the events, and the codes of errors, once there are so many."""
    async with asyncio.timeout(SECONDS):
        await page.evaluate("(least) => window.until(() => window.seen.length >= least)", least)
    return list(await page.evaluate("window.seen"))


async def closed(page: Page) -> None:
    """Wait until it has given up coming back."""
    async with asyncio.timeout(SECONDS):
        await page.evaluate("window.until(() => window.source.readyState === EventSource.CLOSED)")


@pytest.mark.parametrize("read_to_the_end", [False, True], ids=["cut", "read to the end"])
async def test_it_is_told_once_that_its_run_is_lost_and_nothing_where_it_has_read_to_the_end(
    site: Site, visitor: Visitor, lane: bool, read_to_the_end: bool
) -> None:
    async with replaceable(site, lane) as (proxy, other):
        page = await visitor.open(f"https://127.0.0.1:{proxy.port}")
        await page.evaluate(LISTEN, WALK)
        site.stage.release(1)
        assert await seen(page, 3) == ["started", "log", "progress"]
        whole = ["started", "log", "progress", "log", "progress", "complete"]
        proxy.target = other.server.tls_port  # as after a crash: what comes next comes to another process
        if read_to_the_end:
            site.stage.release(2)
            assert await seen(page, 6) == whole
        proxy.cut()
        await closed(page)
        assert await page.evaluate("window.seen") == (whole if read_to_the_end else [*whole[:3], "unknown_run"])
        assert (site.stage.begun, other.stage.begun) == (1, 0)
    visitor.forgive("net::ERR_", "Failed to load resource")
