"""The public names are one list, `mcp_app.__all__`, and docs/reference.md documents exactly that list.

In docs/reference.md a public name is documented by a heading of which it is the first code: ### `tool(...)`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import mcp_app

ROOT = Path(__file__).parent.parent.parent
REFERENCE = ROOT / "docs" / "reference.md"

_HEADING = re.compile(r"^#{2,4} `@?(?:mcp_app\.)?([A-Za-z_]\w*)", re.MULTILINE)


def documented(text: str) -> list[str]:
    """The names whose headings stand in the reference. Settings, routes and commands are no Python names."""
    return [name for name in _HEADING.findall(text) if not name.isupper() and not name.startswith("MCP_APP_")]


def test_every_public_name_exists_and_says_what_it_is() -> None:
    assert list(mcp_app.__all__) == sorted(set(mcp_app.__all__), key=mcp_app.__all__.index)  # none twice
    for name in mcp_app.__all__:
        assert (getattr(mcp_app, name).__doc__ or "").strip(), f"mcp_app.{name} has no docstring"


def test_every_public_name_can_be_listed() -> None:
    assert set(mcp_app.__all__) <= set(dir(mcp_app))


def test_a_public_name_is_kept_once_it_was_asked_for() -> None:
    assert mcp_app.Registry is mcp_app.Registry
    assert "Registry" in vars(mcp_app)


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    assert not hasattr(mcp_app, "no_such_name")


def test_the_reference_documents_the_public_names_and_no_other() -> None:
    if not REFERENCE.exists():
        pytest.skip("docs/reference.md is not written yet")
    names = documented(REFERENCE.read_text(encoding="utf-8"))
    public = set(mcp_app.__all__)
    assert not public - set(names), f"public, and not in docs/reference.md: {sorted(public - set(names))}"
    unknown = [name for name in names if name[0].isupper() and name not in public]
    assert not unknown, f"documented in docs/reference.md as a class, and not public: {unknown}"


def test_how_a_name_is_documented() -> None:
    text = (
        "# Reference\n## `create_app(settings)`\n### `@tool`\n#### `mcp_app.Result`\ntext `Context`\n## `MCP_APP_X`\n"
    )
    assert documented(text) == ["create_app", "tool", "Result"]
