"""Looks at a column's distinct values: how many, which are most frequent, whether they may be a key."""

from __future__ import annotations

from collections.abc import AsyncIterator

from mcp_app.builtin.analyze_dataset.dataset import Dataset, DatasetColumn
from mcp_app.builtin.analyze_dataset.looks import EXACT_ROWS, said, share, table
from mcp_app.builtin.analyze_dataset.quoting import shown
from mcp_app.builtin.analyze_dataset.shapes import DataFinding

_TOP = 10

_MANY = 200_000
"""Distinct values from which on the most frequent ones are not looked for, as that takes longer than all else."""

_KEY = 0.97
"""The share from which on an estimate of distinct values may mean that all are."""


async def distinct(dataset: Dataset, column: DatasetColumn) -> AsyncIterator[DataFinding]:
    """One finding, of any column."""
    value = f"{column.quoted}::VARCHAR" if column.family == "other" else column.quoted
    exact = dataset.rows <= EXACT_ROWS
    count = f"count(DISTINCT {value})" if exact else f"approx_count_distinct({value})"
    sql = f"SELECT {count} AS distinct_values, count({column.quoted}) AS filled FROM dataset"
    [[distinct_values, filled]] = await dataset.database.rows(sql)
    name = shown(column.name)
    about = "" if exact else "about "
    if not filled:
        yield DataFinding(about="distinct", column=column.name, title=f"{name} has no values.", sql=sql)
        return
    if distinct_values > _MANY or (distinct_values >= _KEY * filled and filled > _TOP):
        if exact and distinct_values == filled:
            title = f"{name} is different in every row that has it: it may be a key."
        elif distinct_values >= _KEY * filled:
            title = (
                f"{name} is different in nearly every row ({about}{min(distinct_values, filled):,} distinct values)."
            )
        else:
            title = f"{name} has {about}{distinct_values:,} distinct values."
        yield DataFinding(about="distinct", column=column.name, title=title, sql=sql)
        return
    # How many there are comes with the most frequent ones, exactly.
    sql = (
        f"SELECT {value} AS value, count(*) AS rows, count(*) OVER () AS distinct_values FROM dataset"
        f" WHERE {column.quoted} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {_TOP}"
    )
    top = await dataset.database.rows(sql)
    most, times, several = top[0]
    if several == 1:
        title = f"{name} is always {said(most)}."
    else:
        title = f"{name} has {several:,} distinct values, most often {said(most)} ({share(times, filled)})."
    yield DataFinding(
        about="distinct",
        column=column.name,
        title=title,
        sql=sql,
        table=table(
            [("value", column.type), ("rows", "BIGINT"), ("share", "VARCHAR")],
            [(each, rows, share(rows, filled)) for each, rows, _ in top],
            total=several,
        ),
    )
