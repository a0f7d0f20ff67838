"""Sends what an analysis finds to its caller, with one scale of progress for all of it."""

from __future__ import annotations

from mcp_app import Context
from mcp_app.builtin.analyze_dataset.looks import columns_listed, counted, table
from mcp_app.builtin.analyze_dataset.shapes import DataFinding
from mcp_app.builtin.query_database.database import Column

_READING = 60
"""Percent of the progress that are for reading the file."""

_STEP = 3
"""Percent between two messages while it is read."""

_ROWS_STEP = 100_000
"""Rows between two messages while a query is fetched, of which nobody knows how many rows it has."""


class Streaming:
    """The listener of one analysis (analysis.py)."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._at = 0.0
        self._fetched = 0

    async def found(self, finding: DataFinding, looked: float) -> None:
        """A finding; so many percent of all looks are done with the one that found it."""
        at = max(self._at, _READING + looked * (100 - _READING) / 100) if looked else self._at
        self._at = round(at, 1)
        await self._ctx.partial(finding, progress=self._at, total=100)

    async def reading(self, percent: float) -> None:
        """How much of the file was read."""
        at = percent * _READING // 100
        if at >= self._at + _STEP:
            self._at = at
            await self._ctx.progress(at, 100, f"{percent:.0f} % of the data read")

    async def columns(self, source: str, query: str, wanted: bool, columns: list[Column]) -> None:
        """The columns of a query, by the types of its database: the first finding, before there is a row."""
        if not wanted:
            return
        listed = [(each.name, each.type) for each in columns]
        finding = DataFinding(
            about="schema",
            title=f"{source} has {counted(len(columns), 'column')}, by its database: {columns_listed(listed)}.",
            sql=query,
            table=table([("column", "VARCHAR"), ("type", "VARCHAR")], listed),
        )
        await self._ctx.partial(finding, progress=0, total=100)

    async def fetched(self, rows: int) -> None:
        """So many rows of a query are here."""
        if rows >= self._fetched + _ROWS_STEP:
            self._fetched = rows
            await self._ctx.progress(0, 100, f"{counted(rows, 'row')} fetched")
