"""The example of what the page draws, as its page of documentation has it."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from live_server import serving
from page_visitor import BY_ONE_DOOR, Visitor, phase, run
from playwright.async_api import expect

from mcp_app import Settings, create_app

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session"), BY_ONE_DOOR]

EXAMPLE = Path(__file__).parents[2] / "examples/weather.py"


async def test_rows_and_findings_of_the_example_are_drawn(visitor: Visitor, lane: bool) -> None:
    names = runpy.run_path(str(EXAMPLE))
    async with serving(create_app(Settings(), [names["readings"], names["climate"]], lane=lane)) as server:
        page = await visitor.open(server.tls_url)
        await run(page, "readings")
        await phase(page, "done")
        said = page.locator("#outcome-body .rows .under .hint")
        await expect(said).to_contain_text("168 rows")
        await expect(said).to_contain_text("68 rows are left out of the result.")
        sixth = page.locator("#outcome-body .rows tbody tr").nth(5)
        assert await sixth.locator("td").all_inner_texts() == ["2026-05-01T05:00:00", "NULL", "clear"]
        await run(page, "climate")
        await phase(page, "done")
        await expect(page.locator("#outcome-body .finding")).to_have_count(2)
        await expect(page.get_by_role("img", name="Histogram of celsius")).to_be_visible()
