"""What tools send besides plain values: Markdown, pictures, sound, files, links. None of it is ever markup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from page_visitor import BY_ONE_DOOR, Site, Visitor, phase, run
from playwright.async_api import expect
from result_tools import picture

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="session"), BY_ONE_DOOR]


async def test_markdown_is_headings_lists_tables_and_code_and_never_html(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "notes")
    await phase(page, "done")
    body = page.locator("#outcome-body")
    await expect(body.get_by_role("heading", name="Sales", level=4)).to_be_visible()
    await expect(body.get_by_role("heading", name="Next", level=5)).to_be_visible()
    await expect(body.locator("strong")).to_have_text("4 %")
    assert await body.locator("td").all_inner_texts() == ["DE", "1200", "FR", "80"]
    await expect(body.locator("ul ul li")).to_have_text("about the shop")
    await expect(body.locator("pre")).to_have_text("select 1 < 2")
    link = body.get_by_role("link")
    await expect(link).to_have_count(1)  # the one to javascript: is none
    assert await link.get_attribute("href") == "https://shop.example/"
    assert await link.get_attribute("rel") == "noopener noreferrer nofollow"
    await expect(body).to_contain_text("<img src=x onerror=")
    await expect(body.locator("img, script, iframe")).to_have_count(0)
    assert await page.title() == "Done · notes"


HOSTILE_PIECES = [
    "`",
    "``a",
    "**",
    "*a ",
    "_a",
    "[",
    "![a](",
    "[a](b",
    "#",
    "# ",
    "* ",
    "|",
    "|-",
    "-|",
    "> ",
    "- a",
    "1. ",
    " ",
    "~~~",
    "a\\|",
]
"""Each is repeated: in one line of 20,000 characters, in 50 lines as long as are still looked into, and as lines."""


async def test_no_text_makes_the_page_slow_or_fail(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = """async (texts) => {
      const { isMarkdown, markdown } = await import("/page/markdown.js");
      return texts.map((text) => { isMarkdown(text); return markdown(text).querySelectorAll("*").length; });
    }"""
    for piece in HOSTILE_PIECES:
        line = (piece * 2000)[:1999]
        texts = [
            piece * (20_000 // len(piece)),
            "\n".join([line] * 50),
            "\n".join([piece] * 5000),
            f"a\n{line}\n{line}x",
        ]
        counts = await page.evaluate(script, texts)  # within the page's patience, all of them
        assert all(count > 0 for count in counts if piece != " "), piece


DESCRIBED = """Delete what
is old.

Warning:
    Ask first.

Notes
-----
It cannot
be undone.

