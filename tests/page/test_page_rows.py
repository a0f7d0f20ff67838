"""Rows as a table: it fills while they stream, is sorted, opened, downloaded, and bounded."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from kind_tools import order
from page_tools import HOSTILE
from page_visitor import BY_ONE_DOOR, Site, Visitor, phase, run
from playwright.async_api import expect
from row_visits import RESULT, SO_FAR, column, head, query, said

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session"), BY_ONE_DOOR]


def read(path: Path) -> str:
    return path.read_bytes().decode()


async def test_the_table_fills_while_rows_stream_and_is_then_the_results(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await query(page)
    heads = page.locator(f"{SO_FAR} thead th")
    await expect(heads).to_have_text(
        [
            "Row",
            "id INTEGER",
            "customer TEXT",
            "total DECIMAL(12,2)",
            "amount NUMERIC",
            "note TEXT",
            "ordered_at TIMESTAMP",
        ]
    )
    for batch in (4, 8, 12):
        site.stage.release()
        await expect(said(page, SO_FAR)).to_have_text(f"{batch} rows so far")
        await expect(page.locator(f"{SO_FAR} tbody tr")).to_have_count(batch)
        await expect(page.locator("#newest")).to_have_text(f"{batch} rows")
    site.stage.release()
    await phase(page, "done")
    await expect(said(page)).to_have_text("12 rows")
    await expect(page.locator("table:visible")).to_have_count(1)  # the result is not drawn a second time
    await expect(page.locator("#arrived-section")).to_be_hidden()
    await expect(page.locator("#steps-section")).to_be_hidden()  # nor is a batch a card
    assert await column(page, 1) == [str(n + 1) for n in range(12)]


async def test_numbers_stand_below_each_other_and_nothing_is_not_an_empty_text(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "query")
    await phase(page, "done")
    cells = await page.locator(f"{RESULT} tbody tr").first.locator("td").all()
    sides = [await cell.evaluate("(td) => getComputedStyle(td).textAlign") for cell in cells]
    assert sides == ["right", "left", "right", "right", "left", "left"]
    assert (await column(page, 3))[:3] == ["0.00", "1979.75", "1457.75"]  # with as many decimals each
    notes = await column(page, 5)
    assert notes[:3] == ["NULL", "empty", "paid by card"]
    looks = [
        await page.locator(f"{RESULT} .{name}").first.evaluate("(one) => getComputedStyle(one).borderStyle")
        for name in ("null", "absent")
    ]
    assert looks == ["solid", "none"]


async def test_a_head_sorts_by_number_exactly_with_nothing_last(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "query", count="30", batch="30")
    await phase(page, "done")
    rows = [order(n) for n in range(30)]
    amount = head(page, "amount")
    await amount.get_by_role("button").press("Enter")
    await expect(amount).to_have_attribute("aria-sort", "ascending")
    exact = sorted((row[3] for row in rows), key=lambda text: (float(text) > 1e9, float(text), text))
    assert await column(page, 4) == exact  # integers of which doubles are equal among them
    await amount.get_by_role("button").press("Enter")
    await expect(amount).to_have_attribute("aria-sort", "descending")
    assert await column(page, 4) == exact[::-1]
    note = head(page, "note")
    await note.get_by_role("button").click()
    await expect(amount).not_to_have_attribute("aria-sort", "descending")
    assert (await column(page, 5))[-8:] == ["NULL"] * 8
    assert (await column(page, 5))[:8] == ["empty"] * 8
    await note.get_by_role("button").click()
    assert (await column(page, 5))[-8:] == ["NULL"] * 8
    await note.get_by_role("button").click()
    await expect(note).not_to_have_attribute("aria-sort", "descending")
    assert await column(page, 1) == [str(n + 1) for n in range(30)]


async def test_an_order_and_the_focus_stay_while_rows_arrive_and_when_the_result_does(
    site: Site, visitor: Visitor
) -> None:
    page = await visitor.open(site.server.tls_url)
    await query(page)
    site.stage.release()
    await expect(said(page, SO_FAR)).to_have_text("4 rows so far")
    button = head(page, "id").get_by_role("button")
    await button.click()
    await button.click()
    site.stage.release(3)
    await phase(page, "done")
    await expect(said(page)).to_have_text("12 rows")
    await expect(head(page, "id")).to_have_attribute("aria-sort", "descending")
    assert await column(page, 1) == [str(n) for n in range(12, 0, -1)]
    await expect(button).to_be_focused()


async def test_what_is_there_is_downloaded_as_csv_and_no_cell_is_a_formula(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url, accept_downloads=True)
    await run(page, "query", count="6")
    await phase(page, "done")
    await head(page, "id").get_by_role("button").click()
    await head(page, "id").get_by_role("button").click()
    async with page.expect_download() as begun:
        await page.get_by_role("button", name="Download CSV").click()
    download = await begun.value
    assert download.suggested_filename == "query.csv"
    text = read(await download.path())
    assert text.endswith("\r\n")
    names, *rows = csv.reader(io.StringIO(text, newline=""))
    assert names == ["id", "customer", "total", "amount", "note", "ordered_at"]
    assert [row[0] for row in rows] == ["6", "5", "4", "3", "2", "1"]  # in the order that is seen
    assert [row[1] for row in rows] == ["'-2+3", "Ünal Ö.", "Linus, T.", 'Grace "G" Hopper', "'=1+1", "Ada Lovelace"]
    assert [row[3] for row in rows] == [order(n)[3] for n in range(5, -1, -1)]  # a number in words is no formula
    assert rows[2][4] == "a gift, to be sent\nafter the 1st of May"
    lines = text.split("\r\n")
    assert ',"",' in lines[1]  # an empty text
    assert lines[6].split(",")[4] == ""  # nothing


async def test_a_row_is_opened_by_keyboard_and_shows_all_of_its_cells(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "query", count="200", batch="100")
    await phase(page, "done")
    await page.get_by_role("button", name="Row 1", exact=True).focus()
    for _ in range(3):
        await page.keyboard.press("ArrowDown")
    fourth = page.get_by_role("button", name="Row 4", exact=True)
    await expect(fourth).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(fourth).to_have_attribute("aria-expanded", "true")
    opened = page.get_by_role("region", name="Row 4")
    assert await opened.locator("dt").all_inner_texts() == ["id", "customer", "total", "amount", "note", "ordered_at"]
    assert (await opened.locator("dd").all_inner_texts())[4] == "a gift, to be sent\nafter the 1st of May"
    await page.keyboard.press("End")
    last = page.get_by_role("button", name="Row 200", exact=True)
    await expect(last).to_be_focused()
    await expect(last).to_be_in_viewport()
    await page.keyboard.press("Home")
    await expect(page.get_by_role("button", name="Row 1", exact=True)).to_be_focused()
    await opened.get_by_role("button", name="Close").click()
    await expect(page.locator(".opened")).to_be_hidden()
    assert await page.locator(".rows tbody [tabindex='0']").count() == 1  # all rows are one stop of Tab


async def test_what_a_tool_made_of_the_rows_of_a_step_is_not_taken_for_them(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "query_some")
    await phase(page, "done")
    await expect(said(page)).to_have_text("6 rows")
    ids = page.locator(f"{RESULT} tbody tr td:nth-of-type(1)")
    assert await ids.all_inner_texts() == ["2", "4", "6", "8", "10", "12"]
    await expect(page.locator("#arrived-heading")).to_have_text("Sent as well")
    await expect(said(page, SO_FAR)).to_have_text("12 rows")


async def test_a_list_or_an_object_in_a_cell_is_the_json_that_it_is(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = """async () => {
      const { tableOf } = await import("/page/tables.js");
      const rows = [[[1, null], { some_key: "x".repeat(90) }]];
      const table = tableOf({ columns: [{ name: "a" }, { name: "b" }], rows }, "json");
      document.getElementById("empty").replaceChildren(table);
    }"""
    await page.evaluate(script)
    await expect(page.locator(".rows td").first).to_have_text("[1,null]")
    await page.get_by_role("button", name="Row 1", exact=True).click()
    opened = page.get_by_role("region", name="Row 1").locator("dd")
    await expect(opened.first).to_have_text("[1,null]")
    assert (await opened.nth(1).locator("pre").inner_text()).splitlines()[1].strip().startswith('"some_key": "xxx')


async def test_who_has_the_focus_in_a_row_that_is_scrolled_away_keeps_it_in_the_table(
    site: Site, visitor: Visitor
) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "query", count="500", batch="500")
    await phase(page, "done")
    await page.get_by_role("button", name="Row 2", exact=True).focus()
    box = page.locator(f"{RESULT} .scroll")
    await box.evaluate("(box) => { box.scrollTop = box.scrollHeight; }")
    await expect(page.get_by_role("button", name="Row 500", exact=True)).to_be_in_viewport()
    await expect(box).to_be_focused()
    for _ in range(7):  # past the six heads
        await page.keyboard.press("Tab")
    seen = page.locator(":focus")
    await expect(seen).to_be_in_viewport()  # a row that is in sight, and not the second
    await expect(seen).to_have_attribute("aria-label", re.compile("Row 4"))
    await page.keyboard.press("ArrowDown")
    await expect(page.locator(":focus")).to_have_attribute("aria-label", re.compile("Row 4"))


async def test_of_a_million_rows_what_is_drawn_is_bounded_and_said(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = """async (count) => {
      const { growing } = await import("/page/tables.js");
      const table = growing([{ name: "n", type: "INTEGER" }], "many");
      document.getElementById("empty").replaceChildren(table.element);
      for (let first = 0; first < count; first += 1000) {
        table.rows.add(first, Array.from({ length: 1000 }, (_, n) => [first + n]));
        if (first % 50000 === 0) table.update();
      }
      table.end();
    }"""
    await page.evaluate(script, 1_000_000)
    await expect(page.locator(".rows .under .hint")).to_have_text("10,000 of 1,000,000 rows are shown")
    await expect(page.get_by_role("table")).to_have_attribute("aria-rowcount", "10001")
    rows = page.locator(".rows tbody tr:not(.room)")
    assert 10 < await rows.count() < 120
    await page.locator(".rows .scroll").evaluate("(box) => { box.scrollTop = box.scrollHeight; }")
    await expect(rows.last).to_have_attribute("aria-rowindex", "10001")
    await expect(rows.last.locator("td")).to_have_text("9999")
    await expect(rows.last).to_be_in_viewport()
    assert await rows.count() < 120
    await head(page, "n").get_by_role("button").click()
    await head(page, "n").get_by_role("button").click()
    await expect(page.locator(".rows .under .hint")).to_contain_text("the order is that of the rows shown")
    await expect(rows.first.locator("td")).to_have_text("9999")


async def test_how_much_rows_may_weigh_is_bounded_for_all_tables_together(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = """async () => {
      const { Room, Rows } = await import("/page/rows.js");
      const room = new Room(10_000);
      const kept = [1, 2].map(() => {
        const rows = new Rows([{ name: "a" }], room);
        rows.add(0, Array.from({ length: 100 }, () => ["x".repeat(92)]));
        return [rows.rows.length, rows.total];
      });
      return kept;
    }"""
    assert await page.evaluate(script) == [[100, 100], [0, 100]]


async def test_of_rows_that_are_not_kept_no_numbers_are_either(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = """async () => {
      const { Rows } = await import("/page/rows.js");
      const rows = new Rows([{ name: "a" }]);
      for (let batch = 0; batch < 2000; batch += 1) rows.add(0, Array.from({ length: 10 }, () => [batch]));
      return [rows.rows.length, rows.total, rows.firsts.length, rows.numberOf(9999)];
    }"""
    kept, total, numbers, last = await page.evaluate(script)
    assert (kept, total, last) == (10_000, 20_000, 10)  # each batch says that it is the first
    assert numbers <= 1001  # those that are kept, and the one that did not fit


async def test_rows_of_a_step_fill_the_table_of_the_tool(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "query_elsewhere")
    await phase(page, "done")
    await expect(said(page)).to_have_text("12 rows")
    await expect(page.locator("table:visible")).to_have_count(1)
    await expect(page.locator("#tree-section")).to_be_hidden()  # one step that only sends rows is no tree


async def test_each_line_of_a_csv_has_as_many_cells(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = """async () => {
      const [{ Rows }, { csv }] = [await import("/page/rows.js"), await import("/page/csv.js")];
      const rows = new Rows([{ name: "=a" }, { name: "b" }]);
      rows.add(0, [[1], [], ["x", "", null, { y: [1] }]]);
      return csv(rows.lines([2, 1, 0]));
    }"""
    assert await page.evaluate(script) == '\'=a,b,,\r\nx,"",,"{""y"":[1]}"\r\n,,,\r\n1,,,'


async def test_rows_of_differing_length_and_rows_that_did_not_come_are_said(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "odd_kinds")
    await phase(page, "done")
    await expect(said(page, SO_FAR)).to_have_text(
        "4 of 9 rows are shown · 5 rows did not reach this page"
        " · 3 rows with more or fewer cells than there are columns"
    )
    rows = page.locator(f"{SO_FAR} tbody tr")
    shown = [await row.locator("th, td").all_inner_texts() for row in await rows.all()]
    assert shown == [
        ["6", "1", "2", ""], ["7", "3", "no cell", ""], ["8", "4", "5", "6"], ["9", "no cell", "no cell", ""],
    ]  # fmt: skip
    await expect(page.locator("#arrived thead th").last).to_have_text("column 3")


async def test_a_kind_with_other_members_is_drawn_as_any_value(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "odd_kinds")
    await phase(page, "done")
    await expect(page.locator("#steps > li")).to_have_count(3)
    await expect(page.locator("#steps > li").nth(2)).to_contain_text("of no kind")
    await expect(page.locator("#outcome-body dl")).to_contain_text("its columns are a text")


async def test_hostile_cells_and_names_are_text(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "hostile_kinds")
    await phase(page, "done")
    cells = await page.locator("#arrived tbody td").all_inner_texts()
    assert cells[:2] == [HOSTILE, HOSTILE]
    await expect(page.locator("#arrived thead th").nth(1)).to_contain_text(HOSTILE[:50])
    await expect(page.locator("#arrived .card svg title").first).to_have_text(f"Histogram of {HOSTILE}")
    await expect(page.locator(".flow-step h4")).to_have_text(HOSTILE)
    assert await page.evaluate("document.title") == "Done · hostile_kinds"
    assert await page.locator("#run img, #run script").count() == 0


ORDERED = [
    ([3, 1, 2], False, [1, 2, 0]),
    (["10", "9", "x", None], True, [1, 0, 2, 3]),
    (["10", "9"], False, [1, 0]),  # as people order texts
    (["9007199254740993", "9007199254740992"], True, [1, 0]),
    (["0.10000000000000000002", "0.10000000000000000001", "0.1"], True, [2, 1, 0]),
    (["NaN", "Infinity", "-Infinity", "1e3", "-2.5"], True, [2, 4, 3, 1, 0]),
    ([True, None, False, ""], False, [2, 0, 3, 1]),
    ([[2], {"a": 1}, "text", 7], False, [3, 2, 0, 1]),
]
NUMERIC = [
    ("INTEGER", True), ("BIGINT", True), ("DECIMAL(10,2)", True), ("double precision", True), ("int4", True),
    ("HUGEINT", True), ("UINTEGER", True), ("INTEGER[]", False), ("interval", False), ("point", False), ("TEXT", False),
]  # fmt: skip


async def test_which_columns_hold_numbers_and_which_cell_comes_first(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = "async ([name, given]) => (await import('/page/cells.js'))[name](...given)"
    for cells, is_numeric, expected in ORDERED:
        assert await page.evaluate(script, ["ordered", [cells, is_numeric, False]]) == expected, cells
    for type_, expected_numeric in NUMERIC:
        assert await page.evaluate(script, ["isNumeric", [type_, []]]) is expected_numeric, type_
    assert await page.evaluate(script, ["isNumeric", ["", [1, None, 2.5]]])
    assert not await page.evaluate(script, ["isNumeric", ["", [1, "2"]]])
