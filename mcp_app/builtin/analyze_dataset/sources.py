"""What each format is to DuckDB: its columns, and the FROM clause that reads it. Only beginnings are read here.

Every clause is a function of the path, since it is run with the path of a descriptor and shown with the file's name.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from mcp_app import ToolError
from mcp_app.builtin.analyze_dataset.column_types import SAMPLE_ROWS
from mcp_app.builtin.analyze_dataset.data_file import DataFile
from mcp_app.builtin.analyze_dataset.head import HEAD_BYTES, MAX_COLUMNS, Verdict
from mcp_app.builtin.analyze_dataset.locked import LockedDuckDb
from mcp_app.builtin.analyze_dataset.long_lines import Read, first_beyond, surplus
from mcp_app.builtin.analyze_dataset.looks import counted
from mcp_app.builtin.analyze_dataset.quoting import clean_names, identifier, literal, shown

MAX_REJECTS = 100_000
"""Lines that could not be read, of which DuckDB remembers why."""

_REMEMBERED = f", store_rejects = true, rejects_limit = {MAX_REJECTS}"

MAX_PARQUET_COLUMNS = 20_000
"""More than of a CSV: those that are not looked at are not read. But each is named in the SQL."""

LINE_BYTES = 16 * 1024 * 1024
"""Of one line of JSON."""

T = TypeVar("T")

From = Callable[[str], str]
"""From a path to a FROM clause."""


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """`sql` gives the column of the FROM clause; `type` is "VARCHAR" where it is text whose type is to be inferred."""

    name: str
    sql: str
    type: str = "VARCHAR"


@dataclass(frozen=True, slots=True)
class DataSource:
    """A file as DuckDB reads it. `sample` reads its beginning, and remembers no rejected lines."""

    columns: Sequence[SourceColumn]
    whole: From
    sample: From
    rejects: bool = False
    """Whether lines that cannot be read are in DuckDB's table `reject_errors`."""
    lines: From | None = None
    """JSON Lines: one row for each line, as `json`, NULL for what is none."""
    remark: str | None = None
    """What a reader has to know of how it is read."""
    promised_rows: int | None = None
    """Parquet: how many rows the file says that it has."""


async def data_source(database: LockedDuckDb, file: DataFile, verdict: Verdict, max_rows: int) -> DataSource:
    """Raises ToolError for a file that is not of its format."""
    path = file.path
    match verdict.format:
        case "csv" | "tsv":
            return await _csv(database, file, verdict, max_rows + SAMPLE_ROWS)
        case "jsonl":
            return await _json_lines(database, path)
        case "parquet":
            return await _parquet(database, path)


async def _csv(database: LockedDuckDb, file: DataFile, verdict: Verdict, lines: int) -> DataSource:
    path = file.path
    beyond = await _read_through(file, lambda read: first_beyond(read, HEAD_BYTES, lines))
    if beyond is not None:
        raise ToolError(f"{shown(file.name)!r} is no table: its line {beyond:,} has more than {HEAD_BYTES:,} bytes.")
    given = f"encoding = {literal(verdict.encoding)}, max_line_size = {HEAD_BYTES}, compression = 'none'"
    known = ", delim = '\t'" if verdict.format == "tsv" else ""
    [found] = await database.rows(
        'SELECT "Delimiter", "Quote", "Escape", "Comment", "SkipRows", "HasHeader", "Columns" FROM '
        f"sniff_csv({literal(path)}, sample_size = {SAMPLE_ROWS}, ignore_errors = true, {given}{known})"
    )
    delimiter, quote, escape, comment, skip, has_header, columns = found
    # Where the beginning has no quotes, what comes later may have them (RFC 4180).
    quote, escape = (quote, escape) if _is_given(quote) else ('"', '"')
    dialect = (
        f"auto_detect = false, ignore_errors = true, {given}, quote = {literal(quote)},"
        f" escape = {literal(escape if _is_given(escape) else quote)}, skip = {skip}, header = {has_header}"
    )
    dialect += f", delim = {literal(delimiter)}"
    if _is_given(comment):
        dialect += f", comment = {literal(comment)}"
    names = clean_names(each["name"] for each in columns)
    as_text = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    too_many = await _read_through(file, lambda read: surplus(read, delimiter, len(names), lines))
    remark = (
        f"Lines that cannot be read are left out, and not counted: line {too_many.line:,} alone has"
        f" {too_many.columns:,} cells, where {counted(len(names), 'column')} are."
    )

    def reads(path: str, more: str = "") -> str:
        return f"read_csv({literal(path)}, {dialect}{more}, columns = {{{as_text}}})"

    return DataSource(
        columns=[SourceColumn(name, identifier(name)) for name in names],
        whole=reads if too_many.is_dear else partial(reads, more=_REMEMBERED),
        sample=reads,
        rejects=not too_many.is_dear,
        remark=remark if too_many.is_dear else None,
    )


