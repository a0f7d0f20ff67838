"""One statement on a SQLite file: opened, read batch by batch and closed, each in a thread, one after the other.

Nothing is awaited here, and no error is worded: engine.py does both.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from mcp_app.builtin.query_database.cells import row
from mcp_app.builtin.query_database.database import Column, Parameters, Row
from mcp_app.builtin.query_database.sqlite.connection import Stop, connect

_BATCH_SECONDS = 0.25
"""After which a batch is given away as it is: rows that come slowly are seen as they come."""

_STORAGE: Mapping[type, str] = {int: "INTEGER", float: "REAL", str: "TEXT", bytes: "BLOB"}
"""SQLite's storage classes (https://sqlite.org/datatype3.html, 2)."""


class NoResult(Exception):
    """The statement has no columns: it is empty, or a comment."""


class DiskFull(Exception):
    """The statement was stopped: its temporary files were too large."""


class Statement:
    """See `FileStatement`."""

    def __init__(self, path: Path, sql: str, parameters: Parameters, batch: int) -> None:
        self._path = path
        self._sql = sql
        self._parameters = parameters
        self._batch = batch
        self._connection: sqlite3.Connection | None = None
        self._cursor: sqlite3.Cursor | None = None
        self._ahead: list[Row] = []
        self._at_work = threading.Lock()
        self._known = threading.Lock()
        """Held while the connection is looked at, and never while it works."""
        self._why = Stop()

    def begin(self) -> list[Column]:
        """Run it as far as its first batch, which says of what types its values are.

        Raises sqlite3.Error, sqlite3.Warning, NoResult and DiskFull. Where another program has locked the database, it
        may be called again.
        """
        with self._working():
            if self._connection is None:
                self._connection = connect(self._path, self._why)
            self._cursor = self._executed(self._connection)
            if self._cursor.description is None:
                raise NoResult
            values = self._fetched(self._cursor)
            self._ahead = [row(each) for each in values]
            names = [str(each[0]) for each in self._cursor.description]
            return [Column(name=name, type=_type(each[at] for each in values)) for at, name in enumerate(names)]

    def next(self) -> list[Row]:
        """The next rows; none are left when there are none here. Raises sqlite3.Error and DiskFull."""
        with self._working():
            found, self._ahead = self._ahead, []
            if not found and self._cursor is not None:
                found = [row(each) for each in self._fetched(self._cursor)]
            return found

    @contextmanager
    def _working(self) -> Iterator[None]:
        with self._at_work:
            try:
                yield
            except sqlite3.Error as error:
                if self._why.full:
                    raise DiskFull from error
                raise

    def _executed(self, connection: sqlite3.Connection) -> sqlite3.Cursor:
        given = self._parameters
        by_name = given if isinstance(given, Mapping) else {str(at): each for at, each in enumerate(given, 1)}
        values = {name: _bound(value) for name, value in by_name.items()}
        try:
            return connection.execute(self._sql, values)  # `$1`, `:1`, `@1` and `?1` are names to SQLite
        except sqlite3.ProgrammingError as error:
            if isinstance(given, Mapping) or "has no name" not in str(error):
                raise
            return connection.execute(self._sql, list(values.values()))  # `?`
        except (ValueError, OverflowError) as error:  # a NUL in the SQL, an integer of more than 64 bits
            raise sqlite3.ProgrammingError(str(error)) from error

    def _fetched(self, cursor: sqlite3.Cursor) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        until = time.monotonic() + _BATCH_SECONDS
        while len(found) < self._batch and not (found and time.monotonic() > until):
            values = cursor.fetchone()
            if values is None:
                break
            found.append(values)
        return found

    def stop(self) -> None:
        """Interrupt what is at work, and whatever would begin."""
        self._why.asked = True
        with self._known:
            if self._connection is not None:
                self._connection.interrupt()

    def close(self) -> None:
        """Give the lock on the database back, once nothing is at work."""
        with self._at_work:
            with self._known:
                connection, self._connection, self._cursor = self._connection, None, None
            if connection is not None:
                connection.close()


def _bound(value: JsonValue) -> JsonValue:
    """SQLite has no arrays: it gets their JSON, which `json_each($1)` reads."""
    return json.dumps(value) if isinstance(value, list | dict) else value


def _type(values: Iterable[Any]) -> str:
    """In SQLite a value has a type, and a column has not. The one that these have in common: NULL if there are none but
    null, ANY if there is more than one."""
    kinds = {_STORAGE[type(each)] for each in values if each is not None}
    if kinds == {"INTEGER", "REAL"}:
        return "REAL"
    return kinds.pop() if len(kinds) == 1 else "ANY" if kinds else "NULL"
