"""The threats of docs/security.md, as its tables have them. Not a test."""

from __future__ import annotations

import tomllib
from typing import NamedTuple

from doc_page import ROOT, codes, rows, section

PAGE = ROOT / "docs" / "security.md"
DEFENCES = ROOT / "tests" / "proofs" / "defences.toml"


class Threat(NamedTuple):
    """One row: what is feared, what stands against it, the tests that show it, what is not covered."""

    name: str
    defence: str
    tests: tuple[str, ...]
    left: str


class Edit(NamedTuple):
    """`old`, which stands once in `file`, is replaced by `new`."""

    file: str
    old: str
    new: str


class Defence(NamedTuple):
    """What removes a defence: all of these edits at once. They are several where it is there twice."""

    threat: str
    edits: tuple[Edit, ...]

    @property
    def name(self) -> str:
        return f"{self.threat}: {self.edits[0].file}"


def threats() -> list[Threat]:
    """All rows under the heading Threats."""
    found = rows(section(PAGE, "Threats"))
    return [Threat(row[0], row[1], tuple(codes(row[2])), row[3]) for row in found]


def defences() -> list[Defence]:
    """All entries, in their order; a threat may have several."""
    found = tomllib.loads(DEFENCES.read_text(encoding="utf-8"))["defence"]
    return [Defence(each["threat"], tuple(Edit(**edit) for edit in each["edit"])) for each in found]
