"""The table "Bounds" of a tool's page of reference: each row names the constant that it is true of. No test."""

from __future__ import annotations

import importlib
from pathlib import Path

from doc_page import rows, section

UNITS = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def check_bounds(page: Path, package: str, *, least: int) -> None:
    """Each bound is the one in the code: of a module in `package`, or of `mcp_app.builtin`. There are `least`."""
    found = rows(section(page, "Bounds"))
    assert len(found) >= least
    for _, bound, constant, _ in found:
        module, _, name = constant.strip("`").rpartition(".")
        within = "mcp_app" if module.startswith("builtin.") else package
        value = getattr(importlib.import_module(f"{within}.{module}"), name)
        number, unit = (*bound.replace(",", "").split(), "")[:2]
        if isinstance(value, str):  # as DuckDB is told it
            assert f"{number}{unit}" == value, constant
        else:
            assert float(number) * UNITS.get(unit, 1) == value, constant
