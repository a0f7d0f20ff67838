"""docs/reference-mcp-json.md tells what the code does: its example, its error line and its key table are run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mcp_app.manifest import ManifestError, parse_manifest
from mcp_app.manifest.metakey import streaming_key
from mcp_app.manifest.paths import FIXED_PATHS, FIXED_PREFIXES, MAX_PATH

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "reference-mcp-json.md").read_text()
EXAMPLE = re.findall(r"```json\n(\{.*?\n)```", TEXT, re.DOTALL)[0]


def test_the_example_is_a_manifest() -> None:
    assert parse_manifest(EXAMPLE.encode(), file="mcp.json").events_path == "/api/v1/mcp/sse"


def test_the_error_line_is_what_such_a_file_gives() -> None:
    line = next(line for line in TEXT.splitlines() if line.startswith("mcp.json: _meta"))
    wrong = json.loads(EXAMPLE)
    wrong["_meta"]["com.example.streaming-tools/streaming"]["events"] = "/sse/"
    with pytest.raises(ManifestError) as caught:
        parse_manifest(json.dumps(wrong).encode(), file="mcp.json")
    assert str(caught.value) == line


def test_the_key_table_is_right() -> None:
    rows = re.findall(r"^\| `([a-z./_-]+)` \| `([a-z./-]+/streaming)` \|$", TEXT, re.MULTILINE)
    assert len(rows) == 2
    for name, key in rows:
        assert streaming_key(name) == key


def test_every_fixed_route_and_bound_is_named() -> None:
    for each in (*FIXED_PATHS, *FIXED_PREFIXES):
        assert f"`{each}`" in TEXT, each
    assert f"at most {MAX_PATH} characters" in TEXT
