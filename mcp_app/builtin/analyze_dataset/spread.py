"""Looks at how a column's values lie: from where to where, in twenty bins, and far away from the rest."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from mcp_app import ToolError
from mcp_app.builtin.analyze_dataset.dataset import Dataset, DatasetColumn
from mcp_app.builtin.analyze_dataset.looks import EXACT_ROWS, counted, number, said, share, table, values_of
from mcp_app.builtin.analyze_dataset.quoting import shown
from mcp_app.builtin.analyze_dataset.shapes import DataFinding, Histogram

BINS = 20

FENCES = 3
"""Quartile ranges beyond the quartiles: Tukey's outer fences. Of a normal distribution 2 in a million lie beyond."""

_EXTREMES = 10


def finite(column: DatasetColumn) -> str:
    """The condition under which a number is one."""
    floats = column.type in ("FLOAT", "DOUBLE")
    return f"isfinite({column.quoted})" if floats else f"{column.quoted} IS NOT NULL"


def _quantile(dataset: Dataset) -> str:
    return "quantile_cont" if dataset.rows <= EXACT_ROWS else "approx_quantile"


async def value_range(dataset: Dataset, column: DatasetColumn) -> AsyncIterator[DataFinding]:
    """The least and the greatest, and what is between; of texts their lengths."""
    match column.family:
        case "number":
            found = await _numbers(dataset, column)
        case "date":
            found = await _dates(dataset, column)
        case "text":
            found = await _lengths(dataset, column)
        case _:
            found = None
    if found is not None:
        yield found


async def _numbers(dataset: Dataset, column: DatasetColumn) -> DataFinding | None:
    ends = f"min({column.quoted}) AS least, max({column.quoted}) AS greatest"
    value = f"{column.quoted}::DOUBLE"
    rest = (
        f", avg({value}) AS mean, stddev_samp({value}) AS deviation,"
        f" {_quantile(dataset)}({value}, [0.25, 0.5, 0.75]) AS quartiles"
    )
    sql = f"SELECT {ends}{rest} FROM dataset WHERE {finite(column)}"
    try:
        [[least, greatest, mean, deviation, quartiles]] = await dataset.database.rows(sql)
    except ToolError:  # numbers whose squares are none
        sql = f"SELECT {ends} FROM dataset WHERE {finite(column)}"
        [[least, greatest]] = await dataset.database.rows(sql)
        mean = deviation = quartiles = None
    if least is None:
        return None
    title = f"{shown(column.name)} is from {said(least)} to {said(greatest)}"
    about = "" if dataset.rows <= EXACT_ROWS else "about "
    rows: list[tuple[str, Any]] = [("least", least), ("greatest", greatest)]
    if quartiles is not None:
        title += f", with mean {number(mean)} and median {about}{number(quartiles[1])}"
        rows += [("mean", mean), ("standard deviation", deviation)]
        rows += zip(("first quartile", "median", "third quartile"), quartiles, strict=True)
    return DataFinding(
        about="range",
        column=column.name,
        title=f"{title}.",
        sql=sql,
        table=table([("figure", "VARCHAR"), ("value", column.type)], rows),
    )


async def _dates(dataset: Dataset, column: DatasetColumn) -> DataFinding | None:
    sql = f"SELECT min({column.quoted})::VARCHAR AS first, max({column.quoted})::VARCHAR AS last FROM dataset"
    [[first, last]] = await dataset.database.rows(sql)
    if first is None:
        return None
    return DataFinding(
        about="range",
        column=column.name,
        title=f"{shown(column.name)} is from {first} to {last}.",
        sql=sql,
        table=table([("figure", "VARCHAR"), ("value", column.type)], [("first", first), ("last", last)]),
    )


async def _lengths(dataset: Dataset, column: DatasetColumn) -> DataFinding | None:
    text = f"length({column.quoted}::VARCHAR)"
    sql = f"SELECT min({text}) AS shortest, max({text}) AS longest, avg({text}) AS mean FROM dataset"
    [[shortest, longest, mean]] = await dataset.database.rows(sql)
    if shortest is None:
        return None
    between = "" if shortest == longest else f"{shortest:,} to "
    return DataFinding(
        about="range",
        column=column.name,
        title=f"{shown(column.name)} has {between}{counted(longest, 'character')}.",
        sql=sql,
        table=table(
            [("figure", "VARCHAR"), ("characters", "DOUBLE")],
            [("shortest", shortest), ("longest", longest), ("mean", mean)],
        ),
    )


