"""Looks at what is missing: lines that could not be read, values that are not of their column's type, nulls."""

from __future__ import annotations

from collections.abc import AsyncIterator

from mcp_app.builtin.analyze_dataset.column_types import MISSING
from mcp_app.builtin.analyze_dataset.dataset import Dataset, DatasetColumn
from mcp_app.builtin.analyze_dataset.locked import LockedDuckDb
from mcp_app.builtin.analyze_dataset.looks import be, counted, share, table, values_of
from mcp_app.builtin.analyze_dataset.quoting import identifier, literal, shown
from mcp_app.builtin.analyze_dataset.shapes import DataFinding
from mcp_app.builtin.analyze_dataset.sources import MAX_REJECTS, DataSource

_LINE_CHARACTERS = 80

_WHOLE_BYTES = 9_997
"""DuckDB remembers 10,000 bytes of what it could not read, and no part of a character: what is shorter is whole."""


async def unread_lines(database: LockedDuckDb, source: DataSource, path: str, name: str) -> AsyncIterator[DataFinding]:
    """Lines of a CSV, or of JSON, that are not in the dataset, and why."""
    if source.rejects:
        # What has several errors is left out once, and all its lines with it: those behind a quote that is not closed.
        # Scans of the beginning remember none.
        text = "rtrim(csv_line, chr(13) || chr(10))"
        each_one = (
            f"SELECT error_type, line, any_value(1 + length({text}) - length(replace({text}, chr(10), ''))) AS lines,"
            f" bool_or(strlen(csv_line) >= {_WHOLE_BYTES}) AS cut,"
            f" any_value(left(csv_line, {_LINE_CHARACTERS})) AS beginning FROM reject_errors"
            " WHERE scan_id = (SELECT max(scan_id) FROM reject_errors) GROUP BY 1, 2"
        )
        sql = (
            "SELECT error_type AS why, sum(lines)::BIGINT AS lines, min(line) AS first_line,"
            f' arg_min(beginning, line) AS "for example", bool_or(cut AND lines > 1) AS more FROM ({each_one})'
            " GROUP BY 1 ORDER BY 2 DESC"
        )
        found = await database.rows(sql)
        if found:
            lines = sum(each[1] for each in found)
            least = "At least " if lines >= MAX_REJECTS or any(each[4] for each in found) else ""
            why, _, first, *_ = found[0]
            yield DataFinding(
                about="unread",
                title=f"{least}{counted(lines, 'line')} could not be read and {be(lines)} left out,"
                f" most of all for {why.lower()}, first at line {first:,}.",
                sql=sql,
                table=table(
                    [("why", "VARCHAR"), ("lines", "BIGINT"), ("first line", "BIGINT"), ("for example", "VARCHAR")],
                    [each[:4] for each in found],
                ),
            )
    elif source.lines is not None:
        sql = (
            "SELECT count(*) FILTER (json IS NULL) AS broken, count(*) FILTER (json_type(json) <> 'OBJECT') AS others"
            " FROM {}"
        )
        [[broken, others]] = await database.rows(sql.format(source.lines(path)))
        if broken or others:
            yield DataFinding(
                about="unread",
                title=f"{counted(broken + others, 'line')} of the file {be(broken + others)} left out:"
                f" {broken:,} no JSON, {others:,} no object.",
                sql=sql.format(source.lines(name)),
            )


async def unread_values(dataset: Dataset, column: DatasetColumn) -> AsyncIterator[DataFinding]:
    """Texts of a column that are not of its type: dates that are none, numbers that are none."""
    count = dataset.unread.get(column.name)
    if not count or column.unread is None:
        return
    sql = (
        f"SELECT {identifier(column.unread)} AS text, count(*) AS rows FROM dataset"
        f" WHERE {identifier(column.unread)} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10"
    )
    found = await dataset.database.rows(sql)
    examples = ", ".join(repr(shown(each[0], 30)) for each in found[:3])
    yield DataFinding(
        about="dates" if column.family == "date" else "unread",
        column=column.name,
        title=f"{values_of(count, column.name, dataset.rows)} cannot be read as {column.said}, such as {examples}.",
        sql=sql,
        table=table([("text", "VARCHAR"), ("rows", "BIGINT")], found),
    )


async def nulls(dataset: Dataset) -> AsyncIterator[DataFinding]:
    """Of every column, in one statement."""
    words = ", ".join(map(literal, MISSING))
    listed = []
    for each in dataset.columns:
        beside = f" AND {identifier(each.unread)} IS NULL" if each.unread else ""
        words_of = f"lower(trim({each.quoted})) IN ({words})" if each.type == "VARCHAR" else "false"
        listed.append(f"count(*) FILTER ({each.quoted} IS NULL{beside}), count(*) FILTER ({words_of})")
    sql = f"SELECT {', '.join(listed)} FROM dataset"
    [counts] = await dataset.database.rows(sql)
    rows = [
        (each.name, counts[2 * place], share(counts[2 * place], dataset.rows), counts[2 * place + 1])
        for place, each in enumerate(dataset.columns)
    ]
    missing = sorted((each for each in rows if each[1] or each[3]), key=lambda each: -each[1] - each[3])
    if not missing:
        title = f"No value is missing in any of {counted(len(rows), 'column')}."
    else:
        worst = ", ".join(f"{shown(each[0])} ({share(each[1] + each[3], dataset.rows)})" for each in missing[:3])
        title = f"Values are missing in {len(missing)} of {counted(len(rows), 'column')}, most in {worst}."
    yield DataFinding(
        about="nulls",
        title=title,
        sql=sql,
        table=table(
            [
                ("column", "VARCHAR"),
                ("nulls", "BIGINT"),
                ("share", "VARCHAR"),
                ("empty, or a word for nothing", "BIGINT"),
            ],
            missing or rows,
        ),
    )
