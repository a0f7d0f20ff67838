"""docs/dependencies.md has a line for each dependency that pyproject.toml names, and none for one that is gone."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~;\s]", requirement, maxsplit=1)[0].lower()


def test_every_dependency_has_its_reason_and_every_reason_its_dependency() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = list(data["project"]["dependencies"])
    for requirements in data["project"]["optional-dependencies"].values():
        declared += [each for each in requirements if not each.startswith("mcp-app")]
    text = (ROOT / "docs" / "dependencies.md").read_text()
    core_and_extras = text.split("## For development")[0]
    documented = re.findall(r"^\| ([a-z0-9-]+)(?:\[[a-z0-9,]+\])? `[<>=]", core_and_extras, re.MULTILINE)
    assert sorted(documented) == sorted({name_of(each) for each in declared})
    development = text.split("## For development")[1].split("\n## ")[0]
    for requirement in data["dependency-groups"]["dev"]:
        if isinstance(requirement, str):
            assert re.search(rf"\b{re.escape(name_of(requirement))}\b", development), requirement


def test_the_documented_ranges_are_the_declared_ones() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())
    text = (ROOT / "docs" / "dependencies.md").read_text()
    for requirement in data["project"]["dependencies"]:
        bounds = requirement[len(name_of(requirement)) :].partition(";")[
            0
        ]  # where it is not installed is said in words
        assert re.search(rf"^\| {name_of(requirement)} `{re.escape(bounds)}`[ ,]", text, re.MULTILINE)
