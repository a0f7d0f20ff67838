"""A workflow: its steps as a tree with a clock each while they work, and each step's result drawn as what it is."""

from __future__ import annotations

import re

import pytest
from page_visitor import BY_ONE_DOOR, Site, Visitor, phase, run
from playwright.async_api import Locator, Page, expect

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session"), BY_ONE_DOOR]


def step(page: Page, name: str) -> Locator:
    """What is said of one step, without the steps below it."""
    return page.locator("#tree .node").filter(has=page.locator(".node-name", has_text=name))


async def told(page: Page) -> list[str]:
    """The tree as it is read: the depth, the state and the name of each step."""
    script = """() => [...document.querySelectorAll("#tree .node")].map((node) => {
      let depth = 0;
      for (let at = node.closest("ol"); at.id !== "tree"; at = at.parentElement.closest("ol")) depth += 1;
      const [name, state] = node.querySelector(".node-name").innerText.trim().split(/\\s+/);
      return `${"> ".repeat(depth)}${name} ${state}`;
    })"""
    said: list[str] = await page.evaluate(script)
    return said


async def test_steps_are_a_tree_while_they_work(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "flow")
    await expect(step(page, "fetch")).to_contain_text("fetch: 1 of 3")
    assert await told(page) == ["load running", "> fetch running"]
    await expect(step(page, "fetch").get_by_role("progressbar")).to_have_attribute("value", "0.3333333333333333")
    await expect(page.locator("#tree-count")).to_have_text("2 running · 2 steps")
    await expect(step(page, "load").locator(".number")).to_have_text(re.compile(r"\d s$"))
    site.stage.release()
    await expect(step(page, "parse")).to_contain_text("parse: 1 of 3")
    assert await told(page) == ["load running", "> fetch done", "> parse running"]
    site.stage.release()
    await expect(step(page, "mail")).to_contain_text("connecting to the mail server")
    assert await told(page) == [
        "load ok", "> fetch done", "> parse done", "orders ok", "profile ok", "mail running",
    ]  # fmt: skip
    await expect(step(page, "orders")).to_contain_text("attempt 2 · 100 rows")
    await expect(step(page, "load").locator(".number")).to_have_text("4.3 s")
    ended = page.locator("#arrived .flow-step")  # each as soon as it has ended, with what it sent
    await expect(ended.locator("h4").first).to_have_text("load")
    await expect(ended.nth(1).locator(".rows .under .hint")).to_have_text("100 rows")
    await expect(ended.nth(2).locator(".finding")).to_have_count(9)
    site.stage.release()
    await phase(page, "done")


async def test_the_result_has_how_each_step_went_and_its_own_result(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "flow")
    site.stage.release(3)
    await phase(page, "done")
    assert await told(page) == [
        "load ok", "> fetch done", "> parse done", "orders ok", "profile ok", "mail failed", "report skipped",
    ]  # fmt: skip
    await expect(step(page, "load").locator(".number")).to_have_text("4.3 s")
    await expect(step(page, "mail")).to_contain_text("The mail server refused the address.")
    await expect(step(page, "report")).to_contain_text("It needs mail, which failed.")
    steps = page.locator("#outcome-body .flow-step")
    assert await steps.locator(".flow-head .status").all_inner_texts() == [
        "✓ ok",
        "✓ ok",
        "✓ ok",
        "✗ failed",
        "\u2013 skipped",
    ]
    await expect(page.locator("#outcome-body .lead").first).to_have_text("5 steps: 3 ok, 1 failed, 1 skipped")
    await expect(steps.nth(1).locator(".flow-head")).to_contain_text("query · 2 attempts · 1.5 s")
    await expect(steps.nth(1).locator(".rows .under .hint")).to_have_text("100 rows")  # all that was streamed
    await expect(steps.nth(2).locator(".finding")).to_have_count(9)
    await expect(steps.nth(3)).to_contain_text("The mail server refused the address.")
    await expect(page.locator("#arrived-section")).to_be_hidden()


async def test_a_cancelled_workflow_keeps_its_tree_and_what_arrived(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "flow")
    site.stage.release(2)
    await expect(step(page, "mail")).to_be_visible()
    await page.get_by_role("button", name="Cancel").click()
    await phase(page, "cancelled")
    assert (await told(page))[-1] == "mail over"
    await expect(page.locator("#arrived .flow-step .rows .under .hint").first).to_have_text("100 rows")
    await expect(page.locator("#tree-count")).to_have_text("6 steps")


async def test_of_many_steps_the_results_are_behind_a_line_each(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "long_flow")
    await phase(page, "done")
    steps = page.locator("#outcome-body .flow-step")
    await expect(steps).to_have_count(12)
    await expect(page.locator("#outcome-body .rows:visible")).to_have_count(7)  # six, and one that is left out
    await expect(page.locator("#arrived-section")).to_be_hidden()  # what is behind a line stands nowhere else
    eighth = steps.nth(7)
    await eighth.get_by_text("8 rows").click()
    await expect(eighth.locator(".rows tbody tr")).to_have_count(8)
    await expect(steps.nth(11).locator(".rows tbody tr")).to_have_count(8)  # it was streamed all the same
    await expect(page.locator("#outcome-body")).to_contain_text("The result of q11 is left out.")


async def test_a_tool_that_calls_others_has_a_tree_too(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "travel")
    await expect(page.locator("#run")).to_have_attribute("data-phase", "running")
    site.stage.release(4)
    await phase(page, "done")
    assert await told(page) == ["there done", "back done"]


async def test_a_step_works_from_its_first_event_until_all_is_done_or_more_is_heard(
    site: Site, visitor: Visitor
) -> None:
    page = await visitor.open(site.server.tls_url)
    script = """async () => {
      const { StepTree, workedFor } = await import("/page/steptree.js");
      const tree = new StepTree();
      const states = [];
      const told = (step, now) => [step.name, step.state, workedFor(step, now)];
      const look = (now) => states.push([...tree.root.steps.values()].map((step) => told(step, now)));
      tree.take(["a"], { words: "begins" }, 1);
      look(3);
      tree.take(["a"], { done: 1, total: 1 }, 4);
      look(9);
      tree.take(["a", "b"], { words: "more" }, 10);
      look(11);
      tree.take(["c"], {}, null);
      look(12);
      tree.settle([{ id: "a", status: "ok", seconds: 8 }, { id: "d", status: "skipped", seconds: 0 }], [], 13);
      tree.end(tree.root, 14);
      look(20);
      tree.take(["a#2"], { words: "again" }, 15);
      states.push([tree.root.steps.get("a").attempt, tree.root.steps.has("a#2")]);
      for (let n = 0; n < 1000; n += 1) tree.take([`n${n}`], {}, 0);
      return [states, tree.count, tree.left];
    }"""
    states, count, left = await page.evaluate(script)
    assert states == [
        [["a", "running", 2]],
        [["a", "done", 3]],
        [["a", "running", 10]],
        [["a", "running", 11], ["c", "running", None]],
        [["a", "ok", 8], ["c", "over", None], ["d", "skipped", None]],
        ["2", False],
    ]
    assert (count, left) == (300, True)
