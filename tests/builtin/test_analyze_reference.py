"""docs/reference-analyze-dataset.md and the code say the same."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import get_args

from mcp_app.builtin.analyze_dataset.data_file import SUFFIXES
from mcp_app.builtin.analyze_dataset.days import PLACEHOLDERS
from mcp_app.builtin.analyze_dataset.settings import SAMPLE, DataSettings
from mcp_app.builtin.analyze_dataset.shapes import About
from mcp_app.builtin.analyze_dataset.tool import analyze_dataset

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "reference-analyze-dataset.md").read_text(encoding="utf-8")

UNITS = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    table = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]


def test_each_bound_is_the_one_in_the_code() -> None:
    found = rows("Bounds")
    assert len(found) >= 12
    for _, bound, constant, _ in found:
        module, _, name = constant.strip("`").rpartition(".")
        package = "mcp_app" if module.startswith("builtin.") else "mcp_app.builtin.analyze_dataset"
        value = getattr(importlib.import_module(f"{package}.{module}"), name)
        number, unit = (*bound.replace(",", "").split(), "")[:2]
        if isinstance(value, str):  # as DuckDB is told it
            assert f"{number}{unit}" == value, constant
        else:
            assert float(number) * UNITS.get(unit, 1) == value, constant


def test_each_kind_of_finding_is_described_in_its_order() -> None:
    assert [row[0].strip("`") for row in rows("Findings")] == list(get_args(About))
    assert all(day in PLACEHOLDERS for day in re.findall(r"\d{4}-\d\d-\d\d", str(rows("Findings"))))


def test_each_name_of_a_format_is_described() -> None:
    assert re.findall(r"`(\.\w+)`", " ".join(row[0] for row in rows("Formats"))) == list(SUFFIXES)


def test_each_parameter_is_described_with_its_default() -> None:
    properties = analyze_dataset.input_schema["properties"]
    described = [name for row in rows("Parameters") for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(described) == sorted(properties)
    for names, default, meaning in rows("Parameters"):
        if default.isdecimal():
            schema = properties[names.strip("`")]
            assert int(default) == schema["default"]
            assert f"{schema['maximum']:,}" in meaning


def test_the_setting_is_described_with_its_default() -> None:
    [[name, default, _]] = rows("Settings")
    assert name.strip("`") == f"{DataSettings.environment_prefix}DATA_ROOT"
    assert re.findall(r"`(.+?)`", default) == sorted(path.name for path in SAMPLE.glob("*.csv"))
