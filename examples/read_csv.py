"""A generator that is not async: it reads a file, works in a thread of its own, and never holds the event loop.

Served by `mcp-app serve examples/read_csv.py`. Its caller names a table, not a path: what a caller says must not become
a file name as it stands.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mcp_app import Context, Result, ToolError, tool

TABLES = {path.stem: path for path in Path(__file__).parent.glob("data/*.csv")}


@dataclass
class Summary:
    """What is said at the end."""

    rows: int
    matching: int


@tool(read_only=True, title="Rows of a table")
def rows(
    ctx: Context,
    table: str,
    column: str,
    equals: str,
    order: Literal["file", "reverse"] = "file",
) -> Iterator[dict[str, str] | Result[Summary]]:
    """Find rows by the value of one column; each is streamed as it is found.

    Args:
        table: the name of a table
        column: the column that is looked at
        equals: the value it must have
        order: in the file's order, or the last row first
    """
    if table not in TABLES:
        raise ToolError(f"There is no table {table!r}.", hint=f"Tables: {', '.join(sorted(TABLES))}.")
    with TABLES[table].open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    if lines and column not in lines[0]:
        raise ToolError(f"The table {table} has no column {column!r}.", hint=f"Columns: {', '.join(lines[0])}.")
    matching = 0
    for done, row in enumerate(lines if order == "file" else reversed(lines), 1):
        if row[column] == equals:
            matching += 1
            yield row
        if done % 100 == 0:
            ctx.progress(done, len(lines))
    yield Result(Summary(rows=len(lines), matching=matching))
