"""docs/reference-run-workflow.md and the code say the same: bounds, parameters and members of a step."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

from mcp_app.builtin.run_workflow.steps import Step
from mcp_app.builtin.run_workflow.tool import run_workflow

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "reference-run-workflow.md").read_text(encoding="utf-8")

UNITS = {"Mi": 1024**2, "MiB": 1024**2}


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    table = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]


def constant(name: str) -> Any:
    """Of `module.NAME`, or `module.Class.NAME`, in the tool's folder or in all of the package."""
    if not name.startswith("mcp_app."):
        name = f"mcp_app.builtin.run_workflow.{name}"
    module, path = name.split("."), list[str]()
    while not module[-1].islower():
        path.insert(0, module.pop())
    value: Any = importlib.import_module(".".join(module))
    for each in path:
        value = getattr(value, each)
    return value


def test_each_bound_is_the_one_in_the_code() -> None:
    found = rows("Bounds")
    assert len(found) >= 12
    for _, bound, name in found:
        number, unit = re.findall(r"^([\d,]+)(?: (Mi|MiB)\b)?", bound)[0]
        assert int(number.replace(",", "")) * UNITS.get(unit, 1) == constant(name.strip("`")), name


def test_each_parameter_is_described_with_its_default() -> None:
    described = {name.strip("`"): default for name, default, _ in rows("Parameters")}
    properties = run_workflow.input_schema["properties"]
    assert sorted(described) == sorted(properties)
    assert described["steps"] == "required"
    assert int(described["max_characters"]) == properties["max_characters"]["default"]


def test_each_member_of_a_step_is_described_with_its_default() -> None:
    described = {name.strip("`"): default.strip("`") for name, default, _ in rows("A step")}
    fields = {field.alias or name: field for name, field in Step.model_fields.items()}
    assert list(described) == list(fields)
    for name, field in fields.items():
        default = "required" if field.is_required() else field.get_default(call_default_factory=True)
        said = "none" if default is None else default if isinstance(default, str) else json.dumps(default)
        assert described[name] == said, name
