"""Rows that have arrived stay: after an error, a cancellation, the cap, a drop, a reload; too many are counted."""

from __future__ import annotations

import pytest
from cut_proxy import proxying
from page_visitor import BY_ONE_DOOR, Site, Visitor, phase, pull, run
from playwright.async_api import expect
from row_visits import RESULT, SO_FAR, column, head, query, said

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session"), BY_ONE_DOOR]


async def test_an_error_in_the_middle_leaves_what_had_arrived(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "breaks")
    await phase(page, "failed")
    await expect(page.locator("#outcome-body")).to_contain_text("The connection was lost.")
    await expect(page.locator("#arrived-heading")).to_have_text("What had arrived")
    await expect(said(page, SO_FAR)).to_have_text("7 rows")
    await expect(page.locator(f"{SO_FAR} tbody tr")).to_have_count(7)
    await run(page, "fails")
    await phase(page, "failed")
    await expect(page.locator("#arrived-section")).to_be_hidden()  # another run begins with nothing


async def test_cancelled_or_capped_the_rows_stay(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await query(page)
    site.stage.release()
    await expect(said(page, SO_FAR)).to_have_text("4 rows so far")
    await page.get_by_role("button", name="Cancel").click()
    await phase(page, "cancelled")
    await expect(said(page, SO_FAR)).to_have_text("4 rows")
    await page.locator("#limits summary").click()
    await page.locator("#cap-seconds").fill("1")
    await page.locator("#start").click()
    site.stage.release()
    await phase(page, "failed")
    await expect(page.locator("#outcome-body code")).to_have_text("time_cap")
    await expect(said(page, SO_FAR)).to_have_text("4 rows")


async def test_after_a_drop_and_a_pull_no_row_is_lost_or_doubled(site: Site, visitor: Visitor) -> None:
    async with proxying(site.server.tls_port) as proxy:
        page = await visitor.open(f"https://127.0.0.1:{proxy.port}")
        await query(page, count="16")
        site.stage.release()
        await expect(said(page, SO_FAR)).to_have_text("4 rows so far")
        proxy.cut()
        await expect(page.locator("#connection")).to_have_text("reconnecting…")
        site.stage.release()  # while nobody listens
        await expect(said(page, SO_FAR)).to_have_text("8 rows so far")
        await pull(page)
        site.stage.release(3)
        await phase(page, "done")
        await expect(said(page)).to_have_text("16 rows")
        assert await column(page, 1) == [str(n + 1) for n in range(16)]
    visitor.forgive("net::ERR_")


async def test_a_reload_comes_back_to_the_table(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await query(page)
    site.stage.release(2)
    await expect(said(page, SO_FAR)).to_have_text("8 rows so far")
    await page.reload()
    await expect(said(page, SO_FAR)).to_have_text("8 rows so far")
    site.stage.release(2)
    await phase(page, "done")
    await expect(said(page)).to_have_text("12 rows")


async def test_after_a_reload_rows_go_on_where_the_log_has_none_of_the_first(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await query(page, count="100000", batch="1000")
    site.stage.release(90)  # more than the 4 MiB that are kept
    await expect(said(page, SO_FAR)).to_have_text("10,000 of 90,000 rows are shown so far")
    await page.reload()
    await expect(page.locator("#resume-note")).to_contain_text("no longer kept")
    site.stage.release(11)
    await phase(page, "done")
    await expect(said(page)).to_contain_text("10,000 of 100,000 rows are shown · 90,000 rows did not reach this page")
    await expect(page.locator(f"{RESULT} .nth button").first).to_have_text("90,001")
    await expect(head(page, "customer")).to_be_visible()  # the columns' names came with the result
    await page.reload()  # once it is over, its result is what there is
    await phase(page, "done")
    await expect(said(page)).to_contain_text("100 of 100,000 rows are shown")


async def test_a_pulled_connection_goes_on_as_well_where_the_log_has_none_of_the_first(
    site: Site, visitor: Visitor
) -> None:
    page = await visitor.open(site.server.tls_url)
    await query(page, count="100000", batch="1000")
    site.stage.release(90)
    await expect(said(page, SO_FAR)).to_have_text("10,000 of 90,000 rows are shown so far")
    await pull(page)
    await expect(page.locator("#resume-note")).to_contain_text("no longer kept")
    site.stage.release(11)
    await phase(page, "done")
    await expect(said(page)).to_contain_text("10,000 of 100,000 rows are shown")
    await expect(page.locator(f"{RESULT} .nth button").first).to_have_text("1")


async def test_a_run_that_waits_for_nobody_is_followed_on_after_a_long_cut(site: Site, visitor: Visitor) -> None:
    async with proxying(site.server.tls_port) as proxy:
        page = await visitor.open(f"https://127.0.0.1:{proxy.port}")
        await query(page, "pour", count="100000", batch="1000")
        site.stage.release(2)
        await expect(said(page, SO_FAR)).to_have_text("2000 rows so far")
        target, proxy.target = proxy.target, 1  # where nobody answers
        proxy.cut()
        site.stage.release(90)  # while nobody listens
        await site.stage.taken()
        await expect(page.locator("#connection")).to_have_text("reconnecting…")
        proxy.target = target
        await expect(page.locator("#resume-note")).to_contain_text("no longer kept")
        async with page.expect_event("requestfailed", lambda request: "/events" not in request.url):
            proxy.target = 1
            proxy.cut()  # once more, for as long as it takes to ask in vain where the run is
        async with page.expect_request(lambda request: "/events" in request.url):
            proxy.target = target
        site.stage.release(9)
        await phase(page, "done")
        await expect(said(page)).to_contain_text("rows did not reach this page")
    visitor.forgive("net::ERR_", "410")


async def test_more_tables_than_a_page_should_draw_are_counted(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "many_tables")
    await phase(page, "done")
    await expect(page.locator("#arrived .rows")).to_have_count(60)
    await expect(page.locator("#arrived > .hint")).to_have_text("and 40 more")
    assert await said(page, SO_FAR).all_inner_texts() == ["2 rows"] * 60  # none has the rows of another
