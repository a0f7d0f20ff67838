"""A result as people read it: a judgement with its findings, like objects as a table, names, numbers and times."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from page_visitor import BY_ONE_DOOR, Site, Visitor, phase, run
from playwright.async_api import LocatorAssertions, Page, expect

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session"), BY_ONE_DOOR]


def found(page: Page) -> LocatorAssertions:
    """The messages of the findings that are to be seen, in their order; waited for, as a click is drawn later."""
    return expect(page.locator("#outcome-body .found > li:visible strong"))


async def test_a_judgement_has_its_grade_as_a_badge_and_its_findings_open_by_weight(
    site: Site, visitor: Visitor
) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "report")
    await phase(page, "done")
    grade = page.get_by_role("img", name="Grade E")
    await expect(grade).to_have_text("E")
    box = await grade.bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == (64, 64)
    await expect(grade).to_have_attribute("data-tone", "bad")
    await expect(page.locator("#outcome-body .verdict")).to_contain_text("plain HTTP does not lead to HTTPS")
    await expect(page.locator("#outcome-body .verdict")).to_contain_text("Score 45 of 100")  # of: by the output schema
    await expect(page.locator("#phase")).to_have_text("Done · E")
    await expect(page.locator("#phase")).to_have_attribute("data-tone", "bad")
    heavy = [
        "Plain HTTP does not lead to HTTPS.", "HSTS lasts less than 180 days.", "No Content-Security-Policy.",
        "No CAA record.",
    ]  # fmt: skip
    await found(page).to_have_text(heavy)  # what is wrong first, the heaviest of that; neither `ok` nor weight 0
    first = page.locator("#outcome-body .found > li").first
    await expect(first).to_contain_text("Redirect every request to https://")
    await expect(first).to_contain_text("redirects · weighs 15")
    await page.get_by_text("2 that are fine or weigh nothing").click()
    await found(page).to_have_text([*heavy, "No MX record.", "HSTS is on."])


async def test_findings_are_filtered_by_their_status(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "report")
    await phase(page, "done")
    chips = page.get_by_role("group", name="Show only").get_by_role("button")
    assert [text.split(" ", 1)[1] for text in await chips.all_inner_texts()] == ["1 fail", "2 warn", "2 info", "1 ok"]
    await chips.filter(has_text="info").click()
    await found(page).to_have_text(["No CAA record.", "No MX record."])
    await expect(chips.filter(has_text="info")).to_have_attribute("aria-pressed", "true")
    await chips.filter(has_text="info").click()
    await found(page).to_have_count(4)


async def test_a_status_is_a_sign_a_word_and_a_colour(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "report")
    await phase(page, "done")
    steps = page.locator("#steps > li")
    assert await steps.locator(".status").all_inner_texts() == ["✓ ok", "✗ fail", "\u2013 skipped"]
    edges = [await step.evaluate("(card) => getComputedStyle(card).borderLeftColor") for step in await steps.all()]
    assert len(set(edges)) == 3
    signs = [await sign.get_attribute("aria-hidden") for sign in await steps.locator(".sign").all()]
    assert signs == ["true"] * 3  # the word says it already


async def test_what_was_streamed_is_not_repeated_in_the_result(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "report")
    await phase(page, "done")
    await expect(page.locator("#outcome-body")).to_contain_text("Steps: the 3 that stand below")
    await expect(page.locator("#steps").get_by_text("2 addresses, 2 name servers")).to_have_count(1)
    await expect(page.locator("#outcome-body").get_by_text("2 addresses, 2 name servers")).to_have_count(0)


async def test_members_have_names_units_and_times_as_people_write_them(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url, timezone_id="Europe/Berlin", locale="en-GB")
    await run(page, "report")
    await phase(page, "done")
    rows = page.locator("#outcome-body .report > dl > div")
    shown = {await row.locator("dt").inner_text(): await row.locator("dd").inner_text() for row in await rows.all()}
    assert shown == {
        "Domain": "shop.example",
        "Days until it expires": "12",  # the output schema's title
        "Not before": "1 Mar 2026, 09:30",  # half past eight in UTC
        "Duration": "1.5 s",
        "Without a value": "Spf",
    }
    await expect(page.locator("#outcome-body time")).to_have_attribute("datetime", "2026-03-01T08:30:00Z")


async def test_like_objects_are_a_table_that_is_sorted_and_copied(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url, permissions=["clipboard-read", "clipboard-write"])
    await run(page, "orders", count="60")
    await phase(page, "done")
    table = page.locator("#outcome-body table")
    assert await table.locator("th").all_inner_texts() == ["ID", "Customer", "Total eur", "Paid"]
    await expect(table.locator("tbody tr")).to_have_count(50)
    await expect(page.locator("#outcome-body")).to_contain_text("60 rows · and 10 more")
    sides = [
        await cell.evaluate("(td) => getComputedStyle(td).textAlign")
        for cell in await table.locator("tr:nth-child(1) > td").all()
    ]
    assert sides == ["right", "left", "right", "left"]

    async def column(number: int) -> list[str]:
        return await table.locator(f"td:nth-child({number})").all_inner_texts()

    total = table.get_by_role("columnheader", name="Total eur")
    await total.get_by_role("button").click()
    await expect(total).to_have_attribute("aria-sort", "ascending")
    amounts = [float(text.replace(",", "")) for text in await column(3)]
    assert amounts == sorted(amounts)
    await total.get_by_role("button").click()
    await expect(total).to_have_attribute("aria-sort", "descending")
    assert (await column(3))[0] == "10,005.0"  # and all of the column as it: grouped, with one decimal
    await total.get_by_role("button").click()
    assert (await column(1))[:2] == ["10000", "10001"]
    await page.get_by_role("button", name="Copy CSV").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = list(csv.reader(io.StringIO(await page.evaluate("navigator.clipboard.readText()"))))
    assert len(copied) == 61
    assert copied[:3] == [
        ["id", "customer", "total_eur", "paid"],
        ["10000", "Ada", "0", "true"],
        ["10001", "'=1+1", "4002", "false"],
    ]  # fmt: skip - and no spreadsheet takes a customer's name for a formula
    assert copied[3][1] == 'Grace "G"'


async def test_of_a_few_objects_with_a_table_each_the_tables_are_in_sight(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "catalogue")
    await phase(page, "done")
    items = page.locator("#outcome-body .items > li")
    assert await items.locator("p").all_inner_texts() == ["shop 0", "City: Berlin", "shop 1", "City: Berlin"]
    assert await items.first.locator("tbody tr").all_inner_texts() == ["tea\t3", "milk\t0"]
    await run(page, "catalogue", shops="6")
    await phase(page, "done")
    await expect(page.locator("#outcome-body .items table")).to_have_count(0)
    await page.locator("#outcome-body .items").get_by_text("Goods").first.click()
    await expect(page.locator("#outcome-body .items table")).to_have_count(1)


WORDS: list[tuple[str, list[Any], Any]] = [
    ("label", ["days_left"], "Days left"),
    ("label", ["notBefore"], "Not before"),
    ("label", ["alt_svc_url"], "Alt svc URL"),
    ("label", ["content-type: x"], "content-type: x"),
    ("label", ["<b>"], "<b>"),
    ("nameOf", ["duration_ms", 5], "Duration"),
    ("nameOf", ["duration_ms", "5"], "Duration ms"),
    ("nameOf", ["bytes", 5], "Bytes"),
    ("amount", ["duration_ms", 1392], "1.4 s"),
    ("amount", ["port", 18443], "18443"),
    ("amount", ["samples", 2850000], "2,850,000"),
    ("amount", ["size_bytes", 46100], "46 kB"),
    ("number", [9999], "9999"),
    ("number", [1234567.125], "1,234,567.125"),
    ("number", [0.1], "0.1"),
    ("seconds", [0.35], "0.3 s"),
    ("seconds", [0.004], "4 ms"),
    ("seconds", [90], "90 s"),
    ("seconds", [1800], "30 min"),
    ("seconds", [5400], "1 h 30 min"),
    ("seconds", [3600 * 25], "1 d 1 h"),
    ("bytes", [1], "1 byte"),
    ("bytes", [1_500_000], "1.5 MB"),
    ("when", ["tomorrow"], None),
    ("when", ["2026-02-30T25:00:00Z"], None),
    ("when", ["2026-03-01"], "Mar 1, 2026"),
    ("plural", [1, "redirect"], "1 redirect"),
    ("plural", [2, "redirect"], "2 redirects"),
    ("sentence", ["how many darts"], "how many darts."),
    ("sentence", ["Really?"], "Really?"),
    ("share", [3, 4], "3 of 4"),
    ("share", [45, 100], "45 %"),
    ("share", [0.25, 1], "25 %"),
    ("share", [2850000, 25000000], "11 % · 2,850,000 of 25,000,000"),
    ("share", [7, None], "7"),
]


async def test_numbers_times_and_names_are_written_as_people_write_them(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = "async ([name, given]) => (await import('/page/words.js'))[name](...given)"
    for name, given, expected in WORDS:
        assert await page.evaluate(script, [name, given]) == expected, (name, given)
