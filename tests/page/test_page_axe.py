"""The page in each of its states, narrow and wide, light and dark, judged by axe-core."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from page_visitor import BY_ONE_DOOR, Site, Visitor, phase, run
from playwright.async_api import Page

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session"), BY_ONE_DOOR]


async def at_rest(page: Page) -> None:
    await page.get_by_role("button", name="Connect a client").click()


async def with_a_form(page: Page) -> None:
    await page.locator("#tool").select_option("greet")
    await page.locator("#start").click()  # with what is missing, said beside the fields


async def with_report(page: Page) -> None:
    await run(page, "report")
    await phase(page, "done")
    await page.locator("#outcome-body .fold summary").first.click()
    await page.locator("#wire summary").click()


async def with_table(page: Page) -> None:
    await run(page, "orders")
    await phase(page, "done")


async def with_content(page: Page) -> None:
    await run(page, "media")
    await phase(page, "done")


async def with_markdown(page: Page) -> None:
    await run(page, "notes")
    await phase(page, "done")


async def with_error(page: Page) -> None:
    await run(page, "fails")
    await phase(page, "failed")
    await page.locator("#tool").select_option("walk")


STATES = [at_rest, with_a_form, with_report, with_table, with_content, with_markdown, with_error]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
async def test_axe_finds_nothing_wrong(site: Site, visitor: Visitor, scheme: str, width: int) -> None:
    """WCAG 2.2 AA and axe's best practices, in each state of the page."""
    spec = importlib.util.find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        pytest.skip("axe-playwright-python is not installed: it is in the group dev")
    source = (Path(spec.origin).parent / "axe.min.js").read_text()
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    for state in STATES:
        page = await visitor.open(
            site.server.tls_url, color_scheme=scheme, reduced_motion="reduce", viewport={"width": width, "height": 900}
        )
        await state(page)
        found = await page.evaluate(f"{source}\n;axe.run({json.dumps(options)})")
        violations = {one["id"]: [node["html"] for node in one["nodes"]] for one in found["violations"]}
        assert violations == {}, state.__name__
        assert found["passes"], "axe has looked at nothing"
        await page.close()
