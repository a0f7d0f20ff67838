"""The page below a path of somebody else's application: it finds its files, its tools and its runs there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from live_server import serving
from page_tools import Stage, tools
from page_visitor import Visitor, phase, run
from playwright.async_api import expect
from quart import Quart

from mcp_app import asgi_app, blueprint

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]


def in_fastapi(stage: Stage) -> Any:
    mounted = asgi_app(*tools(stage))
    app = FastAPI(lifespan=mounted.lifespan)
    app.mount("/shop/tools", mounted)
    return app


def in_quart(stage: Stage) -> Any:
    app = Quart("shop")
    app.register_blueprint(blueprint(*tools(stage)), url_prefix="/shop/tools")
    return app


@pytest.mark.parametrize("host", [in_fastapi, in_quart])
async def test_a_tool_is_run_and_its_events_are_seen(visitor: Visitor, host: Callable[[Stage], Any]) -> None:
    stage = Stage()
    stage.release(3)
    async with serving(host(stage)) as server:
        page = await visitor.open(f"{server.tls_url}/shop/tools")  # which is sent to where the slash is
        assert page.url == f"{server.tls_url}/shop/tools/"
        await run(page, "walk", count="2")
        await phase(page, "done")
        await expect(page.locator("#messages > li")).to_have_count(2)
        await page.reload()  # the run is in the URL
        await phase(page, "done")
        await visitor.stack.aclose()
