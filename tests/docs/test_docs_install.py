"""How the package is installed: no page, hint or generated file sends a reader to a package index that lacks it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from doc_page import PAGES, ROOT

HAD_FROM = r"\.(\[[a-z,]+\])?|\./mcp_app-\d[^ ']*\.whl(\[[a-z,]+\])?"
"""What `pip install` is told: a checkout or a wheel, until an index has the name; then `mcp-app` and its extras."""

_COMMAND = re.compile(r"(?:pip install|uvx?(?: tool (?:run|install))?(?: --from)?|pipx (?:install|run)) ([^\n`;|]+)")
_OURS = re.compile(r"mcp[-_]app(?![-_/\w])|\.(?=[\['])|\./")


def asked_for(text: str) -> list[str]:
    """The requirements in `text` that mean this package, as they are written."""
    words = [word.strip("'\"") for line in _COMMAND.findall(text) for word in re.findall(r"'[^']*'|\S+", line)]
    return [word for word in words if word == "." or _OURS.match(word)]


def texts() -> list[Path]:
    return [
        *PAGES,
        *sorted((ROOT / "mcp_app").rglob("*.py")),
        *sorted((ROOT / "examples").rglob("*.py")),
        ROOT / "Makefile",
    ]


def test_no_line_needs_an_index_that_lacks_the_name() -> None:
    found = [(path.name, word) for path in texts() for word in asked_for(path.read_text(encoding="utf-8"))]
    assert {word for _, word in found} >= {".[all]"}
    assert [each for each in found if not re.fullmatch(HAD_FROM, each[1])] == []


def test_a_line_that_does_would_be_seen() -> None:
    text = "pip install 'mcp-app[certs]', `pip install mcp-app`\nuvx mcp-app serve\npip install 'httpx[http2]' .\n"
    assert asked_for(text) == ["mcp-app[certs]", "mcp-app", "mcp-app", "."]


def test_the_readme_says_how() -> None:
    assert {".[all]", "./mcp_app-0.1.0-py3-none-any.whl[all]"} <= set(asked_for((ROOT / "README.md").read_text()))


def test_the_packages_that_the_hints_name_are_those_of_the_extras() -> None:
    """A hint names the libraries themselves, which an index has."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    listed = {re.split("[>=<]", package)[0] for name in ("scan", "cli", "certs") for package in extras[name]}
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "mcp_app").rglob("*.py"))
    hinted = {word.strip("'\",.") for line in _COMMAND.findall(source) for word in line.split() if word[0] not in "{(`"}
    assert listed <= hinted


def test_the_package_says_for_which_pythons_it_is() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    minors = {each.rpartition(".")[2] for each in project["classifiers"] if re.search(r"Python :: 3\.\d+$", each)}
    [(least, most)] = re.findall(r"Python 3\.(\d+) to 3\.(\d+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert minors == {str(minor) for minor in range(int(least), int(most) + 1)}
    assert project["requires-python"] == f">=3.{least}"


def test_the_package_sends_nobody_to_an_address_that_is_not_its_own() -> None:
    """Of a placeholder an index makes a link. Until there is an address, rough-edges.md says that there is none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    rough = (ROOT / "docs" / "rough-edges.md").read_text(encoding="utf-8")
    assert ("urls" in project) == ("has no address" not in rough)
    assert not [url for url in project.get("urls", {}).values() if re.search(r"//([^/]*\.)?example\b|localhost", url)]