- one
- two
:returns: how many
:raises: never
>>> delete(1)
>>> delete(2)"""


async def test_a_description_is_read_in_paragraphs_with_its_sections(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = """async (text) => {
      const { unwrapped } = await import("/page/words.js");
      return unwrapped(text);
    }"""
    assert (await page.evaluate(script, DESCRIBED)).split("\n") == [
        "Delete what is old.",
        "",
        "Warning:",
        "    Ask first.",
        "",
        "Notes",
        "It cannot be undone.",
        *("", "- one", "- two", ":returns: how many", ":raises: never", ">>> delete(1)", ">>> delete(2)"),
    ]


async def test_what_is_nested_without_end_is_not(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = """async (text) => {
      const { markdown } = await import("/page/markdown.js");
      const depth = (node) => 1 + Math.max(0, ...[...node.children].map(depth));
      return depth(markdown(text));
    }"""
    for text in ("\n".join(" " * n + "- x" for n in range(1500)), "> " * 900 + "x", "*_**a**_* " * 100):
        assert 2 < await page.evaluate(script, text) < 25, text[:20]


async def test_which_texts_are_taken_for_markdown(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    script = "async (text) => (await import('/page/markdown.js')).isMarkdown(text)"
    for text in ("# A", "a\n\n- b\n- c", "|a|b|\n|--|--|\n|1|2|", "```\nx\n```", "so **bold**", "1. a\n2. b"):
        assert await page.evaluate(script, text), text
    for text in ("a - b", "#tag", "a * b * c", "2 ** 3 ** 4", "one\n- only", "a|b", "-----", "snake_case_name"):
        assert not await page.evaluate(script, text), text


async def test_pictures_sound_and_files_are_shown_played_and_handed_over(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "media")
    await phase(page, "done")
    body = page.locator("#outcome-body")
    await expect(body.locator("strong").first).to_have_text("Sales")
    image = body.get_by_role("img", name="Picture from the tool (image/png")
    await expect(image).to_be_visible()
    assert await image.evaluate("(one) => one.decode().then(() => [one.naturalWidth, one.naturalHeight])") == [160, 90]
    audio = body.locator("audio")
    assert await audio.get_attribute("aria-label") == "Sound from the tool (audio/wav, 1.6 kB)"
    length = """(one) => new Promise((resolve, reject) => {
      if (one.readyState > 0) resolve(one.duration);
      one.onloadedmetadata = () => resolve(one.duration);
      one.onerror = () => reject(one.error);
    })"""
    assert await audio.evaluate(length) == 0.1
    await expect(body).to_contain_text("text/csv, 8 bytes")
    await expect(body.get_by_role("link", name="report")).to_have_attribute("href", "https://shop.example/report")
    assert "iVBOR" not in await body.inner_text()
    assert visitor.complaints == []  # nothing against the policy


async def test_a_short_text_and_pictures_stand_above_the_data(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "summary")
    await phase(page, "done")
    body = page.locator("#outcome-body")
    await expect(body.locator("strong")).to_have_text("3 shops")
    await expect(body).to_contain_text("sell <b>it</b>.")
    assert await body.locator("img").evaluate("image => image.naturalWidth") == 160
    await expect(body).to_contain_text("A plot.")
    await expect(body.locator(".report")).to_contain_text("3")
    before = "([text, data]) => Boolean(text.compareDocumentPosition(data) & Node.DOCUMENT_POSITION_FOLLOWING)"
    handles = [await body.locator(each).element_handle() for each in (".contents", ".report")]
    assert await page.evaluate(before, handles)


async def test_without_data_nothing_stands_below_the_text(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "summary", shops="0")
    await phase(page, "done")
    await expect(page.locator("#outcome-body > *")).to_have_count(1)


async def test_a_file_is_downloaded_as_it_was_sent(site: Site, visitor: Visitor, tmp_path: Path) -> None:
    page = await visitor.open(site.server.tls_url)
    await run(page, "media")
    await phase(page, "done")
    for name, content in (
        ("image-2.png", picture()),
        ("sales.csv", b"a,b\n1,2\n"),
        ("page.html", b"<script>1</script>"),
    ):
        link = page.get_by_role("link", name=f"Download {name}")
        async with page.expect_download() as waiting:
            await link.click()
        download = await waiting.value
        assert download.suggested_filename == name
        await download.save_as(tmp_path / name)
        assert (tmp_path / name).read_bytes() == content


async def test_what_was_shown_is_let_go_with_the_next_run(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    await page.evaluate("""() => {
      const [make, revoke] = [URL.createObjectURL, URL.revokeObjectURL];
      window.held = new Set();
      URL.createObjectURL = (blob) => { const url = make.call(URL, blob); window.held.add(url); return url; };
      URL.revokeObjectURL = (url) => { window.held.delete(url); revoke.call(URL, url); };
    }""")
    await run(page, "media")
    await phase(page, "done")
    assert await page.evaluate("window.held.size") == 6  # picture, sound, and a download of each of four
    await run(page, "notes")
    await phase(page, "done")
    assert await page.evaluate("window.held.size") == 0


SCRIPT = """async (block) => {
  const { contents } = await import("/page/content.js");
  document.querySelector("main").replaceChildren(contents([block]));
}"""

BLOCKS: list[tuple[Any, str]] = [
    ({"type": "image", "data": "!", "mimeType": "image/png"}, "This picture is not readable base64."),
    ({"type": "image", "data": "AAAA", "mimeType": "image/png"}, "This browser can not show it."),
    ({"type": "audio", "data": None, "mimeType": "audio/wav"}, "This sound is not readable base64."),
    ({"type": "text", "text": "<b>x</b>"}, "<b>x</b>"),
    ({"type": "resource", "resource": {"uri": "file:///x/a.bin", "blob": "?"}}, "This file is not readable base64."),
    ({"type": "resource_link", "uri": "javascript:alert(1)", "name": "n"}, "n"),
    ({"type": "something_new", "value": 3}, "something_new"),
    (None, "none"),
]


async def test_a_result_that_was_too_large_for_an_event_is_a_link(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    path = "/api/v1/mcp/runs/0123/results/1"
    block = {"type": "resource_link", "uri": "run://0123/results/1", "name": "result-1.png", "url": path}
    await page.evaluate(SCRIPT, block)
    link = page.locator("main a")
    await expect(link).to_have_text("result-1.png")
    assert await link.evaluate("link => link.href") == f"{site.server.tls_url}{path}"


async def test_a_block_that_can_not_be_shown_says_so(site: Site, visitor: Visitor) -> None:
    page = await visitor.open(site.server.tls_url)
    for block, words in BLOCKS:
        await page.evaluate(SCRIPT, block)
        main = page.locator("main")
        await expect(main).to_contain_text(words)
        await expect(main.locator("a:not([download]), img, audio, b")).to_have_count(0)
