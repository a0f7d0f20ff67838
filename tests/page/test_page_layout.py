"""What is in sight when: on a wide screen and on a phone, at rest, at work and after it. And who else may connect."""

from __future__ import annotations

import json
import re
import shlex

import pytest
from page_visitor import BY_ONE_DOOR, Site, Visitor, phase, run
from playwright.async_api import expect

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session"), BY_ONE_DOOR]

PHONE = {"width": 390, "height": 844}


async def test_the_facts_of_the_connection_are_folded_until_something_is_wrong(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "walk")
    await phase(page, "running")
    await expect(page.locator("#wire-state")).to_have_text("open")
    await expect(page.locator("#connection")).to_be_hidden()
    await page.evaluate("""async () => {
      const { Gauges } = await import("/page/gauges.js");
      const gauges = new Gauges();
      gauges.connection("reconnecting…", "retrying");
      window.gauges = gauges;
    }""")
    await expect(page.locator("#connection")).to_be_visible()
    await page.evaluate("window.gauges.begin(null)")
    await expect(page.locator("#connection")).to_be_hidden()  # with the next run it is shut again
    site.stage.release(4)
    await phase(page, "done")


async def test_messages_are_one_line_that_is_replaced_and_a_shut_list(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "walk", count="5")
    for number in range(1, 6):
        site.stage.release()
        await expect(page.locator("#newest")).to_have_text(f"step {number}")
    await expect(page.locator("#newest")).to_be_in_viewport()
    await expect(page.locator("#messages")).to_be_hidden()
    await expect(page.locator("#steps-section")).to_be_hidden()
    await page.get_by_text("5 messages").click()
    await expect(page.locator("#messages > li").nth(2)).to_contain_text("step 3")
    await expect(page.locator("#messages")).to_be_visible()
    site.stage.release()
    await phase(page, "done")
    await expect(page.locator("#newest")).to_be_hidden()


async def test_a_list_that_is_opened_shows_its_end(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "flood", count="100")
    await phase(page, "done")
    await page.get_by_text("100 messages").click()
    await expect(page.locator("#messages > li").last).to_be_in_viewport()
    await expect(page.locator("#messages > li").first).not_to_be_in_viewport()


