"""A reload, a link, a list: the page comes back to a run as long as the server keeps it."""

from __future__ import annotations

import pytest
from page_visitor import Site, Visitor, phase, run
from playwright.async_api import expect

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize(("tool", "params"), [("walk", {"count": "2"}), ("change", {"amount": "7"})])
async def test_a_reload_comes_back_to_the_run_and_its_parameters(
    site: Site, visitor: Visitor, tool: str, params: dict[str, str]
) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, tool, **params)
    if tool == "walk":
        site.stage.release()
    await expect(page.locator("#messages > li")).to_have_count(1)
    await page.reload()
    await phase(page, "running")
    await expect(page.locator("#tool")).to_have_value(tool)
    [(name, text)] = params.items()
    await expect(page.locator(f'[data-name="{name}"] input')).to_have_value(text)
    await expect(page.locator("#messages > li")).to_have_count(1)
    await expect(page.locator("#protocol")).to_have_text("HTTP/2")
    site.stage.release(2)
    await phase(page, "done")
    assert site.stage.begun == 1
    await page.reload()
    await phase(page, "done")  # it is kept when it is over, too
    await expect(page.locator("#lost")).to_have_text("0")
    assert site.stage.begun == 1


async def test_the_time_goes_on_where_it_was(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "walk")
    await phase(page, "running")
    await page.evaluate("""() => {
      const [run] = JSON.parse(sessionStorage.getItem("runs"));
      sessionStorage.setItem("runs", JSON.stringify([{ ...run, at: run.at - 60_000 }]));
    }""")
    await page.reload()
    await phase(page, "running")
    share = float(await page.locator("#time").get_attribute("value") or 0)
    assert share >= 0.5  # a minute of the two that it has
    site.stage.release(4)
    await phase(page, "done")
    # Then the run's own time counts, which the result says: it has not worked for a minute.
    own = await page.locator("#outcome-heading .tag").first.text_content()
    await expect(page.locator("#time-text")).to_have_text(f"{own} of 2 min")


async def test_the_last_five_runs_are_listed_and_can_be_come_back_to(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await expect(page.locator("#recent")).to_be_hidden()
    for number in range(1, 7):
        await run(page, "big", number=str(number))
        await phase(page, "done")
    await run(page, "fails")
    await phase(page, "failed")
    runs = page.locator("#recent-runs > li")
    await expect(runs).to_have_count(5)
    await expect(runs.first).to_contain_text("✗ failed")
    await expect(runs.first.locator("a")).to_have_attribute("aria-current", "true")
    await expect(runs.nth(1)).to_contain_text('"number":6')
    await runs.nth(2).locator("a").click()
    await phase(page, "done")
    await expect(page.locator("#run-heading")).to_have_text("big")
    await expect(page.locator('[data-name="number"] input')).to_have_value("5")
    await expect(page.locator('#outcome-body [data-key="text"] dd')).to_have_text("5")
    await expect(runs.nth(2).locator("a")).to_have_attribute("aria-current", "true")
    await expect(runs.nth(2).locator("a")).to_be_focused()  # although the list was drawn anew


async def test_an_address_fills_the_form_in(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(f'{site.server.tls_url}/#big&params={{"number":9007199254740993}}')
    await expect(page.locator("#tool")).to_have_value("big")
    await expect(page.locator('[data-name="number"] input')).to_have_value("9007199254740993")
    await expect(page.locator("#run")).to_have_attribute("data-phase", "idle")  # nothing is started by a link
    assert site.stage.begun == 0


@pytest.mark.parametrize("run_of", ["run=" + "0" * 32, "key=" + "k" * 24])
async def test_a_run_that_is_no_longer_kept_is_said_to_be_gone(site: Site, visitor: Visitor, run_of: str) -> None:
    page = await visitor.open(f'{site.server.tls_url}/#walk&params={{"count":4}}&{run_of}')
    await expect(page.locator("#empty")).to_have_text(
        "The server no longer keeps that run. Press Run to start it again."
    )
    await expect(page.locator("#run")).to_have_attribute("data-phase", "idle")
    await expect(page.locator("#start")).to_have_attribute("aria-disabled", "false")
    await expect(page.locator('[data-name="count"] input')).to_have_value("4")
    assert site.stage.begun == 0
    site.stage.release(5)
    await page.locator("#start").click()
    await phase(page, "done")
    visitor.forgive("status of 404")


ADDRESSES = [
    ("", {"tool": "", "params": None, "run": None}),
    ("#walk", {"tool": "walk", "params": None, "run": None}),
    ("#a%20b&params=%7B%22x%22%3A1%7D&run=ab-1", {"tool": "a b", "params": {"x": 1}, "run": {"run": "ab-1"}}),
    ("#t&key=k_1", {"tool": "t", "params": None, "run": {"key": "k_1"}}),
    ("#t&params=%7B", {"tool": "t", "params": None, "run": None}),
    ("#t&params=[1]", {"tool": "t", "params": None, "run": None}),
    ("#t&run=../x", {"tool": "t", "params": None, "run": None}),
    ("#%E0%A4%A", {"tool": "%E0%A4%A", "params": None, "run": None}),
]


async def test_an_address_is_read_whatever_stands_in_it(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    for hash_, said in ADDRESSES:
        assert await page.evaluate("async (h) => (await import('/page/address.js')).read(h)", hash_) == said, hash_
    script = """async (said) => {
      const { read, written } = await import("/page/address.js");
      return read(written(said));
    }"""
    for said in (
        {"tool": "a&b=c#d", "params": {"x": "ä&=#", "n": [1]}, "run": {"key": "k"}},
        {"tool": "t", "params": None, "run": None},
    ):
        assert await page.evaluate(script, said) == said
    large = {"tool": "t", "params": {"x": "y" * 5000}, "run": {"run": "r"}}
    assert await page.evaluate(script, large) == large | {"params": None}
