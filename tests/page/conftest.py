"""A real Chromium, and the application served to it over h2 with tools that take their steps on demand.

All tests share one Chromium, whose start takes longer than most of them, and so one loop; each page is in a context of
its own, which knows nothing of the others.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest_asyncio
from kind_tools import kind_tools
from live_server import serving
from page_tools import Stage, tools
from page_visitor import ARGUMENTS, Site, Visitor
from playwright.async_api import Browser, async_playwright
from result_tools import result_tools

from mcp_app import Settings, create_app
from tests.conftest import ended_tasks

no_task_left = pytest_asyncio.fixture(ended_tasks, loop_scope="session", name="no_task_left")


@pytest_asyncio.fixture(loop_scope="session")
async def site(lane: bool) -> AsyncIterator[Site]:
    stage = Stage()
    async with serving(
        create_app(Settings(), [*tools(stage), *result_tools(), *kind_tools(stage)], lane=lane)
    ) as server:
        yield Site(server, stage)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser(program: Callable[[str], str]) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=program("chromium"), args=ARGUMENTS)
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser) -> AsyncIterator[Visitor]:
    """Whatever the browser complains of is a failure, unless the test has forgiven it."""
    one = Visitor(browser)
    async with one.stack:
        yield one
    assert one.complaints == []
