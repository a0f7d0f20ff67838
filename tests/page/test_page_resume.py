"""The connection goes and comes back: by the server's drop, by the page's own button, by a server that was replaced."""

from __future__ import annotations

import pytest
from cut_proxy import proxying
from page_visitor import Site, Visitor, phase, pull, replaceable, run
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]

# Streams that a browser opens to one host over HTTP/1.1; one more waits until another ends.
HTTP1_LIMIT = 6


async def shown_steps(page: Page) -> list[str]:
    return await page.locator("#messages > li .text").all_text_contents()


async def raw_ids(page: Page) -> list[int]:
    """The numbers of the events as they came over the wire, those that came twice among them."""
    texts = await page.locator("#raw > li > span:first-child").all_text_contents()
    return [int(text.rpartition("/")[2]) for text in texts if text.startswith("id: ")]


async def test_after_a_drop_eventsource_resumes_and_nothing_is_lost_or_doubled(site: Site, visitor: Visitor) -> None:
    async with proxying(site.server.tls_port) as proxy:
        page = await visitor.open(f"https://127.0.0.1:{proxy.port}")
        await run(page, "walk", count="6")
        site.stage.release(2)
        await expect(page.locator("#messages > li")).to_have_count(2)
        proxy.cut()
        await expect(page.locator("#connection")).to_have_text("reconnecting…")
        site.stage.release(2)  # while nobody listens
        await expect(page.locator("#connection")).to_have_text("open")
        await expect(page.locator("#messages > li")).to_have_count(4)
        site.stage.release(3)
        await phase(page, "done")
        assert await shown_steps(page) == [f"step {number}" for number in range(1, 7)]
        assert await raw_ids(page) == list(range(1, 15))  # by Last-Event-ID: no event came twice
        await expect(page.locator("#events")).to_have_text("14")
        await expect(page.locator("#lost")).to_have_text("0")
        await expect(page.locator("#resume-note")).to_have_text("Reconnected once: nothing was lost.")
        assert site.stage.begun == 1
    visitor.forgive("net::ERR_")


@pytest.mark.parametrize("tool", ["walk", "change"])
async def test_a_pulled_connection_comes_back_and_what_came_twice_is_recognised(
    site: Site, visitor: Visitor, tool: str
) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, tool, **({"amount": "1"} if tool == "change" else {}))
    if tool == "walk":
        site.stage.release(1)
    await expect(page.locator("#messages > li")).to_have_count(1)
    before = int(await page.locator("#events").text_content() or "")
    await pull(page)
    await expect(page.locator("#connection")).to_have_text("pulled")
    site.stage.release(3)
    await phase(page, "done")
    steps = 3 if tool == "walk" else 1
    await expect(page.locator("#messages > li")).to_have_count(steps)
    await expect(page.locator("#lost")).to_have_text("0")
    await expect(page.locator("#resume-note")).to_have_text(
        f"Reconnected once: nothing was lost. {before} came twice and were recognised."
    )
    assert site.stage.begun == 1


async def test_a_server_that_forgot_the_run_is_not_made_to_start_it_again(
    site: Site, visitor: Visitor, lane: bool
) -> None:
    async with replaceable(site, lane) as (proxy, other):
        page = await visitor.open(f"https://127.0.0.1:{proxy.port}")
        await run(page, "walk")
        await phase(page, "running")
        proxy.target = other.server.tls_port
        proxy.cut()
        await phase(page, "failed")
        await expect(page.locator("#outcome-body code")).to_have_text("unknown_run")
        assert other.stage.begun == 0
        await page.locator("#start").click()
        await phase(page, "running")
        proxy.target = site.server.tls_port
        proxy.cut()
        await phase(page, "failed")
    visitor.forgive("net::ERR_")


async def test_a_run_that_was_started_anew_is_not_taken_for_the_old_one(
    site: Site, visitor: Visitor, lane: bool
) -> None:
    async with replaceable(site, lane) as (proxy, other):
        page = await visitor.open(f"https://127.0.0.1:{proxy.port}")
        await run(page, "walk")
        await phase(page, "running")
        proxy.target = other.server.tls_port
        await pull(page)
        proxy.cut()  # the pulled stream's connection would be used again
        await phase(page, "failed")
        await expect(page.locator("#outcome-body code")).to_have_text("another_run")
    visitor.forgive("net::ERR_")


async def test_a_server_that_is_stopped_says_so(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "walk")
    await phase(page, "running")
    site.server.stop.set()
    await phase(page, "failed")
    await expect(page.locator("#outcome-body code")).to_have_text("shutdown")
    await expect(page.locator("#connection")).to_have_text("closed")


async def test_over_http1_the_page_works_as_well(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.url)
    await expect(page.locator("#protocol")).to_have_text("HTTP/1.1")
    await run(page, "walk")
    await phase(page, "running")
    await pull(page)
    site.stage.release(4)
    await phase(page, "done")
    await expect(page.locator("#lost")).to_have_text("0")


async def test_more_streams_than_http1_allows_are_live_at_once(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    streams = 2 * HTTP1_LIMIT
    script = """async (count) => {
      const { discover, newKey, startUrl } = await import("/page/api.js");
      const { events } = await discover("/mcp.json");
      window.sources = Array.from({ length: count }, () =>
        new EventSource(startUrl(events, "walk", {}, {}, new Set(), newKey())));
      window.ended = Promise.all(window.sources.map((source) => new Promise((resolve) => {
        source.addEventListener("message", (event) => {
          if (JSON.parse(event.data).type === "complete") { source.close(); resolve(event.lastEventId); }
        });
      })));
      await Promise.all(window.sources.map((source) => new Promise((resolve) => { source.onmessage = resolve; })));
      return window.sources.map((source) => source.readyState);
    }"""
    assert await page.evaluate(script, streams) == [1] * streams  # each has had its first event, and all are open
    assert site.stage.begun == streams
    await run(page, "fails")  # and there is room for more
    await phase(page, "failed")
    site.stage.release(4 * streams)
    ids = await page.evaluate("window.ended")
    assert len(set(ids)) == streams
    entries = "performance.getEntriesByType('resource').map((one) => [one.name, one.nextHopProtocol])"
    protocols = [protocol for name, protocol in await page.evaluate(entries) if "run=" in name]
    assert set(protocols) == {"h2"}
