"""SQLite by the standard library: a `Database` whose statements work in threads, and are interrupted.

What makes a connection read-only is in connection.py, one statement in statement.py.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import ClassVar, TypeVar

from mcp_app import ToolError
from mcp_app.builtin.query_database.daemon_threads import DaemonThreads
from mcp_app.builtin.query_database.database import CannotOpen, Column, Parameters, Row, TableDescription, TableSummary
from mcp_app.builtin.query_database.settings import NamedDatabase
from mcp_app.builtin.query_database.sqlite.connection import LENGTH_BYTES, TEMPORARY_BYTES, connect
from mcp_app.builtin.query_database.sqlite.schema import described, summaries
from mcp_app.builtin.query_database.sqlite.statement import NoResult, Statement

T = TypeVar("T")

THREADS = 16
"""At work at once for one database; further batches wait for their turn. A reader that is slow holds no thread."""

LOCK_SECONDS = 5.0
"""How long a statement waits for another program that writes to the file."""

_LOCK_PAUSE = 0.05
"""Seconds between two tries."""

_STOP_SECONDS = 1.0
"""Until an interrupted statement is not waited for any longer. SQLite looks between two instructions of its machine;
a function on two texts of a megabyte may take half a minute, in its thread, and nobody waits for it."""


class SQLite:
    """A file. Each statement has a connection of its own, which takes some 0.2 ms to open."""

    engine: ClassVar[str] = "SQLite"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = DaemonThreads(THREADS, "sqlite")
        self._open: set[Statement] = set()

    async def rows(
        self, sql: str, parameters: Parameters, *, batch: int
    ) -> AsyncGenerator[list[Column] | list[Row], None]:
        """See `Database`."""
        statement = Statement(self._path, sql, parameters, batch)
        self._open.add(statement)
        try:
            yield await self._unlocked(statement.begin, statement)
            while found := await self._done(statement.next, statement):
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

    async def _ours(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """What a function reads on a connection of its own."""

        def work() -> T:
            connection = connect(self._path)
            try:
                return read(connection)
            finally:
                connection.close()

        return await self._unlocked(work, None)

    async def _unlocked(self, work: Callable[[], T], statement: Statement | None) -> T:
        """Tried again while another program has locked the file: on the loop, so that no thread waits."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LOCK_SECONDS
        while True:
            try:
                return await self._done(work, statement)
            except Locked:
                if loop.time() > until:
                    raise
            await asyncio.sleep(_LOCK_PAUSE)

    async def _done(self, work: Callable[[], T], statement: Statement | None) -> T:
        stop = statement.stop if statement is not None else _nothing
        try:
            return await self._threads.run(work, stop, patience=_STOP_SECONDS)
        except NoResult:
            raise ToolError("The statement has no result.", hint=_READ_ONLY) from None
        except (sqlite3.Error, sqlite3.Warning, MemoryError) as error:
            raise _worded(error, full=statement is not None and statement.why.full) from error


def _nothing() -> None:
    """What reads the schema is soon over."""


class Locked(ToolError):
    """Another program writes to the file."""


_READ_ONLY = "Databases are read only here: SELECT, VALUES, WITH and EXPLAIN run, one statement at a time."

_PARAMETERS = "parameters has a value for each $1, $2 … of the statement, in a list, or for each :name, in an object."

_HINTS = {
    sqlite3.SQLITE_AUTH: _READ_ONLY,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_TOOBIG: f"A value may have {LENGTH_BYTES} bytes: leave the column out, or ask for its length().",
    sqlite3.SQLITE_BUSY: "Another program is writing to it. Try again in a moment.",
    sqlite3.SQLITE_LOCKED: "Another program is writing to it. Try again in a moment.",
}
"""By SQLite's primary result code (https://sqlite.org/rescode.html, 2)."""

_HINTS_BY_WORDS = {
    "no such table": "list_tables names all of them.",
    "no such column": "describe_table names all of them.",
    "not authorized": _READ_ONLY,
    "may not be modified": _READ_ONLY,
    "one statement": _READ_ONLY,
}
"""Of errors that SQLite tells apart by their text alone."""


def _worded(error: Exception, *, full: bool) -> ToolError:
    """As SQLite says it. It names no file."""
    if full:
        return ToolError(
            f"The statement was stopped: it needed more than {TEMPORARY_BYTES} bytes on disk.",
            hint="Sort, group or join less: select fewer rows or columns first.",
        )
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    kind = Locked if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) else ToolError
    text = str(error) or type(error).__name__
    hints = [hint for words, hint in _HINTS_BY_WORDS.items() if words in text]
    # Of Python's own module, before SQLite sees the statement.
    otherwise = _PARAMETERS if isinstance(error, sqlite3.ProgrammingError | sqlite3.Warning) else _HINTS.get(code, "")
    return kind(text, hint=hints[0] if hints else otherwise)


async def open_database(named: NamedDatabase) -> SQLite:
    """The file, once it is known to be a database. Raises CannotOpen."""
    assert named.path is not None  # noqa: S101 - the settings give each file its path
    if not await DaemonThreads(1, "sqlite").start(named.path.is_file):
        raise CannotOpen(named.name, f"there is no file {named.path}")
    database = SQLite(named.path)
    try:
        await database.tables()
    except ToolError as error:
        raise CannotOpen(named.name, f"{named.path}: {error.message}") from error
    return database
