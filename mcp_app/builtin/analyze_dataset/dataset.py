"""The table that is looked at, and how it is made: a file is read once, each column by its type. Nothing is judged.

One reading gives one state of a file that others write to, and no figure rests on what a file says of itself (the
statistics of a Parquet file), but on its rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mcp_app.builtin.analyze_dataset.column_types import (
    READINGS,
    SAYS,
    Family,
    counts_sql,
    infer,
    sample_rows,
    unread_sql,
    widened,
)
from mcp_app.builtin.analyze_dataset.locked import LockedDuckDb, Watch
from mcp_app.builtin.analyze_dataset.quoting import clean_names, identifier
from mcp_app.builtin.analyze_dataset.sources import DataSource, From, SourceColumn

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
_DATES = ("DATE", "TIMESTAMP")
_TEXTS = ("VARCHAR", "ENUM", "UUID")

_AT_ONCE = 50
"""Columns of one statement; one with a thousand aggregates takes long to be planned."""


@dataclass(frozen=True, slots=True)
class DatasetColumn:
    """`said` is how its texts are read, None where the file has types. `unread` is the column of those that are not."""

    name: str
    type: str
    family: Family
    sql: str
    said: str | None = None
    ambiguous: bool = False
    reading: str | None = None
    text: str | None = None
    unread: str | None = None

    @property
    def quoted(self) -> str:
        """Its name as SQL writes it."""
        return identifier(self.name)


@dataclass(frozen=True, slots=True)
class Dataset:
    """`create` is the SQL that made it, with the file's name. `rows` counts its rows."""

    database: LockedDuckDb
    columns: Sequence[DatasetColumn]
    rows: int
    create: str
    unread: dict[str, int]
    """By column: values that are not of its type."""


async def infer_columns(
    database: LockedDuckDb, source: DataSource, columns: Sequence[SourceColumn], path: str
) -> list[DatasetColumn]:
    """The columns with their types: the file's own, or those that the first rows suggest."""
    texts = [(number, each) for number, each in enumerate(columns) if each.type == "VARCHAR"]
    readings: dict[int, tuple[str, bool]] = {}
    if texts:
        listed = ", ".join(f"{each.sql} AS c{number}" for number, each in texts)
        rows = sample_rows(len(texts))
        await database.rows(
            f"CREATE OR REPLACE TEMP TABLE sample AS SELECT {listed} FROM {source.sample(path)} LIMIT {rows}"
        )
        for number, _ in texts:
            [counts] = await database.rows(counts_sql(f"c{number}", "sample"))
            readings[number] = infer(counts)
    unread = iter(_names_beside(columns))
    return [
        _by_reading(each, *readings[number], unread=next(unread)) if number in readings else _typed(each)
        for number, each in enumerate(columns)
    ]


def _parts(numbers: Sequence[int], most: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), most):
        yield numbers[start : start + most]


def _names_beside(columns: Sequence[SourceColumn]) -> list[str]:
    """A name for each column's unread texts, which no column has."""
    names = [each.name for each in columns]
    return clean_names([*names, *(f"{name} (unread)" for name in names)])[len(names) :]


def _by_reading(column: SourceColumn, name: str, ambiguous: bool, unread: str) -> DatasetColumn:
    reading = READINGS[name]
    return DatasetColumn(
        name=column.name,
        type=reading.type,
        family=reading.family,
        sql=reading.sql.format(text=column.sql),
        said=reading.said,
        ambiguous=ambiguous,
        reading=name,
        text=column.sql,
        unread=unread if name != "text" else None,
    )


def _typed(column: SourceColumn) -> DatasetColumn:
    """By the file's own type. What has no order that people know (nested values, bytes, intervals) is counted."""
    kind = column.type.removeprefix("U")
    family: Family = "other"
    if column.type.endswith("]") or column.type.startswith(("STRUCT", "MAP")):
        pass
    elif kind.startswith(_NUMBERS):
        family = "number"
    elif column.type.startswith(_DATES):
        family = "date"
    elif column.type == "BOOLEAN":
        family = "boolean"
    elif column.type.startswith(_TEXTS):
        family = "text"
    return DatasetColumn(column.name, column.type, family, column.sql)


async def make_dataset(
    database: LockedDuckDb,
    source: DataSource,
    columns: Sequence[DatasetColumn],
    *,
    path: str,
    name: str,
    max_rows: int,
    watch: Watch,
) -> Dataset:
    """Read the file into the table `dataset`: again, with wider types, where those of its first rows do not fit all."""
    while True:
        await database.rows(create_sql(source.whole, path, columns, max_rows), watch)
        unread, wider = await _read(database, columns)
        if wider == columns:
            break
        columns = wider
    [[rows]] = await database.rows("SELECT count(*) FROM dataset")
    return Dataset(database, columns, rows, create_sql(source.whole, name, columns, max_rows), unread)


def create_sql(whole: From, path: str, columns: Sequence[DatasetColumn], max_rows: int) -> str:
    """The statement that reads the file at a path into the table `dataset`."""
    listed = []
    for each in columns:
        listed.append(f"{each.sql} AS {each.quoted}")
        if each.unread is not None:
            is_value = SAYS.format(text=each.text)
            listed.append(
                f"CASE WHEN ({each.sql}) IS NULL AND {is_value} THEN {each.text} END AS {identifier(each.unread)}"
            )
    return f"CREATE OR REPLACE TABLE dataset AS SELECT {', '.join(listed)} FROM {whole(path)} LIMIT {max_rows}"


async def _read(
    database: LockedDuckDb, columns: Sequence[DatasetColumn]
) -> tuple[dict[str, int], Sequence[DatasetColumn]]:
    """By column the values that were not read, and the columns with the types that all rows need."""
    found: dict[str, int] = {}
    wider = list(columns)
    numbers = [number for number, each in enumerate(columns) if each.unread is not None]
    for part in _parts(numbers, _AT_ONCE):
        aggregates = []
        for number in part:
            aggregates.append(f"count({columns[number].quoted})")
            aggregates.extend(unread_sql(identifier(columns[number].unread or "")))
        [counts] = await database.rows(f"SELECT {', '.join(aggregates)} FROM dataset")
        for place, number in enumerate(part):
            column, (filled, unread, as_numbers) = columns[number], counts[place * 3 : place * 3 + 3]
            if unread:
                found[column.name] = unread
            needed = widened(column.reading or "text", filled, unread, as_numbers)
            if needed != column.reading and column.text is not None:
                source = SourceColumn(column.name, column.text)
                wider[number] = _by_reading(source, needed, ambiguous=False, unread=column.unread or "")
    return found, wider