async def histogram(dataset: Dataset, column: DatasetColumn) -> AsyncIterator[DataFinding]:
    """Of numbers and dates, from the least to the greatest in twenty bins of one width."""
    if column.family == "number":
        value, condition = f"{column.quoted}::DOUBLE", finite(column)
    elif column.family == "date":
        value, condition = f"epoch({column.quoted})", f"isfinite({column.quoted})"
    else:
        return
    [[low, high]] = await dataset.database.rows(f"SELECT min({value}), max({value}) FROM dataset WHERE {condition}")
    if low is None or low == high or not math.isfinite(high - low):
        return  # nothing to compare; or 1e308 beside -1e308
    width = (high - low) / BINS
    edges: list[float] = [low + width * each for each in range(BINS)] + [high]
    shown_edges = _moments(edges) if column.family == "date" else [_whole(each) for each in edges]
    if shown_edges is None or edges[1] == low:
        return  # before the year 1 or after 9999; or too near each other for a double
    sql = (
        f"SELECT least(floor(({value} - {low!r}) / {width!r}), {BINS - 1})::INTEGER AS bin, count(*) AS rows"
        f" FROM dataset WHERE {condition} GROUP BY 1 ORDER BY 1"
    )
    found = dict(await dataset.database.rows(sql))
    counts = [found.get(each, 0) for each in range(BINS)]
    most = max(range(BINS), key=counts.__getitem__)
    fullest = f"from {said(shown_edges[most])} to {said(shown_edges[most + 1])}"
    yield DataFinding(
        about="histogram",
        column=column.name,
        title=f"The fullest of {BINS} bins of {shown(column.name)}, {fullest}, has {share(counts[most], sum(counts))}.",
        sql=sql,
        histogram=Histogram(column=column.name, edges=shown_edges, counts=counts),
    )


def _whole(edge: float) -> int | float | str:
    return int(edge) if edge.is_integer() and abs(edge) < 2**53 else edge


def _moments(edges: list[float]) -> list[int | float | str] | None:
    begin = datetime(1970, 1, 1, tzinfo=UTC)
    try:
        moments = [(begin + timedelta(seconds=each)).replace(tzinfo=None) for each in edges]
    except OverflowError:
        return None
    return [each.isoformat().removesuffix("T00:00:00") for each in moments]


async def outliers(dataset: Dataset, column: DatasetColumn) -> AsyncIterator[DataFinding]:
    """Numbers beyond Tukey's outer fences, if there are any."""
    if column.family != "number":
        return
    value = f"{column.quoted}::DOUBLE"
    sql = (
        "SELECT low, high, count(*) FILTER (v < low) AS below, count(*) FILTER (v > high) AS above"
        f" FROM (SELECT v, q[1] - {FENCES} * (q[2] - q[1]) AS low, q[2] + {FENCES} * (q[2] - q[1]) AS high FROM (SELECT"
        f" {value} AS v, (SELECT {_quantile(dataset)}({value}, [0.25, 0.75]) FROM dataset WHERE {finite(column)}) AS q"
        f" FROM dataset WHERE {finite(column)})) GROUP BY low, high"
    )
    found = await dataset.database.rows(sql)
    if not found:
        return
    low, high, below, above = found[0]
    if not below + above or low == high:
        return  # where half of the values are one value, every other one is far away from it
    farthest = (
        f"SELECT {column.quoted} AS value, count(*) AS rows FROM dataset WHERE {finite(column)}"
        f" AND ({value} < {low!r} OR {value} > {high!r}) GROUP BY 1"
        f" ORDER BY greatest({low!r} - {value}, {value} - {high!r}) DESC, 1 LIMIT {_EXTREMES}"
    )
    extremes = await dataset.database.rows(farthest)
    count = below + above
    yield DataFinding(
        about="outliers",
        column=column.name,
        title=f"{values_of(count, column.name, dataset.rows)} {'lies' if count == 1 else 'lie'} far from the rest:"
        f" {below:,} below {number(low)}, {above:,} above {number(high)}; the farthest is {said(extremes[0][0])}.",
        sql=f"{sql};\n{farthest}",
        table=table([("value", column.type), ("rows", "BIGINT")], extremes),
    )
