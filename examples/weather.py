"""What the page draws: rows that fill a table while they stream, and what was found in them, with a chart.

Served by `mcp-app serve examples/weather.py`. Each value says by `kind` what it is.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Literal

from pydantic import BaseModel

from mcp_app import Result, tool

BATCH = 24


class Column(BaseModel):
    name: str
    type: str


class Columns(BaseModel):
    """Begins a table."""

    kind: Literal["columns"] = "columns"
    columns: list[Column]


class Rows(BaseModel):
    """More rows of it; `first` is the number of the first of them, from 0."""

    kind: Literal["rows"] = "rows"
    first: int
    rows: list[list[str | float | None]]


class Table(BaseModel):
    """The result: the same columns, and as many of the first rows as a model should read."""

    kind: Literal["table"] = "table"
    columns: list[Column]
    rows: list[list[str | float | None]]
    row_count: int
    truncated: bool
    notice: str | None


class Histogram(BaseModel):
    """One more edge than counts."""

    kind: Literal["histogram"] = "histogram"
    column: str
    edges: list[float]
    counts: list[int]


class Finding(BaseModel):
    """One sentence, and what shows it."""

    kind: Literal["finding"] = "finding"
    about: str
    column: str
    title: str
    histogram: Histogram | None = None


class Analysis(BaseModel):
    """The result: all findings."""

    kind: Literal["analysis"] = "analysis"
    source: str
    row_count: int
    findings: list[Finding]


COLUMNS = [Column(name="hour", type="TIMESTAMP"), Column(name="celsius", type="REAL"), Column(name="sky", type="TEXT")]


def reading(hour: int) -> list[str | float | None]:
    """A mild May. The thermometer is out of order at five in the morning."""
    day, of_day = divmod(hour, 24)
    celsius = 14 + day % 7 - 6 * math.cos(math.tau * (of_day - 3) / 24)
    sky = ["clear", "", "rain"][day % 3]
    return [f"2026-05-{day + 1:02}T{of_day:02}:00:00", None if of_day == 5 else round(celsius, 1), sky]


@tool(read_only=True, open_world=False)
async def readings(days: int = 7) -> AsyncIterator[Columns | Rows | Result[Table]]:
    """Read a station's thermometer, hour by hour."""
    yield Columns(columns=COLUMNS)
    rows = [reading(hour) for hour in range(min(days, 31) * 24)]
    for first in range(0, len(rows), BATCH):
        yield Rows(first=first, rows=rows[first : first + BATCH])
        await asyncio.sleep(0.05)
    shown = rows[:100]
    left = None if shown == rows else f"{len(rows) - 100} rows are left out of the result."
    yield Result(Table(columns=COLUMNS, rows=shown, row_count=len(rows), truncated=left is not None, notice=left))


@tool(read_only=True, open_world=False)
async def climate() -> AsyncIterator[Finding | Result[Analysis]]:
    """Find out how warm a May is."""
    measured = [float(row[1]) for row in map(reading, range(31 * 24)) if row[1] is not None]
    warmest = Finding(about="range", column="celsius", title=f"It is {max(measured)} °C at the most.")
    yield warmest
    await asyncio.sleep(0.05)
    low, bins = min(measured), 20
    width = (max(measured) - low) / bins
    counts = [0] * bins
    for celsius in measured:
        counts[min(bins - 1, int((celsius - low) / width))] += 1
    edges = [round(low + n * width, 2) for n in range(bins + 1)]
    spread = Finding(
        about="histogram",
        column="celsius",
        title=f"Most hours have {edges[counts.index(max(counts))]} °C and a little more.",
        histogram=Histogram(column="celsius", edges=edges, counts=counts),
    )
    yield spread
    yield Result(
        Analysis(source="May 2026", row_count=31 * 24, findings=[warmest, spread]),
        text=f"{warmest.title} {spread.title}",
    )
