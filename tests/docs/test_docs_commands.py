"""Every command of the documentation does what its page shows: typed into a real shell, against a real server."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from doc_console import Session, pattern, steps, trimmed
from doc_page import PAGES, ROOT, Block, blocks

SHOWN = [page for page in PAGES if blocks(page, "console")]
SHELL = [block for page in PAGES for block in blocks(page, "sh")]


AT_ONCE = 3
"""Pages that are played beside each other: on two cores, more would make their commands wait for the machine."""


def test_the_pages_that_a_newcomer_reads_show_commands() -> None:
    names = {page.name for page in SHOWN}
    assert {"README.md", "tutorial.md", "how-to-write-tools.md", "how-to-long-work.md", "how-to-deploy.md"} <= names


def shown(page: Path) -> object:
    """The page as a parameter, with the programs that its blocks need."""
    browser = ["chromium"] if any("page" in block.words for block in blocks(page)) else []
    return pytest.param(page, marks=pytest.mark.needs("curl", *browser), id=str(page.relative_to(ROOT)))


@pytest.fixture(scope="module")
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], None]]:
    """seen(page) raises what differs. The pages that are asked for are played some at a time, the longest first: they
    wait for their servers more than they work."""
    tests = [
        item
        for item in request.session.items
        if getattr(item, "function", None) is test_what_a_page_shows_is_what_is_seen
    ]
    asked = {item.callspec.params["page"] for item in tests if isinstance(item, pytest.Function)}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        longest_first = sorted(asked, key=lambda page: -len(page.read_text()))
        playing = {page: pool.submit(play, page, tmp_path_factory.mktemp("reader")) for page in longest_first}
        yield lambda page: playing[page].result()


def play(page: Path, directory: Path) -> None:
    session = Session(directory)
    try:
        for block in blocks(page):
            session.play(block)
    finally:
        session.close()


@pytest.mark.time_bound(300)
@pytest.mark.parametrize("page", [shown(page) for page in SHOWN])
def test_what_a_page_shows_is_what_is_seen(page: Path, seen: Callable[[Path], None]) -> None:
    seen(page)


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.place)
def test_what_is_only_read_is_still_shell(block: Block) -> None:
    checked = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, timeout=10, check=False)
    assert checked.returncode == 0, checked.stderr


# --- the reading of a block itself ------------------------------------------------------------------------------------


def test_a_command_may_go_on_in_the_next_line() -> None:
    first, second = steps("$ curl \\\n    -N x\nout\n$ true\n")
    assert first.command == "curl \\\n    -N x"
    assert first.expected == ("out",)
    assert (second.command, second.expected) == ("true", ())


def test_an_ellipsis_is_anything_and_nothing_else_is() -> None:
    shown = pattern(("a … c", "…", "end", ""))
    assert shown.fullmatch(trimmed("a bb c\nx\n\ny\nend\n\n"))
    assert shown.fullmatch(trimmed("a  c\nend"))
    assert not shown.fullmatch(trimmed("a bb d\nend"))
    assert not shown.fullmatch(trimmed("a b c\nend\nmore"))
    assert not pattern(("a.c",)).fullmatch("abc\n")


def test_a_command_that_fails_is_a_failure_where_the_page_shows_nothing(tmp_path: Path) -> None:
    session = Session(tmp_path)
    with pytest.raises(AssertionError, match="exit status 3"):
        session.play(Block(ROOT / "README.md", 1, "console", (), "$ exit 3\n"))


def test_other_output_than_the_page_shows_is_a_failure(tmp_path: Path) -> None:
    session = Session(tmp_path)
    with pytest.raises(AssertionError, match="the page shows"):
        session.play(Block(ROOT / "README.md", 1, "console", (), "$ echo one\ntwo\n"))


def test_ctrl_c_is_pressed_when_the_lines_above_it_were_seen(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.play(
        Block(ROOT / "README.md", 1, "console", (), "$ trap 'echo bye; exit' INT; echo hi; sleep 30\nhi\n^C\nbye\n")
    )
