"""For everybody: by keyboard alone, by screen reader, small, dark, light, without motion, and within the policy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from live_server import client_tls, serving
from page_tools import Stage, tools
from page_visitor import Site, Visitor, phase, run
from playwright.async_api import Browser, Page, expect

from mcp_app import Settings, create_app
from mcp_app.web.pages import HEADERS, pages

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]

TABS = 40
"""More than the page has controls: Tab must get anywhere within that."""


async def tab_to(page: Page, selector: str) -> None:
    for _ in range(TABS):
        await page.keyboard.press("Tab")
        if await page.locator(selector).evaluate("(element) => element === document.activeElement"):
            return
    raise AssertionError(f"{selector} can not be reached with Tab")


async def test_a_call_is_made_cancelled_and_made_again_by_keyboard_alone(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await tab_to(page, "#tool")
    await page.keyboard.type("change")
    await expect(page.locator("#tool")).to_have_value("change")
    await tab_to(page, '[data-name="amount"] input')
    await page.keyboard.type("5")
    await page.keyboard.press("Enter")
    await phase(page, "running")
    await tab_to(page, "#cancel")
    await page.keyboard.press("Enter")
    await phase(page, "cancelled")
    await expect(page.locator("#cancel")).to_be_focused()  # switched off, and the focus did not fall to the top
    await page.keyboard.press("Shift+Tab")
    site.stage.release()
    await page.locator("#start").focus()
    await page.keyboard.press("Space")
    await phase(page, "done")


async def test_the_focus_is_always_seen(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await tab_to(page, "#start")
    width = await page.locator("#start").evaluate("(element) => getComputedStyle(element).outlineWidth")
    assert width == "3px"


async def test_every_control_has_a_name_and_the_run_is_announced(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await page.locator("#limits summary").click()
    for tool in await page.locator("#tool option").evaluate_all("(all) => all.map((one) => one.value)"):
        await page.locator("#tool").select_option(tool)
        for control in await page.locator("main").locator("input, select, textarea, button").all():
            if await control.is_visible():
                await expect(control).to_have_accessible_name(re.compile(r"\S"))
    await expect(page.get_by_role("status")).to_be_attached()
    await run(page, "walk")
    await phase(page, "running")
    await expect(page.get_by_role("progressbar", name="Progress")).to_be_visible()
    await expect(page.get_by_role("progressbar", name="Time")).to_be_visible()
    await expect(page.locator("#announce")).to_have_text("walk is running.")
    site.stage.release(4)
    await phase(page, "done")
    await expect(page.locator("#announce")).to_have_text("walk is done.")


async def test_the_policy_is_sent_and_the_page_stays_within_it(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    site.stage.release(4)
    await run(page, "walk")
    await phase(page, "done")
    assert visitor.complaints == []
    stopped = await page.evaluate("""() => new Promise((resolve) => {
      document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
      const script = document.createElement("script");
      script.textContent = "document.title = 'owned'";
      document.body.append(script);
    })""")
    assert stopped == "script-src-elem"
    assert await page.title() != "owned"
    visitor.forgive("Content Security Policy")


async def test_the_files_are_served_with_their_headers_and_asked_for_again_cheaply(site: Site) -> None:
    async with httpx.AsyncClient(verify=client_tls(), http2=True, base_url=site.server.tls_url) as client:
        for path, file in pages().items():
            answer = await client.get(path)
            assert (answer.status_code, answer.content) == (200, file.body), path
            assert answer.headers["content-type"] == file.content_type
            assert answer.headers["etag"] == file.etag
            for name, text in HEADERS:
                assert answer.headers[name] == text, (path, name)
            again = await client.get(path, headers={"If-None-Match": file.etag})
            assert (again.status_code, again.content) == (304, b""), path
            head = await client.head(path)
            assert (head.status_code, head.content) == (200, b""), path
        assert (await client.get("/page/nothing.js")).status_code == 404
        assert (await client.get("/page/__init__.py")).status_code == 404


CONTRAST = """(pairs) => {
  const style = getComputedStyle(document.documentElement);
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (name) => {
    canvas.fillStyle = style.getPropertyValue(name);
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return pairs.map(([ink, ground]) => {
    const [high, low] = [light(ink), light(ground)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  });
}"""
TEXT_PAIRS = [
    ["--ink", "--ground"], ["--ink", "--panel"], ["--ink", "--sunken"], ["--soft", "--panel"], ["--soft", "--ground"],
    ["--soft", "--sunken"], ["--accent", "--panel"], ["--accent", "--wash"], ["--on-accent", "--accent"],
    ["--bad", "--panel"], ["--bad", "--bad-wash"], ["--soft", "--bad-wash"], ["--good", "--panel"],
    ["--good", "--sunken"], ["--warn", "--panel"], ["--warn", "--sunken"], ["--good", "--good-wash"],
    ["--warn", "--warn-wash"], ["--note", "--panel"], ["--note", "--sunken"],
]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_in_both_schemes_is_readable_and_pictured(
    site: Site, visitor: Visitor, scheme: str, tmp_path: Path
) -> None:
    page = await visitor.open(site.server.tls_url, color_scheme=scheme)
    ratios = await page.evaluate(CONTRAST, TEXT_PAIRS)
    poor = {tuple(pair): ratio for pair, ratio in zip(TEXT_PAIRS, ratios, strict=True) if ratio < 4.5}  # WCAG 1.4.3
    assert poor == {}
    ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(246, 247, 248)", "dark": "rgb(16, 19, 21)"}[scheme]
    site.stage.release(2)
    await run(page, "walk")
    await expect(page.locator("#messages > li")).to_have_count(2)
    picture = tmp_path / f"page-{scheme}.png"
    picture.write_bytes(await page.screenshot(full_page=True, animations="disabled"))
    assert picture.stat().st_size > 10_000
    site.stage.release(2)
    await phase(page, "done")


async def test_nothing_is_cut_off_on_a_small_screen(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url, viewport={"width": 320, "height": 640})
    for tool in ("shapes", "hostile"):
        await page.locator("#tool").select_option(tool)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await run(page, "hostile")
    await phase(page, "done")
    await page.locator("#raw-section summary").click()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await run(page, "fails")
    await phase(page, "failed")
    await expect(page.locator("#outcome")).to_be_in_viewport()  # the run was brought into sight


async def test_without_motion_nothing_moves(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url, reduced_motion="reduce")
    site.stage.release(1)
    await run(page, "walk")
    await expect(page.locator("#messages > li")).to_have_count(1)
    moving = "document.getAnimations().filter((one) => one instanceof CSSAnimation).length"
    assert await page.evaluate(moving) == 0


@pytest.mark.parametrize("path", ["", "/tools", "/other"])
async def test_the_page_calls_below_its_own_address_whatever_the_public_one_says(browser: Browser, path: str) -> None:
    """Served as it is at loopback, and by a proxy below the path that is public or, by mistake, another."""
    stage = Stage()
    settings = Settings(public_url="https://tools.example.com/tools", allow_anonymous=True)  # type: ignore[arg-type]
    async with serving(below(create_app(settings, tools(stage)), path)) as server:
        page = await (await browser.new_context(ignore_https_errors=True)).new_page()
        await page.goto(f"{server.tls_url}{path}/")
        await expect(page.locator("#start")).to_have_attribute("aria-disabled", "false")
        await run(page, "walk")
        stage.release(4)
        await phase(page, "done")
        await page.context.close()


def below(app: Any, path: str) -> Any:
    """As a proxy that takes its path off."""

    async def proxy(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            assert scope["path"].startswith(f"{path}/"), scope["path"]
            scope = scope | {"path": scope["path"].removeprefix(path)}
        await app(scope, receive, send)

    return proxy
