"""The rows of a query as a file, analysed like any other: they go to it batch by batch, and are never all in memory.

Which database is asked is not known here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from pydantic_core import to_json

from mcp_app import ToolError
from mcp_app.builtin.analyze_dataset.data_file import DataFile
from mcp_app.builtin.analyze_dataset.looks import counted
from mcp_app.builtin.analyze_dataset.quoting import clean_names
from mcp_app.builtin.query_database.database import Column, Row
from mcp_app.builtin.scratch import DISK_BYTES, scratch_directory

BATCH_ROWS = 1_000

_BUFFER_BYTES = 1024 * 1024

Source = AsyncGenerator[list[Column] | list[Row], None]
"""What `Database.rows` gives: the columns, then batches of rows."""


@dataclass(slots=True)
class RowsFile:
    """`left_out` says why there are no more rows, if there may be."""

    file: DataFile
    left_out: str | None = None


@asynccontextmanager
async def rows_file(
    source: Source,
    name: str,
    *,
    max_rows: int,
    seconds: Callable[[], float],
    on_columns: Callable[[list[Column]], Awaitable[None]],
    on_rows: Callable[[int], Awaitable[None]],
) -> AsyncIterator[RowsFile]:
    """Fetch the rows into a file of JSON Lines; `name` is what people are told of it.

    The query has half of the seconds that are left: the analysis needs the rest. Raises ToolError: that of the
    database, and for a query without columns or rows.
    """
    with scratch_directory() as directory, _opened(directory) as written:
        async with contextlib.aclosing(source) as items:
            until = seconds() / 2
            columns = await _columns(items, until)
            if not columns:
                raise ToolError("The query has no columns to analyse.")
            await on_columns(columns)
            left_out = await _fetch(items, written.write, columns, max_rows, seconds, until, on_rows)
        written.flush()
        if not written.tell():
            raise ToolError("The query has no rows to analyse.", hint="query_database shows what it gives.")
        yield RowsFile(DataFile(name, written.fileno()), left_out)


def _opened(directory: Path) -> BinaryIO:
    return (directory / "rows.jsonl").open("w+b", buffering=_BUFFER_BYTES)


async def _fetch(
    items: Source,
    write: Callable[[bytes], int],
    columns: list[Column],
    max_rows: int,
    seconds: Callable[[], float],
    until: float,
    on_rows: Callable[[int], Awaitable[None]],
) -> str | None:
    """Until so many seconds are left. Returns why there may be more rows."""
    keys = [to_json(name) for name in clean_names(each.name for each in columns)]
    rows, size = 0, 0
    too_late = "Time was up after {} of the query: ask for fewer columns or rows."
    while True:
        try:
            async with asyncio.timeout(max(0.0, seconds() - until)) as timeout:
                batch = await anext(items, None)
        except TimeoutError:
            if not timeout.expired():
                raise
            if not rows:
                raise _no_row(until) from None
            return too_late.format(counted(rows, "row"))
        if batch is None:
            return None
        for row in cast("list[Row]", batch[: max_rows - rows]):
            line = b"{" + b",".join(key + b":" + to_json(cell) for key, cell in zip(keys, row, strict=True)) + b"}\n"
            size += write(line)
        rows += min(len(batch), max_rows - rows)
        await on_rows(rows)
        if rows == max_rows:
            return f"Only the first {counted(rows, 'row')} of the query were looked at: ask with a larger max_rows."
        if seconds() < until:
            return too_late.format(counted(rows, "row"))
        if size > DISK_BYTES // 2:
            return f"The disk that one analysis may take was full after {counted(rows, 'row')} of the query."


async def _columns(items: Source, seconds: float) -> list[Column]:
    try:
        async with asyncio.timeout(seconds) as timeout:
            return cast("list[Column]", await anext(items))
    except TimeoutError:
        if not timeout.expired():
            raise
        raise _no_row(seconds) from None


def _no_row(seconds: float) -> ToolError:
    return ToolError(
        f"The query had no row after {seconds:.3g} s, half of the time of this call, and was stopped.",
        hint="Ask for less (WHERE, LIMIT); a detached run has more time.",
    )
