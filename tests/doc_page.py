"""A page of the documentation as its parts: blocks, tables, headings, links. Not a test.

Only what these pages use of Markdown is read (CommonMark fenced code, GitHub's tables and heading anchors).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PAGES = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "examples/*.md", "certs/*.md") for path in ROOT.glob(pattern)
)

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>```+)(?P<info>[^`]*)$")
_HEADING = re.compile(r"^(#{1,6}) +(.*?) *#*$")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_CODE_SPAN = re.compile(r"(`+).+?\1")


@dataclass(frozen=True)
class Block:
    """One fenced block: the first word after the fence, the words after that, its text, and where it stands."""

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def file_name(self) -> str | None:
        """The name of the file that the block is: it begins with a comment line of nothing but that name."""
        match = re.match(r"(?:#|//) ([A-Za-z0-9_./-]+\.[a-z]+)\n", self.text)
        return match[1] if match else None


def blocks(page: Path, *languages: str) -> list[Block]:
    """The fenced blocks of a page in their order; of these languages, if any are named."""
    found = list(_blocks(page))
    return [block for block in found if block.language in languages] if languages else found


def _blocks(page: Path) -> Iterator[Block]:
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(), 1))
    for number, line in lines:
        opening = _FENCE.match(line)
        if opening is None:
            continue
        indent, fence = len(opening["indent"]), opening["fence"]
        language, *words = opening["info"].split() or [""]
        body: list[str] = []
        for _, inner in lines:
            if inner.strip() == fence:
                break
            body.append(inner[indent:])
        else:
            raise AssertionError(f"{page}:{number}: a fence that is never closed")
        yield Block(page, number, language, tuple(words), "".join(f"{line}\n" for line in body))


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    kept: list[str] = []
    fence = ""
    for line in page.read_text(encoding="utf-8").splitlines():
        match = _FENCE.match(line)
        if fence:
            fence = "" if line.strip() == fence else fence
        elif match:
            fence = match["fence"]
        else:
            kept.append(line)
    return "\n".join(kept)


def section(page: Path, heading: str) -> str:
    """What stands under a heading, up to the next one of its level or above. Fails when there is no such heading."""
    lines = prose(page).splitlines()
    levels = {number: match for number, line in enumerate(lines) if (match := _HEADING.match(line))}
    start = next((number for number, match in levels.items() if match[2] == heading), None)
    assert start is not None, f"{page.name} has no heading {heading!r}"
    level = len(levels[start][1])
    body: list[str] = []
    for line in lines[start + 1 :]:
        match = _HEADING.match(line)
        if match and len(match[1]) <= level:
            break
        body.append(line)
    return "\n".join(body)


def rows(text: str) -> list[list[str]]:
    """The rows of all tables in the text, without their heads; each cell stripped, `\\|` read as a bar."""
    found: list[list[str]] = []
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if not line.startswith("|"):
            continue
        following = lines[index + 1] if index + 1 < len(lines) else ""
        if re.fullmatch(r"\|[\s:|-]+\|", line) or re.fullmatch(r"\|[\s:|-]+\|", following):
            continue
        cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
        found.append([cell.strip().replace("\\|", "|") for cell in cells])
    return found


def codes(cell: str) -> list[str]:
    """The code spans of a cell."""
    return re.findall(r"`([^`]+)`", cell)


def links(page: Path) -> list[str]:
    """Where the links of the page's prose lead."""
    return _LINK.findall(_CODE_SPAN.sub("", prose(page)))


def anchors(page: Path) -> set[str]:
    """The fragments by which GitHub's pages can be linked into: of headings, lower case, spaces as hyphens."""
    found: set[str] = set()
    for line in prose(page).splitlines():
        match = _HEADING.match(line)
        if match:
            text = re.sub(r"[^\w\- ]", "", match[2].lower().replace("`", ""))
            found.add(text.replace(" ", "-"))
    return found