async def test_the_share_and_what_is_left_are_said(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = """async ([seconds, done, total]) => {
      const { Gauges } = await import("/page/gauges.js");
      const gauges = new Gauges();
      gauges.begin(performance.now() - seconds * 1000);
      gauges.bar(done, total);
      return document.getElementById("progress-text").textContent + document.getElementById("left").textContent;
    }"""
    said = await page.evaluate(script, [10, 2_500_000, 25_000_000])
    assert re.fullmatch(r"10 % · 2,500,000 of 25,000,000 · about 9\d s left", said)
    assert await page.evaluate(script, [1, 500, 1000]) == "50 % · 500 of 1000"  # too early to tell
    assert await page.evaluate(script, [100, 1, 1000]) == "0 % · 1 of 1000"
    assert (await page.evaluate(script, [7200, 50, 100])).startswith("50 % · about 2 h")
    await page.set_viewport_size({"width": 320, "height": 640})
    await page.evaluate("document.getElementById('live').hidden = false")
    await page.evaluate(script, [10, 2_500_000, 25_000_000])
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_what_is_done_is_done_to_100_percent(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = """async ([done, total, isDone]) => {
      const { Gauges } = await import("/page/gauges.js");
      const gauges = new Gauges();
      gauges.begin(performance.now());
      gauges.bar(done, total);
      gauges.end(isDone);
      return [document.getElementById("progress-text").textContent, document.getElementById("progress").value];
    }"""
    assert await page.evaluate(script, [99, 100, True]) == ["100 %", 1]
    assert await page.evaluate(script, [99, 100, False]) == ["99 %", 0.99]
    assert await page.evaluate(script, [2000, None, True]) == ["2000", 1]  # of a total that nobody named


async def test_while_it_runs_the_button_says_so_and_is_readable(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "walk")
    await phase(page, "running")
    start = page.locator("#start")
    await expect(start).to_have_text("Running…")
    look = await start.evaluate(
        "(one) => { const s = getComputedStyle(one); return [s.opacity, s.color, s.backgroundColor]; }"
    )
    assert look == [
        "1",
        "rgb(11, 114, 133)",
        "rgb(230, 244, 246)",
    ]  # --accent on --wash, a pair whose contrast is tested
    site.stage.release(4)
    await phase(page, "done")
    await expect(start).to_have_text("Run")


async def test_on_a_phone_the_form_is_short_and_the_result_in_sight(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url, viewport=PHONE)
    await expect(page.locator("#curl")).to_be_hidden()
    await page.locator("#curl-heading").click()
    await expect(page.locator("#curl")).to_be_visible()
    await page.locator("#curl-heading").click()
    await page.locator("#tool").select_option("shapes")
    await expect(page.locator("#start")).to_be_in_viewport()  # although the form is three screens long
    await run(page, "report")
    await phase(page, "done")
    await expect(page.locator("#outcome-heading")).to_be_in_viewport()
    await expect(page.get_by_role("img", name="Grade E")).to_be_in_viewport()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_on_a_phone_a_long_description_is_cut_to_two_lines(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url, viewport=PHONE)
    await expect(page.locator("#more")).to_be_hidden()  # a short one is not
    text = page.locator("#tool-description")
    await page.evaluate("document.getElementById('tool-description').textContent = 'So many words. '.repeat(40)")
    two = await text.evaluate("(one) => one.clientHeight")
    await page.evaluate("document.getElementById('more').hidden = false")
    await page.get_by_role("button", name="More").click()
    await expect(page.get_by_role("button", name="Less")).to_have_attribute("aria-expanded", "true")
    assert await text.evaluate("(one) => one.clientHeight") > 3 * two
    wide = await visitor.open(site.server.tls_url)
    await expect(wide.locator("#more")).to_be_hidden()


async def test_the_command_line_scrolls_instead_of_wrapping(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await expect(page.locator("#curl")).to_be_visible()
    assert await page.locator("#curl").evaluate("(pre) => getComputedStyle(pre).whiteSpace") == "pre"
    await expect(page.get_by_role("group", name="The same call from a terminal")).to_be_visible()


async def test_the_page_is_headed_by_the_server_and_tells_how_a_client_connects(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url, permissions=["clipboard-read", "clipboard-write"])
    manifest = await page.evaluate("fetch('mcp.json').then((answer) => answer.json())")
    tools = await page.locator("#tool option").count()
    await expect(page.locator("h1")).to_have_text(manifest["title"])
    await expect(page).to_have_title(manifest["title"])
    await expect(page.locator("#tool-count")).to_have_text(f"{tools} tools")
    connect = page.get_by_role("button", name="Connect a client")
    await expect(page.locator("#clients")).to_be_hidden()
    await connect.click()
    await expect(connect).to_have_attribute("aria-expanded", "true")
    [(name, server)] = manifest["mcpServers"].items()
    lines = {
        str(await line.get_attribute("aria-label")): await line.inner_text()
        for line in await page.locator(".client pre").all()
    }
    assert lines["Any other"] == server["url"]
    assert lines["Claude Code"] == f"claude mcp add --transport http {name} {server['url']}"
    code = shlex.split(lines["VS Code"])
    assert code[:2] == ["code", "--add-mcp"]
    assert json.loads(code[2]) == {"name": name, "type": "http", "url": server["url"]}
    assert json.loads(lines["Cursor"]) == {"mcpServers": {name: {"url": server["url"]}}}
    await page.get_by_role("button", name="Copy for Claude Code").click()
    await expect(page.locator(".client button").first).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == lines["Claude Code"]
