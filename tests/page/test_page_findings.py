"""Findings as cards while they arrive, each with its chart, its table and its SQL; charts that everybody can read."""

from __future__ import annotations

import pytest
from kind_tools import FINDINGS, bell
from page_visitor import BY_ONE_DOOR, Site, Visitor, phase, run
from playwright.async_api import Locator, Page, expect

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session"), BY_ONE_DOOR]


async def analyze(page: Page) -> None:
    """Start the analysis whose findings are let go one by one."""
    await page.locator("#tool").select_option("analyze")
    await page.locator('[data-name="on_demand"] input').check()
    await page.locator("#start").click()


def found(page: Page, title: str) -> Locator:
    """One finding."""
    return page.locator(".finding").filter(has_text=title)


def card(page: Page, column: str) -> Locator:
    """What was found of one column."""
    return page.locator(".card").filter(has=page.get_by_role("heading", name=column, exact=True))


async def test_each_finding_is_drawn_as_it_arrives_and_the_result_has_them_once(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await analyze(page)
    for count, finding in enumerate(FINDINGS, 1):
        site.stage.release()
        await expect(page.locator("#arrived .finding")).to_have_count(count)
        await expect(page.locator("#newest")).to_have_text(finding["title"])
    site.stage.release()
    await phase(page, "done")
    await expect(page.locator("#outcome-body .finding")).to_have_count(len(FINDINGS))
    await expect(page.locator(".finding")).to_have_count(len(FINDINGS))
    await expect(page.locator("#arrived-section")).to_be_hidden()
    await expect(page.locator("#outcome-body .report .lead")).to_have_text(
        "orders.csv · 12,000 rows · 6 columns · 9 findings"
    )
    await page.get_by_text("The same in words").click()
    await expect(page.locator("#outcome-body .contents")).to_contain_text("A quarter of `note` has no value.")


async def test_findings_of_one_column_share_a_card_with_its_chart(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "analyze")
    await phase(page, "done")
    heads = page.locator(".card h4")
    await expect(heads).to_have_text(["note", "customer", "total", "ordered_at"])
    kickers = card(page, "total").locator(".finding .kicker")
    assert await kickers.all_inner_texts() == ["Range", "Histogram", "Outliers"]
    await expect(card(page, "total").locator("svg")).to_have_count(1)
    rows = card(page, "customer").locator(".rows tbody tr")
    await expect(rows).to_have_count(0)  # of one column they are behind a line
    await card(page, "customer").get_by_text("3 rows").click()
    await expect(rows).to_have_count(3)
    await expect(found(page, "6 columns").locator(".rows tbody tr")).to_have_count(3)  # of all they are in sight


async def test_a_chart_says_what_it_shows_and_is_there_as_a_table(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "analyze")
    await phase(page, "done")
    chart = page.get_by_role("img", name="Histogram of total")
    await expect(chart).to_be_visible()
    described = await chart.evaluate("(svg) => svg.querySelector('desc').textContent")
    counts = bell("total")["counts"]
    assert described == f"From 0.5 to 1000 in 20 ranges. Most values, {max(counts)}, are from 300.4 to 350.3."
    bars = await chart.locator("rect").evaluate_all("(bars) => bars.map((bar) => Number(bar.getAttribute('height')))")
    assert len(bars) == sum(count > 0 for count in counts)  # of an empty range nothing is drawn
    assert max(bars) == 96  # the peak has all of the height, and what is hardly anything is to be seen
    assert min(bars) >= 2
    figure = card(page, "total").locator("figure")
    await figure.locator("summary").click()
    rows = figure.get_by_role("table").locator("tbody tr")
    await expect(rows.locator("td:last-child")).to_have_text([str(count) for count in counts])
    assert await rows.first.locator("td").all_inner_texts() == ["0.5", "50.48", str(counts[0])]
    dates = card(page, "ordered_at").locator(".axis")
    await expect(dates).to_have_text("Jan 1, 2026Jan 21, 2026")


async def test_the_sql_behind_a_finding_is_opened_and_copied(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url, permissions=["clipboard-read", "clipboard-write"])
    await run(page, "analyze")
    await phase(page, "done")
    nulls = found(page, "note has no value")
    await expect(nulls).to_contain_text("Nulls")
    await nulls.get_by_text("SQL", exact=True).click()
    await expect(nulls.locator("pre")).to_have_text("SELECT count(*) FROM orders WHERE note IS NULL")
    await nulls.get_by_role("button", name="Copy the SQL").click()
    await expect(nulls.get_by_text("Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == "SELECT count(*) FROM orders WHERE note IS NULL"


async def test_findings_are_filtered_by_what_they_are_about(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "analyze")
    await phase(page, "done")
    chips = page.get_by_role("group", name="Show only").get_by_role("button")
    assert "Histogram 2" in await chips.all_inner_texts()
    await chips.filter(has_text="Histogram").click()
    await expect(page.locator(".finding:visible")).to_have_count(2)
    await expect(page.locator(".card:visible")).to_have_count(2)  # a card without any of them is not there
    await expect(chips.filter(has_text="Histogram")).to_have_attribute("aria-pressed", "true")
    await chips.filter(has_text="Histogram").click()
    await expect(page.locator(".finding:visible")).to_have_count(len(FINDINGS))


async def test_more_findings_than_a_page_should_draw_are_counted(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "analyze", beyond="600")
    await phase(page, "done")
    await expect(page.locator(".finding")).to_have_count(500)
    await expect(page.locator("#outcome-body")).to_contain_text(f"{len(FINDINGS) + 600} findings")
    await expect(page.locator("#outcome-body")).to_contain_text(f"and {len(FINDINGS) + 100} more")


async def test_charts_and_tables_within_a_result_of_its_own_are_drawn(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "parts_of_kinds")
    await phase(page, "done")
    rows = page.locator("#outcome-body > .report > dl > div")
    await expect(rows.locator("dt").first).to_have_text("Of")
    await expect(rows.nth(1).get_by_role("img", name="Histogram of total")).to_be_visible()
    await expect(rows.nth(2).locator(".rows tbody tr")).to_have_count(3)
    await expect(rows.nth(3).get_by_role("img")).to_have_count(2)
