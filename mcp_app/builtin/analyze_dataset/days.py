"""Looks at dates that are dates and may still be none: what systems write for "none", and days to come."""

from __future__ import annotations

from collections.abc import AsyncIterator

from mcp_app.builtin.analyze_dataset.dataset import Dataset, DatasetColumn
from mcp_app.builtin.analyze_dataset.looks import be, table, values_of
from mcp_app.builtin.analyze_dataset.quoting import shown
from mcp_app.builtin.analyze_dataset.shapes import DataFinding

PLACEHOLDERS = ("0001-01-01", "1753-01-01", "1899-12-30", "1900-01-01", "1970-01-01", "2099-12-31", "9999-12-31")
"""What .NET, SQL Server, Excel, Unix and people write where there is no date."""


async def dates(dataset: Dataset, column: DatasetColumn) -> AsyncIterator[DataFinding]:
    """Placeholders, days to come, and days that may be months."""
    if column.family != "date":
        return
    listed = ", ".join(f"DATE '{each}'" for each in PLACEHOLDERS)
    day = f"{column.quoted}::DATE"
    sql = (
        f"SELECT {day}::VARCHAR AS day, count(*) AS rows FROM dataset WHERE {day} IN ({listed})"
        " GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    found = await dataset.database.rows(sql)
    if found:
        count = sum(each[1] for each in found)
        yield DataFinding(
            about="dates",
            column=column.name,
            title=f"{values_of(count, column.name, dataset.rows)} may stand for no date, most of all {found[0][0]}.",
            sql=sql,
            table=table([("day", "DATE"), ("rows", "BIGINT")], found),
        )
    sql = f"SELECT count(*) AS rows, max({column.quoted})::VARCHAR AS last FROM dataset WHERE {day} > current_date"
    [[count, last]] = await dataset.database.rows(sql)
    if count:
        yield DataFinding(
            about="dates",
            column=column.name,
            title=f"{values_of(count, column.name, dataset.rows)} {be(count)} in the future, up to {last}.",
            sql=sql,
        )
    if column.ambiguous:
        yield DataFinding(
            about="dates",
            column=column.name,
            title=f"Nothing in {shown(column.name)} says whether the day or the month is first:"
            f" it is read as {column.said}.",
            sql=f"SELECT {column.quoted} FROM dataset LIMIT 10",
        )
