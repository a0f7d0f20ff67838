"""One analysis, from the first bytes of a file to its last finding. How it is streamed, and cut, is not known here."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from mcp_app import ToolError
from mcp_app.builtin.analyze_dataset.completeness import nulls, unread_lines, unread_values
from mcp_app.builtin.analyze_dataset.data_file import DataFile
from mcp_app.builtin.analyze_dataset.dataset import Dataset, DatasetColumn, create_sql, infer_columns, make_dataset
from mcp_app.builtin.analyze_dataset.days import dates
from mcp_app.builtin.analyze_dataset.distinct import distinct
from mcp_app.builtin.analyze_dataset.head import HEAD_BYTES, Verdict, judge
from mcp_app.builtin.analyze_dataset.locked import LockedDuckDb, locked_duckdb
from mcp_app.builtin.analyze_dataset.looks import columns_listed, counted, table
from mcp_app.builtin.analyze_dataset.quoting import shown
from mcp_app.builtin.analyze_dataset.relations import correlations, duplicates
from mcp_app.builtin.analyze_dataset.shapes import About, DataFinding
from mcp_app.builtin.analyze_dataset.sources import DataSource, chosen, data_source
from mcp_app.builtin.analyze_dataset.spread import histogram, outliers, value_range

ANALYSED_COLUMNS = 200
"""Looked at in one analysis; each takes buffers while the file is read. A caller can choose them."""

Look = Callable[[], AsyncIterator[DataFinding]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller asked for; None is all."""

    columns: Sequence[str] | None
    findings: frozenset[About] | None
    max_rows: int

    def has(self, about: About) -> bool:
        return self.findings is None or about in self.findings


class Listener(Protocol):
    """Who hears of an analysis while it goes on."""

    async def found(self, finding: DataFinding, looked: float) -> None:
        """A finding; so many percent of all looks are done with the one that found it."""

    async def reading(self, percent: float) -> None:
        """How much of the file was read."""


@dataclass(slots=True)
class Outcome:
    """What an analysis came to. `remarks` say how the data was read, `left_out` what was not looked at."""

    rows: int = 0
    columns: int = 0
    findings: list[DataFinding] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


async def analyse(
    file: DataFile,
    wanted: Wanted,
    listener: Listener,
    seconds: Callable[[], float],
    *,
    query: str | None = None,
) -> Outcome:
    """Analyse an open file. `seconds` says how many are left: looks for which there are none are left out, and named.

    query: whose rows are in the file, as JSON Lines; else its name's end says what it is. Raises ToolError for a file
    that cannot be read, or not in that time.
    """
    state = file.state()
    head = os.pread(file.descriptor, HEAD_BYTES, 0)
    verdict = judge(file.name, head, state.size) if query is None else Verdict("jsonl")
    outcome = Outcome()
    if verdict.remark is not None:
        outcome.remarks.append(verdict.remark)
    async with locked_duckdb(file.path, file.name) as database:
        try:
            async with asyncio.timeout(seconds()) as timeout:
                source, dataset = await _read(database, file, verdict, wanted, listener, outcome, query)
        except TimeoutError:
            if not timeout.expired():
                raise
            raise ToolError(
                f"Time was up while {shown(file.name)!r} was still being read.",
                hint="Ask for fewer rows (max_rows=…) or columns (columns=[…]); a detached run has more time.",
            ) from None
        _note(outcome, file, state, source, dataset, wanted)
        if query is None:  # whoever wrote the rows of one knows whether there are more
            await _note_rest(database, outcome, source, file.path, wanted.max_rows)
        await _look(database, source, dataset, file, wanted, listener, seconds, outcome)
    return outcome


async def _read(
    database: LockedDuckDb,
    file: DataFile,
    verdict: Verdict,
    wanted: Wanted,
    listener: Listener,
    outcome: Outcome,
    query: str | None,
) -> tuple[DataSource, Dataset]:
    """The file as a dataset. Its schema is found twice: by its first rows, before the others are read, and by all."""
    source = await data_source(database, file, verdict, wanted.max_rows)
    if query is not None:  # each line of it was written here, and is an object
        source = replace(source, lines=None)
    picked = chosen(source.columns, wanted.columns, ANALYSED_COLUMNS)
    columns = await infer_columns(database, source, picked, file.path)
    outcome.columns = len(columns)
    if wanted.has("schema") and query is None:
        create = create_sql(source.whole, file.name, columns, wanted.max_rows)
        await listener.found(_schema(columns, len(source.columns), file.name, create, "by its first rows"), 0)
    dataset = await make_dataset(
        database,
        source,
        columns,
        path=file.path,
        name=file.name,
        max_rows=wanted.max_rows,
        watch=listener.reading,
    )
    outcome.rows = dataset.rows
    if wanted.has("schema"):
        create = dataset.create if query is None else query_sql(file.name, query)
        schema = _schema(dataset.columns, len(source.columns), file.name, create, "by all of its rows")
        outcome.findings.append(schema)
        if dataset.columns != columns or query is not None:
            await listener.found(schema, 0)
    return source, dataset


