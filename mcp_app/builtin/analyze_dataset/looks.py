"""What every look at a dataset needs: the table of a finding, and how a value is said. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from pydantic import JsonValue

from mcp_app.builtin.analyze_dataset.quoting import shown
from mcp_app.builtin.query_database.cells import cell
from mcp_app.builtin.query_database.database import Column
from mcp_app.builtin.query_database.shapes import Table

CELL_CHARACTERS = 200
"""Of a value in a finding: it shows what kind of value it is; a query shows all of it."""

EXACT_ROWS = 1_000_000
"""Up to so many rows distinct values and quantiles are exact; beyond it DuckDB's estimates (HyperLogLog, within 2 %,
and t-digest) take seconds less and a fraction of the memory. The SQL of a finding shows which."""


def table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]], total: int | None = None) -> Table:
    """A table of a finding, of `total` rows in all."""
    spelt: list[list[JsonValue]] = [[cell(value, CELL_CHARACTERS) for value in row] for row in rows]
    count = len(spelt) if total is None else total
    return Table(
        columns=[Column(name=name, type=type_) for name, type_ in columns],
        rows=spelt,
        row_count=count,
        truncated=count > len(spelt),
        notice=f"The first {len(spelt)} of {count:,}." if count > len(spelt) else None,
    )


def said(value: Any) -> str:
    """A value in a sentence."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)  # a year is no 2,026
    if isinstance(value, float | Decimal):
        return number(float(value))
    return shown(str(cell(value, CELL_CHARACTERS)))


def number(value: float) -> str:
    """A number with as many digits as people read."""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return said(int(value))
    return f"{value:,.2f}" if 1 <= abs(value) < 1e12 else f"{value:.4g}"


def share(part: int, whole: int) -> str:
    """A part of a whole in percent; never 0 % of something nor 100 % of not quite all."""
    if part in (0, whole) or not whole:
        return "0 %" if part == 0 else "100 %"
    percent = 100 * part / whole
    return "< 0.1 %" if percent < 0.1 else "> 99.9 %" if percent > 99.9 else f"{percent:.1f} %"


def values_of(count: int, column: str, rows: int) -> str:
    """`2 values of price (0.1 %)`."""
    return f"{counted(count, 'value')} of {shown(column)} ({share(count, rows)})"


def columns_listed(columns: Sequence[tuple[str, str]]) -> str:
    """The first ones, each with its type, in a sentence."""
    return ", ".join(f"{shown(name, 30)} {type_}" for name, type_ in columns[:8]) + " …" * (len(columns) > 8)


def be(count: int) -> str:
    """`is` or `are`."""
    return "is" if count == 1 else "are"


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 row`, `2 rows`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
