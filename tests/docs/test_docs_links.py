"""Every link between the pages leads somewhere, and every page can be reached from the README."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from doc_page import PAGES, ROOT, anchors, links


def inner(page: Path) -> Iterator[tuple[str, Path, str]]:
    """(link, the file it leads to, its fragment) for each link that stays in the repository."""
    for link in links(page):
        if "://" not in link:
            path, _, fragment = link.partition("#")
            yield link, (page.parent / path).resolve() if path else page, fragment


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link, target, fragment in inner(page):
        assert target.exists(), f"{link}: there is no such file"
        if fragment:
            assert fragment in anchors(target), f"{link}: {target.name} has {sorted(anchors(target))}"


def test_every_page_of_docs_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page.suffix == ".md" and page not in reached:
            reached.add(page)
            waiting += [target for _, target, _ in inner(page)]
    assert not sorted(str(page.relative_to(ROOT)) for page in set((ROOT / "docs").glob("*.md")) - reached)


def test_a_broken_link_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `Head`, two!\n[a](#a-head-two) [b](gone.md#x) `[c](code.md)`\n```text\n[d](block.md)\n```\n")
    assert [link for link, _, _ in inner(page)] == ["#a-head-two", "gone.md#x"]
    assert anchors(page) == {"a-head-two"}
