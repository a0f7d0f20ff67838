"""A run as the page shows it: steps, bar, heartbeats, cap, cancel, errors, and tools that send what they like."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
from page_tools import HOSTILE
from page_visitor import Site, Visitor, phase, run
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session")]


async def outcome(page: Page) -> dict[str, str]:
    """The result's table: each key with the text beside it."""
    pairs = page.locator("#outcome-body .report > dl > div")
    return {
        str(await pair.get_attribute("data-key")): await pair.locator("> dd").inner_text() for pair in await pairs.all()
    }


async def test_steps_bar_and_result_appear_as_they_happen(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "walk", count="4")
    await phase(page, "running")
    await expect(page.locator("#messages > li")).to_have_count(0)
    assert await page.locator("#progress").get_attribute("value") is None  # no share is known yet
    for number in range(1, 5):
        site.stage.release()
        await expect(page.locator("#messages > li")).to_have_count(number)
        await expect(page.locator("#messages > li").last).to_contain_text(f"step {number}")
        await expect(page.locator("#newest")).to_have_text(f"step {number}")
        await expect(page.locator("#progress")).to_have_attribute("value", f"{number / 4:g}")
        await expect(page.locator("#progress-text")).to_have_text(f"{number} of 4")
        await expect(page.locator("#log > li").last).to_contain_text(f"at {number}")
    await expect(page.locator("#outcome")).to_be_hidden()
    site.stage.release()
    await phase(page, "done")
    assert await outcome(page) == {"walked": "4"}
    await expect(page.locator("#events")).to_have_text("10")  # started, four times a log line and a step, complete
    await expect(page.locator("#lost")).to_have_text("0")
    await expect(page.locator("#connection")).to_have_text("closed")
    await expect(page).to_have_title("Done · walk")
    assert await page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
    protocols = await page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.nextHopProtocol)")
    assert set(protocols) == {"h2"}
    await expect(page.locator("#protocol")).to_have_text("HTTP/2")


