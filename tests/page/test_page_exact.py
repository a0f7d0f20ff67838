"""Integers beyond 2^53 are what they are: in what is shown, in the command line, in the address, in the call."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from page_visitor import BY_ONE_DOOR, Site, Visitor, phase, run
from playwright.async_api import Page, expect
from result_tools import BEYOND_A_DOUBLE

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session"), BY_ONE_DOOR]

INTEGERS = [BEYOND_A_DOUBLE, 2**53 + 1, 2**63, 2**64 + 1, 10**30, -(2**53) - 1, 2**53, 1, 0]


async def command(page: Page) -> Any:
    words = shlex.split(await page.locator("#curl").inner_text())
    return json.loads(words[words.index("-d") + 1])


@pytest.mark.parametrize("number", INTEGERS)
async def test_an_integer_is_shown_and_sent_as_it_was_typed(site: Site, visitor: Visitor, number: int) -> None:
    page = await visitor.open(site.server.tls_url)
    extra = f'{{"a": {number}}}'
    await run(page, "big", number=str(number), extra=extra)
    await phase(page, "done")
    assert (await command(page))["params"] == {"number": number, "extra": {"a": number}}
    rows = page.locator("#outcome-body .report > dl > div")
    shown = {await row.get_attribute("data-key"): await row.locator("> dd").inner_text() for row in await rows.all()}
    assert shown["own"] == str(BEYOND_A_DOUBLE)
    assert shown["text"] == str(number)  # what the tool got
    assert shown["number"] == str(number)
    assert shown["extra"].split() == ["A", str(number)]
    await page.reload()
    await phase(page, "done")
    assert (await command(page))["params"] == {"number": number, "extra": {"a": number}}


async def test_the_result_is_copied_exactly(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url, permissions=["clipboard-read", "clipboard-write"])
    await run(page, "big", number=str(2**53 + 1))
    await phase(page, "done")
    await page.get_by_role("button", name="Copy as JSON").click()
    await expect(page.locator("#copy-outcome")).to_have_text("Copied")
    copied = json.loads(await page.evaluate("navigator.clipboard.readText()"))
    assert copied == {"number": 2**53 + 1, "extra": None, "own": BEYOND_A_DOUBLE, "text": str(2**53 + 1)}


async def test_a_posted_call_is_exact_as_well(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    async with page.expect_request(lambda request: request.method == "POST") as posted:
        await run(page, "change", amount=str(2**60 + 1))
    site.stage.release()
    await phase(page, "done")
    assert json.loads((await posted.value).post_data or "")["params"] == {"amount": 2**60 + 1}
    await expect(page.locator("#outcome-body")).to_contain_text(str(2**60 + 1))


TEXTS = [
    f'{{"a": {BEYOND_A_DOUBLE}, "b": [1, -{2**64}, 1.5, 0.1, 1e400], "c": "{BEYOND_A_DOUBLE}"}}',
    f'"\\" {BEYOND_A_DOUBLE} \\\\"', f'{{"{BEYOND_A_DOUBLE}": {BEYOND_A_DOUBLE}}}', str(BEYOND_A_DOUBLE), "[]", "null",
    '{"__proto__": 12345678901234567890}',
]  # fmt: skip


async def test_json_comes_back_as_it_was_read(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = "async (text) => { const e = await import('/page/exact.js'); return e.stringify(e.parse(text), 2); }"
    for text in TEXTS:
        again = await page.evaluate(script, text)
        expected = json.loads(text.replace("1e400", "null"))  # no number of JSON's that anybody could hold
        assert json.loads(again) == expected, text


async def test_integers_beside_fractions_of_many_digits_are_exact_too(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = "async (text) => { const e = await import('/page/exact.js'); return e.stringify(e.parse(text)); }"
    for number in ("9007199254740993", "-9007199254740993", "12345678901234567890"):
        for text in (f"[0.14285714285714285,{number}]", f'{{"a":{number},"b":1.5}}', number):
            assert await page.evaluate(script, text) == text
    assert await page.evaluate(script, "[0.12345678901234567890123,1e22]") == "[0.12345678901234568,1e+22]"


async def test_what_is_no_json_is_refused_whatever_is_in_it(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = """async (text) => {
      const { parse } = await import("/page/exact.js");
      try { parse(text); return "read"; } catch (error) { return error.name; }
    }"""
    for text in (
        "{12345678901234567890: 1}",
        "[012345678901234567890]",
        "12345678901234567890n",
        "[1 2345678901234567890]",
    ):
        assert await page.evaluate(script, text) == "SyntaxError", text


async def test_no_text_passes_for_a_number(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = """async () => {
      const { parse, stringify } = await import("/page/exact.js");
      const seen = [];
      const text = JSON.stringify;
      JSON.stringify = (value, replace, indent) => text(value, (key, part) => {
        const replaced = replace?.(key, part) ?? part;
        if (typeof replaced === "string") seen.push(replaced);
        return replaced;
      }, indent);
      stringify([2n ** 60n]);
      JSON.stringify = text;
      return seen;
    }"""
    first = await page.evaluate(script)
    await page.reload()
    assert await page.evaluate(script) != first  # the mark is another one in each page
