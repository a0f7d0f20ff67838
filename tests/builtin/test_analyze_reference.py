"""docs/reference-analyze-dataset.md and the code say the same."""

from __future__ import annotations

import re
from typing import get_args

from doc_page import ROOT, rows, section
from documented_bounds import check_bounds

from mcp_app.builtin.analyze_dataset.data_file import SUFFIXES
from mcp_app.builtin.analyze_dataset.days import PLACEHOLDERS
from mcp_app.builtin.analyze_dataset.settings import SAMPLE, DataSettings
from mcp_app.builtin.analyze_dataset.shapes import About
from mcp_app.builtin.analyze_dataset.tool import analyze_dataset

PAGE = ROOT / "docs" / "reference-analyze-dataset.md"


def table(heading: str) -> list[list[str]]:
    return rows(section(PAGE, heading))


def test_each_bound_is_the_one_in_the_code() -> None:
    check_bounds(PAGE, "mcp_app.builtin.analyze_dataset", least=12)


def test_each_kind_of_finding_is_described_in_its_order() -> None:
    assert [row[0].strip("`") for row in table("Findings")] == list(get_args(About))
    assert all(day in PLACEHOLDERS for day in re.findall(r"\d{4}-\d\d-\d\d", str(table("Findings"))))


def test_each_name_of_a_format_is_described() -> None:
    assert re.findall(r"`(\.\w+)`", " ".join(row[0] for row in table("Formats"))) == list(SUFFIXES)


def test_each_parameter_is_described_with_its_default() -> None:
    properties = analyze_dataset.input_schema["properties"]
    described = [name for row in table("Parameters") for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(described) == sorted(properties)
    for names, default, meaning in table("Parameters"):
        if default.isdecimal():
            schema = properties[names.strip("`")]
            assert int(default) == schema["default"]
            assert f"{schema['maximum']:,}" in meaning


def test_the_setting_is_described_with_its_default() -> None:
    [[name, default, _]] = table("Settings")
    assert name.strip("`") == f"{DataSettings.environment_prefix}DATA_ROOT"
    assert re.findall(r"`(.+?)`", default) == sorted(path.name for path in SAMPLE.glob("*.csv"))
