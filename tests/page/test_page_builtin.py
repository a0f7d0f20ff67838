"""The tools that ship, on the data that ships, as the page draws them: a query, an analysis, a workflow of both."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from live_server import LiveServer, serving
from page_visitor import BY_ONE_DOOR, Visitor, phase
from playwright.async_api import Page, expect

from mcp_app import Settings, create_app
from mcp_app.builtin import TOOLS

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session"), BY_ONE_DOOR]

STEPS = [
    {"id": "countries", "tool": "query_database", "params": {
        "sql": "select country, count(*) as customers from customers group by country order by 2 desc"}},
    {"id": "orders", "tool": "query_database", "params": {"sql": "select * from orders"}, "needs": ["countries"]},
    {"id": "profile", "tool": "analyze_dataset", "params": {"path": "customers.csv"}, "needs": ["countries"]},
    {"id": "broken", "tool": "query_database", "params": {"sql": "select * from nothing"}, "on_error": "continue"},
]  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def shipped(lane: bool) -> AsyncIterator[LiveServer]:
    async with serving(create_app(Settings(), TOOLS, lane=lane)) as server:
        yield server


async def call(page: Page, tool: str, **params: Any) -> None:
    await page.locator("#tool").select_option(tool)
    await page.get_by_role("button", name="Edit as JSON").click()
    await page.locator("#fields textarea").fill(json.dumps(params))
    await page.locator("#start").click()


async def test_a_query_fills_a_table(shipped: LiveServer, visitor: Visitor) -> None:
    page = await visitor.open(shipped.tls_url)
    await call(page, "query_database", sql="select order_id, total, rating from orders order by order_id")
    await phase(page, "done")
    await expect(page.locator("#outcome-body .rows .under .hint")).to_contain_text("2000 rows")
    total = page.get_by_role("columnheader", name="total")
    await total.get_by_role("button").click()
    await total.get_by_role("button").click()
    cells = page.locator("#outcome-body .rows tbody tr:not(.room) td:nth-of-type(2)")
    await expect(cells.first).to_have_text("6235.00")
    amounts = [float(text) for text in await cells.all_inner_texts()]
    assert amounts == sorted(amounts, reverse=True)


async def test_rows_of_duckdb_come_from_a_process_and_fill_the_same_table(
    visitor: Visitor, lane: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect(str(tmp_path / "lake.duckdb")) as made:
        made.execute("create table numbers as select i as n, [i, i + 1] as both from range(3000) r(i)")
    monkeypatch.setenv("MCP_APP_DATABASES", f"lake=duckdb:///{tmp_path}/lake.duckdb")
    async with serving(create_app(Settings(), TOOLS, lane=lane)) as server:
        page = await visitor.open(server.tls_url)
        await call(page, "query_database", sql="select * from numbers order by n")
        await phase(page, "done")
        await expect(page.locator("#outcome-body .rows .under .hint")).to_contain_text("3000 rows")
        first = page.locator("#outcome-body .rows tbody tr").first
        assert await first.locator("td").all_inner_texts() == ["0", "[0,1]"]
        await expect(page.locator("table:visible")).to_have_count(1)
        await expect(page.locator("#tree-section")).to_be_hidden()


async def test_an_analysis_is_cards_with_charts(shipped: LiveServer, visitor: Visitor) -> None:
    page = await visitor.open(shipped.tls_url)
    await call(page, "analyze_dataset", path="orders.csv")
    await phase(page, "done")
    await expect(page.locator("#outcome-body .lead").first).to_contain_text("orders.csv · 2008 rows · 12 columns")
    await expect(page.get_by_role("img", name="Histogram of total")).to_be_visible()
    await expect(page.get_by_role("heading", name="distance_km", exact=True)).to_have_count(1)
    assert await page.locator(".finding").count() > 30
    await expect(page.locator("#arrived-section")).to_be_hidden()


async def test_a_workflow_has_a_tree_and_the_result_of_each_step(shipped: LiveServer, visitor: Visitor) -> None:
    page = await visitor.open(shipped.tls_url)
    await call(page, "run_workflow", steps=STEPS)
    await phase(page, "done")
    names = page.locator("#tree > li > .node .node-name")
    told = sorted(" ".join(text.split()) for text in await names.all_inner_texts())
    assert told == ["broken failed", "countries ok", "orders ok", "profile ok"]
    steps = page.locator("#outcome-body .flow-step")
    await expect(steps.nth(0).locator(".rows tbody tr")).to_have_count(11)
    await expect(steps.nth(1).locator(".rows .under .hint")).to_contain_text("2000 rows")
    await expect(steps.nth(2).get_by_role("img").first).to_be_visible()
    await expect(steps.nth(3).locator(".error")).to_be_visible()
    await expect(page.locator("#arrived-section")).to_be_hidden()