async def _read_through(file: DataFile, look: Callable[[Read], T]) -> T:
    """Look at the file's bytes in a thread. Whoever is cancelled has stopped it: the descriptor is closed next, and may
    be another file's."""
    stopped = threading.Event()

    def read(offset: int, size: int) -> bytes:
        return b"" if stopped.is_set() else os.pread(file.descriptor, size, offset)

    task = asyncio.get_running_loop().run_in_executor(None, look, read)
    try:
        await asyncio.wait((task,))
    except asyncio.CancelledError:
        stopped.set()
        await asyncio.wait((task,))
        raise
    return task.result()


def _is_given(option: str | None) -> bool:
    return option not in (None, "", "(empty)")


async def _json_lines(database: LockedDuckDb, path: str) -> DataSource:
    def lines(path: str) -> str:
        return (
            f"read_json_objects({literal(path)}, format = 'newline_delimited', ignore_errors = true,"
            f" maximum_object_size = {LINE_BYTES}, compression = 'uncompressed')"
        )

    first = f"(SELECT json, row_number() OVER () AS line FROM {lines(path)} LIMIT {SAMPLE_ROWS})"
    objects = f"FROM {first} WHERE json_type(json) = 'OBJECT'"
    [[most]] = await database.rows(f"SELECT max(len(json_keys(json))) {objects}")
    if most is None:
        raise ToolError("Not one of the first lines is a JSON object; JSON Lines has one on each line.")
    if most > MAX_COLUMNS:
        raise ToolError(f"An object of the file has {most:,} keys; at most {MAX_COLUMNS:,} can be analysed.")
    keys: dict[str, None] = {}
    for each, _ in await database.rows(f"SELECT json_keys(json) AS keys, min(line) {objects} GROUP BY keys ORDER BY 2"):
        keys.update(dict.fromkeys(each))
    if len(keys) > MAX_COLUMNS:
        raise ToolError(f"The objects have {len(keys):,} different keys; at most {MAX_COLUMNS:,} can be analysed.")
    if not keys:
        raise ToolError("The objects of the file have no keys.")
    # JSON Pointer (RFC 6901), in which no key has to be quoted.
    pointers = ", ".join(literal("/" + key.replace("~", "~0").replace("/", "~1")) for key in keys)

    def reads(path: str) -> str:
        return (
            f"(SELECT json_extract_string(json, [{pointers}]) AS field FROM {lines(path)}"
            " WHERE json_type(json) = 'OBJECT')"
        )

    return DataSource(
        columns=[SourceColumn(name, f"field[{number}]") for number, name in enumerate(clean_names(keys), 1)],
        whole=reads,
        sample=reads,
        lines=lines,
    )


async def _parquet(database: LockedDuckDb, path: str) -> DataSource:
    described = await database.rows(f"DESCRIBE SELECT * FROM read_parquet({literal(path)})")
    if len(described) > MAX_PARQUET_COLUMNS:
        raise ToolError(f"The file has {len(described):,} columns; at most {MAX_PARQUET_COLUMNS:,} can be read.")
    [[rows]] = await database.rows(f"SELECT sum(num_rows)::BIGINT FROM parquet_file_metadata({literal(path)})")
    names = clean_names(each[0] for each in described)
    listed = ", ".join(map(identifier, names))

    def reads(path: str) -> str:
        return f"read_parquet({literal(path)}) AS source({listed})"

    columns = [_native(name, type_) for name, (_, type_, *_) in zip(names, described, strict=True)]
    return DataSource(columns=columns, whole=reads, sample=reads, promised_rows=rows)


def _native(name: str, type_: str) -> SourceColumn:
    sql = identifier(name)
    if type_ == "TIMESTAMP WITH TIME ZONE":
        return SourceColumn(name, f"{sql} AT TIME ZONE 'UTC'", "TIMESTAMP")
    return SourceColumn(name, sql, type_)


def chosen(columns: Sequence[SourceColumn], names: Sequence[str] | None, most: int) -> list[SourceColumn]:
    """The columns that were asked for, else the first ones. Raises ToolError for one that is not there."""
    if names is None:
        return list(columns[:most])
    by_name = {each.name.casefold(): each for each in columns}
    missing = [name for name in names if name.casefold() not in by_name]
    if missing:
        known = ", ".join(shown(each.name) for each in columns[:50])
        more = f" and {len(columns) - 50} more" if len(columns) > 50 else ""
        raise ToolError(f"There is no column {shown(missing[0])!r}.", hint=f"There are: {known}{more}.")
    return list(dict.fromkeys(by_name[name.casefold()] for name in names))[:most]
