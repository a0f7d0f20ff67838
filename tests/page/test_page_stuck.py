"""No dead end: a server that is down, one that dies, a script that is refused. It is said, and there is a way out."""

from __future__ import annotations

import re

import pytest
from cut_proxy import proxying
from page_visitor import Site, Visitor, phase, run
from playwright.async_api import Browser, expect

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]

NOBODY = 9
"""A port of loopback at which nothing listens: discard (RFC 863) is off everywhere."""


async def test_a_server_that_is_down_when_a_run_is_started_is_named_and_given_up(site: Site, visitor: Visitor) -> None:
    async with proxying(site.server.tls_port) as proxy:
        page = await visitor.open(f"https://127.0.0.1:{proxy.port}")
        proxy.target = NOBODY
        proxy.cut()
        await run(page, "walk")
        await expect(page.locator("#start")).to_have_text("Running…")
        await expect(page.locator("#resume-note")).to_contain_text("No answer from the server")
        await expect(page.locator("#resume-note")).to_be_visible()  # the facts have opened themselves
        await page.get_by_role("button", name="Give up").click()
        await phase(page, "failed")
        await expect(page.locator("#outcome-body code")).to_have_text("given_up")
        await expect(page.locator("#outcome-body")).to_contain_text("it may not have been started at all")
        proxy.target = site.server.tls_port
        site.stage.release(4)
        await page.get_by_role("button", name="Run", exact=True).click()
        await phase(page, "done")  # and the page is as good as new
    assert site.stage.begun == 1
    visitor.forgive("net::ERR_")


async def test_a_server_that_dies_during_a_run_can_be_given_up(site: Site, visitor: Visitor) -> None:
    async with proxying(site.server.tls_port) as proxy:
        page = await visitor.open(f"https://127.0.0.1:{proxy.port}")
        await run(page, "change", amount="1")
        await expect(page.locator("#messages > li")).to_have_count(1)
        proxy.target = NOBODY
        proxy.cut()
        cancel = page.locator("#cancel")
        await expect(page.locator("#wire-state")).to_have_text("reconnecting…")
        await cancel.click()  # the server can not be asked, as soon as that is known the page offers what it can do
        await expect(page.locator("#resume-note")).to_have_text(re.compile("^(Not cancelled|No answer)"))
        await expect(cancel).to_have_text("Give up")
        await cancel.click()
        await phase(page, "failed")
        await expect(page.locator("#outcome-body")).to_contain_text("The tool may still be working")
        await expect(page.locator("#start")).to_have_attribute("aria-disabled", "false")
    visitor.forgive("net::ERR_")
    site.stage.release()


async def test_a_call_that_can_not_be_posted_says_so(site: Site, visitor: Visitor) -> None:
    async with proxying(site.server.tls_port) as proxy:
        page = await visitor.open(f"https://127.0.0.1:{proxy.port}")
        proxy.target = NOBODY
        proxy.cut()
        await run(page, "change", amount="1")
        await phase(page, "failed")
        await expect(page.locator("#outcome-body code")).to_have_text("unreachable")
    visitor.forgive("net::ERR_")


async def test_a_page_whose_script_is_refused_says_so(site: Site, browser: Browser) -> None:
    page = await (await browser.new_context(ignore_https_errors=True)).new_page()
    await page.route("**/page/page.js", lambda route: route.fulfill(status=403, content_type="application/json"))
    await page.goto(site.server.tls_url)
    await expect(page.locator("#unstarted")).to_be_visible()
    await expect(page.locator("#unstarted")).to_contain_text("MCP_APP_PUBLIC_URL")
    opacity = "() => getComputedStyle(document.getElementById('unstarted')).opacity === '1'"
    await page.wait_for_function(opacity)  # after a while in which a script may still be on its way
    await page.context.close()


async def test_a_page_that_works_never_says_that_it_has_not_started(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await expect(page.locator("#unstarted")).to_have_count(0)


async def test_a_server_without_its_manifest_is_named(site: Site, browser: Browser) -> None:
    page = await (await browser.new_context(ignore_https_errors=True)).new_page()
    await page.route("**/mcp.json", lambda route: route.fulfill(status=404, body="no"))
    await page.goto(site.server.tls_url)
    await expect(page.get_by_role("alert")).to_have_text("The server answered 404.")
    await page.context.close()


async def test_escape_cancels(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "walk")
    await phase(page, "running")
    await expect(page.locator("#cancel")).to_have_attribute("aria-keyshortcuts", "Escape")
    await page.keyboard.press("Escape")
    await phase(page, "cancelled")
    await page.keyboard.press("Escape")  # there is nothing to cancel
    assert site.stage.stopped.is_set()
