"""DuckDB: a `Database` whose statements run in the process of a tool (tool.py), and are interrupted.

What a caller's statement is made of is in statement.py. In the server's own process only the schema is read.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import ClassVar, TypeVar

import duckdb

from mcp_app import Context, ToolError
from mcp_app.builtin.query_database.daemon_threads import DaemonThreads
from mcp_app.builtin.query_database.database import CannotOpen, Column, Parameters, Row, TableDescription, TableSummary
from mcp_app.builtin.query_database.duckdb.connection import MEMORY, connect
from mcp_app.builtin.query_database.duckdb.schema import described, summaries
from mcp_app.builtin.query_database.duckdb.statement import DuckDbStatement, NotOne, NotReading
from mcp_app.builtin.query_database.question import Question
from mcp_app.builtin.query_database.settings import NamedDatabase
from mcp_app.builtin.query_database.shapes import Table

T = TypeVar("T")

_THREADS = 4

_STOP_SECONDS = 1.0
"""Until an interrupted statement is not waited for any longer: after that its process is killed."""

_MESSAGE_CHARACTERS = 600


class DuckDb:
    """A file. Each statement has a connection of its own, which takes some 15 ms to open."""

    engine: ClassVar[str] = "DuckDB"

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path
        self._threads = DaemonThreads(_THREADS, "duckdb")
        self._alone = threading.Lock()
        self._open: set[DuckDbStatement] = set()

    async def answer(self, ctx: Context, question: Question) -> Table:
        """Have the statement run in another process, as a step of this run."""
        from mcp_app.builtin.query_database.duckdb.tool import query_duckdb

        answer: Table = await ctx.call(query_duckdb, database=self._name, question=question)
        return answer

    async def rows(
        self, sql: str, parameters: Parameters, *, batch: int
    ) -> AsyncGenerator[list[Column] | list[Row], None]:
        """See `Database`. In this very process, whose memory is bounded meanwhile: for one that does nothing else."""
        statement = DuckDbStatement(self._path, sql, parameters, batch)
        self._open.add(statement)
        try:
            yield await self._done(statement.begin, statement.stop)
            while found := await self._done(statement.next, statement.stop):
                yield found
        finally:
            self._open.discard(statement)
            statement.stop()
            await asyncio.wait({self._threads.start(statement.close)}, timeout=_STOP_SECONDS)

    async def tables(self) -> list[TableSummary]:
        """See `Database`."""
        return await self._ours(summaries)

    async def table(self, name: str) -> TableDescription:
        """See `Database`."""
        return await self._ours(lambda connection: described(connection, name))

    async def close(self) -> None:
        """See `Database`."""
        for each in self._open:
            each.stop()

    async def _ours(self, read: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """What a function reads on a connection of its own, one at a time."""

        def work() -> T:
            with self._alone, connect(self._path, None) as connection:
                return read(connection)

        return await self._done(work, _nothing)

    async def _done(self, work: Callable[[], T], stop: Callable[[], None]) -> T:
        try:
            return await self._threads.run(work, stop, patience=_STOP_SECONDS)
        except (duckdb.Error, MemoryError, NotOne, NotReading) as error:
            raise _worded(error, self._path) from error


def _nothing() -> None:
    """What reads the schema is soon over."""


_READ_ONLY = (
    "Databases are read only here: SELECT, WITH, FROM, VALUES, DESCRIBE, SHOW, SUMMARIZE and EXPLAIN run, one statement"
    " at a time, on what is in the database."
)

_HINTS: dict[type[Exception], str] = {
    duckdb.PermissionException: _READ_ONLY,
    duckdb.CatalogException: "list_tables and describe_table name what there is.",
    duckdb.BinderException: "list_tables and describe_table name what there is.",
}


def _worded(error: Exception, path: Path) -> ToolError:
    """As DuckDB says it, without the file's name."""
    text = str(error).split("\n\nLINE ")[0].split("Possible solutions:")[0].split("Possible fixes:")[0]
    text = " ".join(text.replace(str(path.resolve()), "the database").replace(str(path), "the database").split())
    text = re.sub(r"/nonexistent\S*", "…", text)[:_MESSAGE_CHARACTERS]
    match error:
        case NotOne():
            return ToolError("That is not one statement.", hint=_READ_ONLY)
        case NotReading():
            return ToolError(f"{error} does not only read.", hint=_READ_ONLY)
        case duckdb.OutOfMemoryException() | MemoryError():
            return ToolError(
                f"The statement needs more memory than the {MEMORY} it may have, or has a value that does.",
                hint="Sort, group or join less; ask for length(), or for left() of a long text.",
            )
        case duckdb.IOException() if "lock" in text.lower():
            return ToolError("Another program is writing to the database.", hint="Try again in a moment.")
        case duckdb.InvalidInputException() if "parameter" in text:
            return ToolError(
                text, hint="parameters has a value for each $1, $2 … in a list, or for each $name in an object."
            )
        case duckdb.InvalidInputException() if "read-only" in text:
            return ToolError(text, hint=_READ_ONLY)
        case _:
            return ToolError(text, hint=_HINTS.get(type(error), ""))


async def open_database(named: NamedDatabase) -> DuckDb:
    """The file, once it is known to be a database. Raises CannotOpen."""
    assert named.path is not None  # noqa: S101 - the settings give each file its path
    if not await DaemonThreads(1, "duckdb").start(named.path.is_file):
        raise CannotOpen(named.name, f"there is no file {named.path}")
    database = DuckDb(named.name, named.path)
    try:
        await database.tables()
    except ToolError as error:
        raise CannotOpen(named.name, f"{named.path}: {error.message}") from error
    return database
