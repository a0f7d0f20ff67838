"""The page in each of its states, narrow and wide, light and dark, judged by axe-core."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from page_visitor import BY_ONE_DOOR, Site, Visitor, phase, run
from playwright.async_api import Page, expect

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


async def with_rows(page: Page) -> None:
    await run(page, "query", count="300", batch="100")
    await phase(page, "done")
    await page.get_by_role("columnheader", name="total").get_by_role("button").click()
    await page.locator(".nth button").nth(2).click()


async def with_findings(page: Page) -> None:
    await run(page, "analyze")
    await phase(page, "done")
    await page.locator(".card summary").first.click()
    await page.locator(".histogram summary").first.click()


STATES = [
    at_rest,
    with_a_form,
    with_report,
    with_table,
    with_content,
    with_markdown,
    with_error,
    with_rows,
    with_findings,
]
LOOKS = [pytest.mark.parametrize("scheme", ["light", "dark"]), pytest.mark.parametrize("width", [390, 1280])]


def in_each_look(test: Any) -> Any:
    for mark in LOOKS:
        test = mark(test)
    return test


async def opened(site: Site, visitor: Visitor, scheme: str, width: int) -> Page:
    return await visitor.open(
        site.server.tls_url, color_scheme=scheme, reduced_motion="reduce", viewport={"width": width, "height": 900}
    )


async def violations(page: Page) -> dict[str, list[str]]:
    """What breaks WCAG 2.2 AA and axe's best practices, as the page is now."""
    spec = importlib.util.find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        pytest.skip("axe-playwright-python is not installed: it is in the group dev")
    source = (Path(spec.origin).parent / "axe.min.js").read_text()
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    found = await page.evaluate(f"{source}\n;axe.run({json.dumps(options)})")
    assert found["passes"], "axe has looked at nothing"
    return {one["id"]: [node["html"] for node in one["nodes"]] for one in found["violations"]}


@in_each_look
async def test_axe_finds_nothing_wrong(site: Site, visitor: Visitor, scheme: str, width: int) -> None:
    for state in STATES:
        page = await opened(site, visitor, scheme, width)
        await state(page)
        assert await violations(page) == {}, state.__name__
        await page.close()


@in_each_look
async def test_axe_finds_nothing_wrong_in_a_workflow_at_work_and_when_it_is_done(
    site: Site, visitor: Visitor, scheme: str, width: int
) -> None:
    page = await opened(site, visitor, scheme, width)
    await run(page, "flow")
    site.stage.release(2)
    await expect(page.locator("#tree .node")).to_have_count(6)
    assert await violations(page) == {}
    site.stage.release()
    await phase(page, "done")
    assert await violations(page) == {}