async def test_what_a_called_tool_sends_is_shown_with_its_name(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    site.stage.release(2)
    await run(page, "travel")
    await expect(page.locator("#progress")).to_have_attribute("value", "0.5")
    await expect(page.locator("#log > li")).to_contain_text(["there"])
    await expect(page.locator("#messages > li .tag")).to_have_text(["there"])
    await expect(page.locator("#steps > li h4 .tag")).to_have_text(["there"])
    await expect(page.locator("#newest")).to_have_text("there · arrived")
    site.stage.release(2)
    await phase(page, "done")
    await expect(page.locator("#progress-text")).to_have_text("100 %")
    await expect(page.locator("#messages > li")).to_have_text([re.compile("there.*step 1"), re.compile("back.*step 1")])


async def test_a_second_run_starts_clean(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    site.stage.release(3)
    await run(page, "walk", count="2")
    await phase(page, "done")
    await run(page, "fails")
    await phase(page, "failed")
    await expect(page.locator("#messages > li")).to_have_count(0)
    await expect(page.locator("#messages-section")).to_be_hidden()
    await expect(page.locator("#log > li")).to_have_count(0)
    await expect(page.locator("#outcome-body")).to_contain_text("The well is dry.")
    await expect(page.locator("#outcome-body")).to_contain_text("Wait for rain.")
    await expect(page.locator("#outcome-body code")).to_have_text("tool_failed")


async def test_heartbeats_tick_and_the_cap_ends_the_run(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await page.locator("#limits summary").click()
    await page.locator("#heartbeat-seconds").fill("0.5")
    await page.locator("#cap-seconds").fill("3")
    await run(page, "walk")
    await phase(page, "running")
    await expect(page.locator("#time-text")).to_contain_text("of 3 s")
    await expect(page.locator("#heartbeats")).to_have_text("2, last 0 s ago")
    await phase(page, "failed")
    await expect(page.locator("#outcome-body code")).to_have_text("time_cap")
    assert int(await page.locator("#heartbeats").text_content() or "") >= 3
    assert float(await page.locator("#time").get_attribute("value") or 0) > 0.8
    await expect(page.locator("#lost")).to_have_text("0")  # heartbeats are not counted as events
    await expect(page.locator("#events")).to_have_text("2")
    assert site.stage.stopped.is_set()


@pytest.mark.parametrize(("tool", "params"), [("walk", {}), ("change", {"amount": "3"})])
async def test_cancel_stops_the_tool(site: Site, visitor: Visitor, tool: str, params: dict[str, str]) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, tool, **params)
    await phase(page, "running")
    await page.get_by_role("button", name="Cancel").click()
    await phase(page, "cancelled")
    await expect(page.locator("#outcome-body code")).to_have_text("cancelled")
    assert site.stage.stopped.is_set()
    await expect(page.locator("#cancel")).to_have_attribute("aria-disabled", "true")
    await expect(page.locator("#start")).to_have_attribute("aria-disabled", "false")


async def test_what_may_change_something_is_posted_and_then_followed(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    requests: list[tuple[str, str]] = []
    page.on("request", lambda one: "/page/" in one.url or requests.append((one.method, one.url)))
    await run(page, "change", amount="3")
    await expect(page.locator("#progress")).to_have_attribute("value", "0.5")
    site.stage.release()
    await phase(page, "done")
    assert await outcome(page) == {"changed": "3"}
    assert [method for method, _ in requests] == ["POST", "GET"]
    assert requests[0][1].endswith("/runs")
    assert "/runs/" in requests[1][1]
    assert site.stage.begun == 1


async def test_what_is_missing_is_said_beside_its_field_and_nothing_is_sent(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await page.locator("#tool").select_option("change")
    requests: list[str] = []
    page.on("request", lambda request: "/page/" in request.url or requests.append(request.url))
    await page.locator("#start").click()
    amount = page.locator('[data-name="amount"] input')
    await expect(amount).to_be_focused()
    await expect(amount).to_have_attribute("aria-invalid", "true")
    await expect(amount).to_have_accessible_description("Please fill this in.")
    assert requests == []
    assert site.stage.begun == 0


@pytest.mark.parametrize("tool", ["shapes", "change"])
async def test_what_the_server_refuses_is_said_beside_its_field(site: Site, visitor: Visitor, tool: str) -> None:
    page = await visitor.open(site.server.tls_url)
    await page.locator("#tool").select_option(tool)
    await page.locator("#as-json").click()
    await page.locator("#param-whole").fill('{"text": "ok", "amount": "x", "whole": [1]}')
    await page.locator("#start").click()
    await phase(page, "failed")
    await expect(page.locator("#outcome-body code")).to_have_text("invalid_params")
    await expect(page.locator("#param-whole-problem")).to_contain_text("amount")
    await expect(page.locator("#gauges")).to_be_hidden()
    visitor.forgive("status of 422")


async def test_every_kind_of_parameter_arrives_as_it_was_typed(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await page.locator("#tool").select_option("shapes")

    def control(name: str) -> Any:
        return page.locator(f'[data-name="{name}"]').locator("input, textarea, select")

    await control("text").fill("a b")
    await control("whole").fill("7")
    await control("real").fill("-0.25")
    await control("yes").uncheck()
    await control("mode").select_option(label="full")
    await control("maybe").fill("true")
    await control("names").fill("x\ny y")
    await control("numbers").fill("3\n-4")
    await control("extra").fill("4")
    await control("either").fill('"5"')
    expected = {
        "text": "a b", "whole": 7, "real": -0.25, "yes": False, "mode": "full", "maybe": "true", "names": ["x", "y y"],
        "numbers": [3, -4], "extra": {"depth": 4}, "either": "5",
    }  # fmt: skip
    words = shlex.split(await page.locator("#curl").inner_text())
    assert json.loads(words[words.index("-d") + 1]) == {"tool": "shapes", "params": expected}
    await page.locator("#start").click()
    await phase(page, "done")
    await page.locator("#raw-section summary").click()
    last = await page.locator("#raw > li:not(.note) > span:last-child").last.inner_text()
    assert json.loads(last.removeprefix("data: "))["data"] == expected


async def test_cleared_controls_leave_the_defaults_to_the_server(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await page.locator("#tool").select_option("shapes")
    await page.locator('[data-name="text"] input').fill("ab")
    for name in ("whole", "real", "names"):
        await page.locator(f'[data-name="{name}"]').locator("input, textarea").fill("")
    await page.locator("#start").click()
    await phase(page, "done")
    shown = await outcome(page)
    assert (shown["whole"], shown["real"], shown["names"], shown["either"]) == ("5", "1.5", "none", "x")


async def test_editing_as_json_keeps_what_was_typed(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await page.locator("#tool").select_option("change")
    await page.locator('[data-name="amount"] input').fill("12")
    await page.locator("#as-json").click()
    assert json.loads(await page.locator("#param-whole").input_value()) == {"amount": 12}
    await page.locator("#param-whole").fill('{"amount": 13}')
    await page.locator("#as-json").click()
    await expect(page.locator('[data-name="amount"] input')).to_have_value("13")


async def test_what_a_tool_sends_is_text_wherever_it_is_shown(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "hostile")
    await phase(page, "done")
    await expect(page.locator("#tool-description")).to_contain_text("<b>Describes</b>")
    await expect(page.locator("#steps h4")).to_have_text(HOSTILE)
    assert (await outcome(page))["text"] == HOSTILE
    await page.locator("#raw-section summary").click()
    assert await page.locator("main").locator("img, script, b, iframe").count() == 0
    await expect(page).to_have_title("Done · hostile")


async def test_what_is_long_is_folded_and_drawn_when_it_is_opened(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = """async (value) => {
      const { render } = await import("/page/value.js");
      document.querySelector("main").replaceChildren(render(value));
    }"""
    deep: Any = "the bottom"
    for _ in range(20):
        deep = {"in": deep}
    many = [{"message": f"finding {n}", "found": {"at": [n]}} for n in range(200)]
    await page.evaluate(script, {"many": many, "none": None, "deep": deep})
    main = page.locator("main")
    await expect(main.get_by_text("finding 0")).to_have_count(0)
    await main.get_by_text("200 entries").click()
    await expect(main.get_by_text("finding 0")).to_be_visible()
    await expect(main.get_by_text("and 150 more")).to_be_visible()
    await expect(main.get_by_text("the bottom")).to_be_visible()  # as JSON text, after some levels of tables
    await expect(main.locator("dt", has_text="Without a value")).to_have_count(1)


async def test_a_flood_is_counted_and_only_its_end_is_drawn(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "flood")
    await phase(page, "done")
    await expect(page.locator("#events")).to_have_text("5,002")
    await expect(page.locator("#lost")).to_have_text("0")
    await expect(page.locator("#messages > li")).to_have_count(200)
    await expect(page.locator("#messages > li").last).to_contain_text("drop 4999")
    await expect(page.locator("#messages-dropped")).to_have_text("4,800 earlier messages are no longer shown.")
    await expect(page.locator("#messages-count")).to_have_text("5000 messages")
    assert await page.locator("#raw > li").count() <= 400
