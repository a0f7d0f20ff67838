"""Parameters that are objects are asked for field by field; hints are sentences; secrets are kept nowhere."""

from __future__ import annotations

import json

import pytest
from page_visitor import BY_ONE_DOOR, Site, Visitor, phase, run
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session"), BY_ONE_DOOR]


def field(page: Page, *path: str) -> str:
    return " ".join(f'[data-name="{name}"]' for name in path) + " input"


async def sent(page: Page) -> dict[str, object]:
    await page.locator("#as-json").click()
    params: dict[str, object] = json.loads(await page.locator("#param-whole").input_value())
    await page.locator("#as-json").click()
    return params


async def test_an_object_is_a_group_of_fields(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await page.locator("#tool").select_option("greet")
    await expect(page.get_by_role("group", name="customer required")).to_be_visible()
    await expect(page.get_by_role("group", name="address required")).to_be_visible()
    await expect(page.get_by_role("group", name="gift optional")).to_be_visible()  # not "Address", its class
    await page.locator(field(page, "customer", "name")).first.fill("Ada")
    await page.locator(field(page, "customer", "address", "street")).fill("Ring 1")
    await page.locator(field(page, "password")).fill("secret-word")
    await page.locator("#start").click()
    await phase(page, "done")
    await expect(page.locator('#outcome-body [data-key="city"] dd')).to_have_text("Berlin")
    await expect(page.locator("#outcome-body")).to_contain_text("Gift")  # among those without a value


async def test_an_optional_object_is_left_out_until_something_in_it_is_changed(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await page.locator("#tool").select_option("greet")
    await page.locator(field(page, "customer", "name")).first.fill("Ada")
    await page.locator(field(page, "customer", "address", "street")).fill("Ring 1")
    customer = {"name": "Ada", "address": {"street": "Ring 1", "city": "Berlin"}}
    assert await sent(page) == {"customer": customer}
    await page.locator(field(page, "gift", "street")).fill("Elbe 2")
    assert await sent(page) == {"customer": customer, "gift": {"street": "Elbe 2", "city": "Berlin"}}
    assert await sent(page) == {"customer": customer, "gift": {"street": "Elbe 2", "city": "Berlin"}}  # and it stays


async def test_what_is_wrong_inside_of_an_object_is_said_there(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await page.locator("#tool").select_option("greet")
    await page.locator(field(page, "customer", "name")).first.fill("Ada")
    await page.locator("#start").click()
    street = page.locator(field(page, "customer", "address", "street"))
    await expect(street).to_be_focused()
    await expect(street).to_have_accessible_description("Please fill this in.")
    await expect(page.locator(field(page, "gift", "street"))).not_to_have_attribute("aria-invalid", "true")
    script = """async () => {
      const { ParamsForm } = await import("/page/form.js");
      const schema = { type: "object", properties: { a: { type: "object", properties: { b: { type: "string" } } } } };
      const form = new ParamsForm(document.createElement("div"), () => {});
      form.show(schema, false);
      const homeless = form.complain([{ field: "params.a.b", problem: "no" }, { field: "params.a", problem: "none" },
        { field: "params.a.b.0", problem: "zero" }, { field: "params.z", problem: "what" }]);
      return [form.rows.get("a.b").problem.textContent, homeless.map((one) => one.field)];
    }"""
    assert await page.evaluate(script) == ["no; a: none; a.b.0: zero", ["params.z"]]


async def test_a_secret_is_in_no_address_and_in_no_list(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await page.locator("#tool").select_option("greet")
    await page.locator(field(page, "customer", "name")).first.fill("Ada")
    await page.locator(field(page, "customer", "address", "street")).fill("Ring 1")
    await page.locator(field(page, "password")).fill("secret-word")
    await page.locator("#start").click()
    await phase(page, "done")
    kept = await page.evaluate("JSON.stringify([location.href, { ...sessionStorage }, { ...localStorage }])")
    assert "Ring" in kept
    assert "secret-word" not in kept


async def test_hints_are_sentences_and_numbers_in_them_are_grouped(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await page.locator("#tool").select_option("walk")
    await expect(page.locator('[data-name="count"] .hint')).to_have_text("How many. From 1 to 5000.")
    script = """async (field) => (await import("/page/controls.js")).hintOf(field)"""
    many = {"description": "how many darts", "kind": "integer", "schema": {"minimum": 1, "maximum": 10_000_000_000}}
    assert await page.evaluate(script, many) == "how many darts. From 1 to 10,000,000,000."
    json_field = {"description": "where to", "kind": "json", "required": True, "schema": {}}
    assert await page.evaluate(script, json_field) == "where to. As JSON."


async def test_json_has_a_template_to_begin_with(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = """async (schema) => (await import("/page/schema.js")).template(schema, schema) ?? null"""
    person = {
        "type": "object",
        "properties": {"street": {"type": "string"}, "city": {"type": "string", "default": "Berlin"}},
    }
    assert await page.evaluate(script, person) == {"street": "", "city": "Berlin"}
    assert await page.evaluate(script, {"type": "array", "items": person}) == [{"street": "", "city": "Berlin"}]
    assert await page.evaluate(script, {"enum": ["a", "b"]}) == "a"
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
    circle = {"$ref": "#/$defs/Node", "$defs": {"Node": node}}
    assert await page.evaluate(script, circle) == {"next": {"next": {"next": {}}}}  # a circle ends
    assert await page.evaluate(script, {}) is None
    await page.locator("#tool").select_option("big")
    await expect(page.locator('[data-name="extra"] textarea')).to_have_attribute("placeholder", "{}")


async def test_the_run_before_is_headed_as_such_when_another_tool_is_chosen(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "fails")
    await phase(page, "failed")
    await expect(page.locator("#run-heading")).to_have_text("fails")
    await page.locator("#tool").select_option("walk")
    await expect(page.locator("#run-heading")).to_have_text("Last run: fails")
    await page.locator("#tool").select_option("fails")
    await expect(page.locator("#run-heading")).to_have_text("fails")
