"""A real Chromium, and the application served to it over h2 with tools that take their steps on demand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from live_server import serving
from page_tools import Stage, tools
from page_visitor import ARGUMENTS, Site, Visitor
from playwright.async_api import Browser, async_playwright

from mcp_app import Settings, create_app


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    stage = Stage()
    async with serving(create_app(Settings(), tools(stage))) as server:
        yield Site(server, stage)


@pytest.fixture
async def browser(program: Callable[[str], str]) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=program("chromium"), args=ARGUMENTS)
        yield chromium
        await chromium.close()


@pytest.fixture
async def visitor(browser: Browser) -> AsyncIterator[Visitor]:
    """Whatever the browser complains of is a failure, unless the test has forgiven it."""
    one = Visitor(browser)
    async with one.stack:
        yield one
    assert one.complaints == []
