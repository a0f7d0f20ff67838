"""One statement on a DuckDB file: opened, read batch by batch and closed, each in a thread, one after the other.

Nothing is awaited here, and no error is worded: engine.py does both.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
from pydantic import JsonValue

from mcp_app.builtin.memory import memory_ceiling
from mcp_app.builtin.query_database.cells import interval, row
from mcp_app.builtin.query_database.database import Column, Parameters, Row
from mcp_app.builtin.query_database.duckdb.connection import connect
from mcp_app.builtin.scratch import scratch_directory

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
"""By DuckDB's own parser: DESCRIBE, SHOW, SUMMARIZE, FROM, VALUES and WITH are SELECT. What else a read-only database
allows (SET, BEGIN, CREATE TEMP TABLE) is of no use to the next statement, which has a connection of its own."""

_INTERVAL = (
    "[datepart('year', {0}) * 12 + datepart('month', {0}), datepart('day', {0}), datepart('hour', {0}) * 3600000000"
    " + datepart('minute', {0}) * 60000000 + datepart('microsecond', {0})]"
)
"""Months, days, microseconds: Python's timedelta has no months."""

_MOMENT = "regexp_replace(replace({0}::VARCHAR, ' (BC)', ' BC'), '^([^ ]+) ([0-9])', '\\1T\\2')"
"""ISO 8601. Python's datetime ends with the year 9999, has no nanoseconds, and takes infinity for a date."""

_ZONED = f"regexp_replace({_MOMENT}, '([+-][0-9]{{{{2}}}})$', '\\1:00')"

_SPELT = {
    "INTERVAL": _INTERVAL,
    "DATE": "{0}::VARCHAR",
    "TIMESTAMP": _MOMENT,
    "TIMESTAMP_S": _MOMENT,
    "TIMESTAMP_MS": _MOMENT,
    "TIMESTAMP_NS": _MOMENT,
    "TIMESTAMP WITH TIME ZONE": _ZONED,
    "TIME_NS": "{0}::VARCHAR",
}
"""SQL for the types of which Python's values would be others."""


class NotOne(Exception):
    """The text is no statement, or several."""


class NotReading(Exception):
    """The statement does something else than read."""


class DuckDbStatement:
    """See `FileStatement`."""

    def __init__(self, path: Path, sql: str, parameters: Parameters, batch: int) -> None:
        self._path = path
        self._sql = sql
        self._parameters = parameters
        self._batch = batch
        self._at_work = threading.Lock()
        self._known = threading.Lock()
        """Held while the connection is looked at: to interrupt one that is closed is an error."""
        self._open = ExitStack()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._read: list[Callable[[Any], Any] | None] = []
        self._stopped = threading.Event()

    def begin(self) -> list[Column]:
        """Run it as far as its first rows. Raises duckdb.Error, MemoryError, NotOne and NotReading."""
        with self._at_work:
            directory = self._open.enter_context(scratch_directory())
            self._open.enter_context(memory_ceiling())
            connection = self._open.enter_context(connect(self._path, directory / "spilled"))
            self._connection = connection
            self._check()
            statements = connection.extract_statements(self._sql)
            if len(statements) != 1:
                raise NotOne
            if statements[0].type not in _READING:
                raise NotReading(statements[0].type.name)
            sql = statements[0].query.strip().rstrip(";")
            if statements[0].type != duckdb.StatementType.SELECT:
                connection.execute(sql, self._parameters or None)
                found = [Column(name=str(name), type=str(type_)) for name, type_, *_ in connection.description or ()]
            else:
                found = self._columns(connection, sql)
                connection.execute(_spelt(sql, found), self._parameters or None)
            self._check()
            self._read = [_READ.get(each.type) for each in found]
            return found

    def _columns(self, connection: duckdb.DuckDBPyConnection, sql: str) -> list[Column]:
        # A comment at the end of it would take what follows.
        described = connection.execute(f"DESCRIBE (\n{sql}\n)", self._parameters or None).fetchall()
        return [Column(name=name, type=type_) for name, type_, *_ in described]

    def next(self) -> list[Row]:
        """The next rows; none are left when there are none here. Raises duckdb.Error and MemoryError."""
        with self._at_work:
            self._check()
            if self._connection is None:
                return []
            return [row(self._values(each)) for each in self._connection.fetchmany(self._batch)]

    def _values(self, values: Sequence[Any]) -> list[Any]:
        return [
            each if read is None or each is None else read(each) for each, read in zip(values, self._read, strict=True)
        ]

    def _check(self) -> None:
        if self._stopped.is_set():
            raise duckdb.InterruptException("stopped")

    def stop(self) -> None:
        """Interrupt what is at work, and whatever would begin."""
        self._stopped.set()
        if self._at_work.locked():  # whoever begins after this sees that it is stopped
            threading.Thread(target=self._interrupt, name="duckdb stop", daemon=True).start()

    def _interrupt(self) -> None:
        """Again and again, as an interrupt before the first step of a statement is lost."""
        while not self._at_work.acquire(timeout=0.02):
            with self._known:
                if self._connection is not None:
                    self._connection.interrupt()
        self._at_work.release()

    def close(self) -> None:
        """Close the file, once nothing is at work."""
        with self._at_work:
            with self._known:
                self._connection = None
            self._open.close()


def _spelt(sql: str, columns: Sequence[Column]) -> str:
    """The statement; around it, if there must be, one that spells values of some types."""
    if not any(each.type in _SPELT for each in columns):
        return sql
    names = [f"c{number}" for number in range(len(columns))]
    listed = ", ".join(_SPELT.get(each.type, "{0}").format(name) for name, each in zip(names, columns, strict=True))
    return f"SELECT {listed} FROM (\n{sql}\n) AS answer({', '.join(names)})"


def _json(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError):  # DuckDB's JSON may be deeper than Python's
        return text
    return value


_READ: dict[str, Callable[[Any], Any]] = {"JSON": _json, "INTERVAL": lambda parts: interval(*parts)}
"""What Python's values become before they are spelt, by type."""
