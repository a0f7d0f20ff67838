"""What the page's tests hold in their hands: the site being served, and a visitor who opens it in Chromium.

Not a test; no test's expectations belong here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from cut_proxy import Proxy, proxying
from live_server import LiveServer, serving
from page_tools import Stage, tools
from playwright.async_api import Browser, Page, expect
from quart import Quart

from mcp_app import Settings, create_app

# Headless, and silent: none of Chromium's own traffic, and no HTTP/3 that a test for HTTP/2 would not see.
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

BY_ONE_DOOR = pytest.mark.parametrize("lane", [True], indirect=True, ids=["lane"])
"""For tests of what the page draws: that is the same by the lane and by Quart, whose answers others compare."""

PATIENCE_MS = 20_000
"""For anything to be seen; two cores are shared with other tests."""

expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Site:
    """The application being served, and the stage its tools stand on."""

    server: LiveServer
    stage: Stage


@asynccontextmanager
async def replaceable(site: Site, lane: bool) -> AsyncIterator[tuple[Proxy, Site]]:
    """A proxy in front of the site, and another site, which knows none of its runs, to turn it to."""
    stage = Stage()
    async with (
        serving(create_app(Settings(), tools(stage), lane=lane)) as server,
        proxying(site.server.tls_port) as proxy,
    ):
        yield proxy, Site(server, stage)


@asynccontextmanager
async def foreign() -> AsyncIterator[str]:
    """The origin of a site that is not ours, with an empty page: all that we answer has a policy, under which a page
    calls nobody. A browser lets none but a site on this machine call this machine."""
    app = Quart("foreign")

    @app.get("/")
    async def empty() -> str:
        return "<!doctype html>"

    async with serving(app) as server:
        yield server.url


@dataclass
class Visitor:
    """Opens pages and keeps what the browser complains of."""

    browser: Browser
    complaints: list[str] = field(default_factory=list)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def open(self, url: str, *, until: str = '#start[aria-disabled="false"]', **context: Any) -> Page:
        """Open `url` in a context of its own and wait until the page has its tools, or shows what is named."""
        settings = {"ignore_https_errors": True, "viewport": {"width": 1280, "height": 900}} | context
        page = await (await self.browser.new_context(**settings)).new_page()
        page.set_default_timeout(PATIENCE_MS)
        self.stack.push_async_callback(page.context.close)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("console", lambda said: said.type in ("error", "warning") and self.complaints.append(said.text))
        await page.goto(url)
        await expect(page.locator(until)).to_be_attached()
        return page

    def forgive(self, *words: str) -> None:
        """Take the complaints that contain one of `words` out: the test has brought them about."""
        self.complaints[:] = [said for said in self.complaints if not any(word in said for word in words)]


async def run(page: Page, tool: str, **params: str) -> None:
    """Choose the tool, fill its controls in, and press Run."""
    await page.locator("#tool").select_option(tool)
    for name, text in params.items():
        await page.locator(f'[data-name="{name}"]').locator("input, textarea").fill(text)
    await page.locator("#start").click()


async def phase(page: Page, name: str) -> None:
    """Wait until the run is in this phase: starting, running, done, failed or cancelled."""
    await expect(page.locator("#run")).to_have_attribute("data-phase", name)


async def pull(page: Page) -> None:
    """Open the facts about the connection, and press the button among them."""
    if await page.locator("#wire").get_attribute("open") is None:
        await page.locator("#wire summary").click()
    await page.get_by_role("button", name="Pull the connection").click()
