"""What the documentation shows in Python, JSON, TOML and INI is what it says it is."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from doc_page import PAGES, Block, blocks

from mcp_app.server import vocabulary


def of(*languages: str) -> list[Block]:
    return [block for page in PAGES for block in blocks(page, *languages)]


PYTHON = [block for block in of("python") if block.page.name not in {"how-to-call.md", "clients.md"}]
"""Those are clients, and run against a server by tests of their own: clients.md's by `make clients`."""


@pytest.mark.usefixtures("imports_as_before")
@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.place)
def test_python_runs(block: Block, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a directory with the files that the page has shown before."""
    for each in blocks(block.page):
        if each.file_name is not None and each.line < block.line:
            (tmp_path / each.file_name).write_text(each.text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    serves = '__name__ == "__main__"' in block.text  # until it is stopped: the commands of the page start it
    # A tool for a process has to be in a file.
    placed = block.file_name if "placement=" in block.text else None
    module = ModuleType("serves" if serves else "__main__" if placed is None else Path(placed).stem)
    if placed is not None:
        module.__file__ = str(tmp_path / placed)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(block.text, block.place, "exec"), module.__dict__)


def test_there_is_python_to_run() -> None:
    assert len(PYTHON) >= 8


@pytest.mark.parametrize("block", of("json"), ids=lambda block: block.place)
def test_json_is_json(block: Block) -> None:
    text = block.text if block.text.lstrip()[0] in "{[" else f"{{{block.text}}}"
    json.loads(text)


@pytest.mark.parametrize("block", of("toml"), ids=lambda block: block.place)
def test_toml_has_keys_that_hypercorn_has(block: Block) -> None:
    for key, value in tomllib.loads(block.text).items():
        assert vocabulary.is_key(key), key
        assert vocabulary.invalid_reason(key, value) is None


@pytest.mark.parametrize(
    "block", of(*{block.language for page in PAGES for block in blocks(page)}), ids=lambda b: b.place
)
def test_settings_that_are_shown_exist(block: Block) -> None:
    from mcp_app import Settings
    from mcp_app.builtin.analyze_dataset.settings import DataSettings
    from mcp_app.builtin.query_database.settings import DatabaseSettings
    from mcp_app.builtin.scan_domain.settings import ScanSettings

    known = {
        f"{each.environment_prefix}{name}".upper()
        for each in (Settings, ScanSettings, DatabaseSettings, DataSettings)
        for name in each.model_fields
    }
    assert set(re.findall(r"\bMCP_APP_[A-Z_]+\b", block.text)) <= known