def _note(
    outcome: Outcome, file: DataFile, before: object, source: DataSource, dataset: Dataset, wanted: Wanted
) -> None:
    """What the reader has to know of the rows that were read."""
    asked = len({name.casefold() for name in wanted.columns or ()})
    if len(dataset.columns) < (asked or len(source.columns)):
        outcome.left_out.append(
            f"{counted(asked or len(source.columns), 'column')} are more than the {ANALYSED_COLUMNS} of one analysis:"
            " the first ones were looked at. Ask for others with columns=[…]."
        )
    if source.remark is not None:
        outcome.remarks.append(source.remark)
    if source.promised_rows is not None and min(source.promised_rows, wanted.max_rows) != dataset.rows:
        outcome.remarks.append(
            f"The file says that it has {source.promised_rows:,} rows, and has {dataset.rows:,}: it may be damaged."
        )
    if file.state() != before:
        outcome.remarks.append(
            "The file was written to while it was read: the figures are of the rows that were read. Call again when"
            " nobody writes to it."
        )


def query_sql(name: str, query: str) -> str:
    """What makes `dataset` of a query's rows, for people: another database than DuckDB runs it."""
    return f"-- dataset is {name}:\n{query}"


async def _note_rest(database: LockedDuckDb, outcome: Outcome, source: DataSource, path: str, max_rows: int) -> None:
    """Whether the file has more rows than were asked for."""
    if outcome.rows < max_rows:
        return
    [[more]] = await database.rows(
        f"SELECT count(*) FROM (SELECT 1 FROM {source.sample(path)} LIMIT 1 OFFSET {max_rows})"
    )
    if more:
        outcome.left_out.append(
            f"Only the first {counted(outcome.rows, 'row')} were looked at, and there are more:"
            " ask with a larger max_rows."
        )


def _schema(columns: Sequence[DatasetColumn], of: int, name: str, create: str, by: str) -> DataFinding:
    rows = [(each.name, each.type, each.said or "typed by the file") for each in columns]
    more = f" of {of:,}" if len(columns) < of else ""
    first = columns_listed([(each.name, each.type) for each in columns])
    return DataFinding(
        about="schema",
        title=f"{shown(name)} has {counted(len(columns), 'column')}{more}, {by}: {first}.",
        sql=create,
        table=table([("column", "VARCHAR"), ("type", "VARCHAR"), ("read as", "VARCHAR")], rows),
    )


Kind = tuple[About, Callable[[Dataset, DatasetColumn], AsyncIterator[DataFinding]]]


def _of_column(wanted: Wanted) -> list[Kind]:
    kinds: list[Kind] = [
        ("distinct", distinct),
        ("range", value_range),
        ("histogram", histogram),
        ("outliers", outliers),
        ("dates", dates),
    ]
    found = [each for each in kinds if wanted.has(each[0])]
    if wanted.has("unread") or wanted.has("dates"):
        found.insert(0, ("unread", unread_values))
    return found


async def _look(
    database: LockedDuckDb,
    source: DataSource,
    dataset: Dataset,
    file: DataFile,
    wanted: Wanted,
    listener: Listener,
    seconds: Callable[[], float],
    outcome: Outcome,
) -> None:
    looks: list[tuple[About, str | None, Look]] = []
    if wanted.has("unread"):
        looks.append(("unread", None, partial(unread_lines, database, source, file.path, file.name)))
    if dataset.rows:
        if wanted.has("nulls"):
            looks.append(("nulls", None, partial(nulls, dataset)))
        for column in dataset.columns:
            looks += [(about, column.name, partial(look, dataset, column)) for about, look in _of_column(wanted)]
        if wanted.has("duplicates"):
            looks.append(("duplicates", None, partial(duplicates, dataset)))
        if wanted.has("correlations"):
            looks.append(("correlations", None, partial(correlations, dataset)))
    for done, (about, column_name, look) in enumerate(looks):
        of = f"{about} of {shown(column_name)}" if column_name is not None else about
        try:
            async with asyncio.timeout(seconds()):
                async for finding in look():
                    if wanted.has(finding.about):
                        outcome.findings.append(finding)
                        await listener.found(finding, 100 * (done + 1) / len(looks))
        except TimeoutError:
            outcome.left_out.append(
                f"Time was up before {counted(len(looks) - done, 'look')} of {len(looks)}, from {of} on: ask for these"
                " with columns=[…] and findings=[…], or for fewer rows with max_rows."
            )
            return
        except ToolError as error:
            outcome.left_out.append(f"Left out: {of} ({error.message.rstrip('.')}).")
