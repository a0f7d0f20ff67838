"""Looks at rows and columns beside each other: rows that are there twice, numbers that go together."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from itertools import combinations

from mcp_app.builtin.analyze_dataset.dataset import Dataset
from mcp_app.builtin.analyze_dataset.looks import counted, share, table
from mcp_app.builtin.analyze_dataset.quoting import identifier, shown
from mcp_app.builtin.analyze_dataset.shapes import DataFinding
from mcp_app.builtin.analyze_dataset.spread import finite

_EXAMPLES = 5
_EXAMPLE_COLUMNS = 20

MAX_CORRELATED = 60
"""Number columns that are compared with each other: 1,770 pairs."""

_EXACT_WORK = 1_000_000_000
"""Pairs times rows up to which all rows are compared, about 40 s; beyond it a sample."""

_SAMPLE_ROWS = 100_000

WEAK = 0.3
"""Of Pearson's r, below which two columns are said not to go together."""

_LISTED = 20


async def duplicates(dataset: Dataset) -> AsyncIterator[DataFinding]:
    """Rows that are equal in every column, found by their 64-bit hashes.

    Of ten million different rows two have the same hash in one of 300,000 files.
    """
    columns = [each.quoted for each in dataset.columns]
    columns += [identifier(each.unread) for each in dataset.columns if each.unread and each.name in dataset.unread]
    hashed = f"hash({', '.join(columns)})"
    sql = (
        "SELECT coalesce(sum(rows - 1), 0)::BIGINT AS repeated, count(*) AS groups"
        f" FROM (SELECT count(*) AS rows FROM dataset GROUP BY {hashed} HAVING count(*) > 1)"
    )
    [[repeated, groups]] = await dataset.database.rows(sql)
    if not repeated:
        yield DataFinding(about="duplicates", title="No row is there twice.", sql=sql)
        return
    top = await dataset.database.rows(
        f"SELECT {hashed} AS row_hash, count(*) AS rows FROM dataset GROUP BY 1 HAVING count(*) > 1"
        f" ORDER BY 2 DESC, 1 LIMIT {_EXAMPLES}"
    )
    listed = dataset.columns[:_EXAMPLE_COLUMNS]
    values = ", ".join(f"any_value({each.quoted})" for each in listed)
    hashes = ", ".join(f"{each[0]}::UBIGINT" for each in top)
    shown_by = (
        f"SELECT count(*) AS rows, {values} FROM dataset WHERE {hashed} IN ({hashes}) GROUP BY {hashed} ORDER BY 1 DESC"
    )
    examples = await dataset.database.rows(shown_by)
    yield DataFinding(
        about="duplicates",
        title=f"{counted(repeated, 'row')} ({share(repeated, dataset.rows)})"
        f" {'repeats' if repeated == 1 else 'repeat'} another one, in {counted(groups, 'group')}.",
        sql=f"{sql};\n{shown_by}",
        table=table([("rows", "BIGINT"), *((each.name, each.type) for each in listed)], examples, total=groups),
    )


async def correlations(dataset: Dataset) -> AsyncIterator[DataFinding]:
    """Pearson's r of each two columns of numbers."""
    columns = [each for each in dataset.columns if each.family == "number"]
    compared = columns[:MAX_CORRELATED]
    pairs = list(combinations(range(len(compared)), 2))
    if not pairs:
        return
    sampled = len(pairs) * dataset.rows > _EXACT_WORK
    values = ", ".join(
        f"CASE WHEN {finite(each)} THEN {each.quoted}::DOUBLE END AS c{n}" for n, each in enumerate(compared)
    )
    sample = f" USING SAMPLE reservoir({_SAMPLE_ROWS} ROWS) REPEATABLE (1)" if sampled else ""
    sql = f"SELECT {', '.join(f'corr(c{a}, c{b})' for a, b in pairs)} FROM (SELECT {values} FROM dataset{sample})"
    [found] = await dataset.database.rows(sql)
    named = [(compared[a].name, compared[b].name, r) for (a, b), r in zip(pairs, found, strict=True) if _is_number(r)]
    strong = sorted((each for each in named if abs(each[2]) >= WEAK), key=lambda each: -abs(each[2]))
    among = f"{counted(len(compared), 'column')} of numbers" + (
        f" of {len(columns)}" if len(compared) < len(columns) else ""
    )
    where = f", in a sample of {_SAMPLE_ROWS:,} rows" if sampled else ""
    if strong:
        first, second, r = strong[0]
        title = f"{shown(first)} and {shown(second)} go together most (r = {r:.2f}) among {among}{where}."
    else:
        title = f"No two of {among} go together (|r| < {WEAK}){where}."
    yield DataFinding(
        about="correlations",
        title=title,
        sql=sql,
        table=table(
            [("first", "VARCHAR"), ("second", "VARCHAR"), ("r", "DOUBLE")],
            [(a, b, round(r, 4)) for a, b, r in strong[:_LISTED]],
            total=len(strong),
        )
        if strong
        else None,
    )


def _is_number(r: float | None) -> bool:
    return r is not None and math.isfinite(r)
