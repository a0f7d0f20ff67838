"""SQLite by the standard library: a `Database` whose statements work in threads, and are interrupted.

What makes a connection read-only is in connection.py, one statement in statement.py.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import ClassVar, TypeVar

from mcp_app import ToolError
from mcp_app.builtin.query_database.database import Parameters, TableDescription, TableSummary
from mcp_app.builtin.query_database.file_database import FileDatabase, open_file
from mcp_app.builtin.query_database.settings import NamedDatabase
from mcp_app.builtin.query_database.sqlite.connection import LENGTH_BYTES, TEMPORARY_BYTES, connect
from mcp_app.builtin.query_database.sqlite.schema import described, summaries
from mcp_app.builtin.query_database.sqlite.statement import DiskFull, NoResult, Statement

T = TypeVar("T")

THREADS = 16
"""At work at once for one database; further batches wait for their turn. A reader that is slow holds no thread."""

LOCK_SECONDS = 5.0
"""How long a statement waits for another program that writes to the file."""

_LOCK_PAUSE = 0.05
"""Seconds between two tries."""


class SQLite(FileDatabase):
    """A connection takes some 0.2 ms to open."""

    engine: ClassVar[str] = "SQLite"
    errors = (sqlite3.Error, sqlite3.Warning, MemoryError, NoResult, DiskFull)

    def __init__(self, path: Path) -> None:
        super().__init__(path, THREADS)

    def _statement(self, sql: str, parameters: Parameters, batch: int) -> Statement:
        return Statement(self._path, sql, parameters, batch)

    def _summaries(self) -> list[TableSummary]:
        with closing(connect(self._path)) as connection:
            return summaries(connection)

    def _described(self, name: str) -> TableDescription:
        with closing(connect(self._path)) as connection:
            return described(connection, name)

    async def _opening(self, work: Callable[[], T], stop: Callable[[], None]) -> T:
        """Tried again while another program has locked the file: on the loop, so that no thread waits."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LOCK_SECONDS
        while True:
            try:
                return await self._done(work, stop)
            except Locked:
                if loop.time() > until:
                    raise
            await asyncio.sleep(_LOCK_PAUSE)

    def _worded(self, error: Exception) -> ToolError:
        """As SQLite says it. It names no file."""
        match error:
            case NoResult():
                return ToolError("The statement has no result.", hint=_READ_ONLY)
            case DiskFull():
                return ToolError(
                    f"The statement was stopped: it needed more than {TEMPORARY_BYTES} bytes on disk.",
                    hint="Sort, group or join less: select fewer rows or columns first.",
                )
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        kind = Locked if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) else ToolError
        text = str(error) or type(error).__name__
        hints = [hint for words, hint in _HINTS_BY_WORDS.items() if words in text]
        # Python's own module raises these, before SQLite sees the statement.
        otherwise = (
            _PARAMETERS if isinstance(error, sqlite3.ProgrammingError | sqlite3.Warning) else _HINTS.get(code, "")
        )
        return kind(text, hint=hints[0] if hints else otherwise)


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


async def open_database(named: NamedDatabase) -> SQLite:
    """See `open_file`."""
    return await open_file(named, SQLite)
