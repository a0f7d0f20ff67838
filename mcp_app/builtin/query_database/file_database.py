"""A database that is a file, whose driver blocks: statements work in threads, and are stopped from beside.

No engine is known here. Each says what a statement of its own is, how it reads a schema, and what it makes of an error.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

from mcp_app import ToolError
from mcp_app.builtin.query_database.daemon_threads import DaemonThreads
from mcp_app.builtin.query_database.database import CannotOpen, Column, Parameters, Row, TableDescription, TableSummary
from mcp_app.builtin.query_database.settings import NamedDatabase

T = TypeVar("T")

STOP_SECONDS = 1.0
"""Until an interrupted statement is not waited for any longer: a function at work on one huge value looks at no
interrupt. It goes on in its thread, or has its process killed."""


class FileStatement(Protocol):
    """`begin`, then `next` until it is empty, one after the other; `stop` and `close` in any thread, at any time."""

    def begin(self) -> list[Column]:
        """Run it as far as its columns are known."""
        ...

    def next(self) -> list[Row]:
        """The next rows; none are left when there are none here."""
        ...

    def stop(self) -> None:
        """Interrupt what is at work, and whatever would begin."""
        ...

    def close(self) -> None:
        """Close the file, once nothing is at work."""
        ...


class FileDatabase(ABC):
    """See `Database`. Each statement has a connection of its own, and so has each look at the schema."""

    engine: ClassVar[str]

    errors: ClassVar[tuple[type[Exception], ...]]
    """Those that are a caller's, as `_worded` says them."""

    def __init__(self, path: Path, threads: int) -> None:
        self._path = path
        self._threads = DaemonThreads(threads, self.engine.lower())
        self._open: set[FileStatement] = set()

    @abstractmethod
    def _statement(self, sql: str, parameters: Parameters, batch: int) -> FileStatement:
        """One that has not begun."""

    @abstractmethod
    def _summaries(self) -> list[TableSummary]:
        """See `tables`. In a thread."""

    @abstractmethod
    def _described(self, name: str) -> TableDescription:
        """See `table`. In a thread."""

    @abstractmethod
    def _worded(self, error: Exception) -> ToolError:
        """What a caller is told of one of the `errors`."""

    async def rows(
        self, sql: str, parameters: Parameters, *, batch: int
    ) -> AsyncGenerator[list[Column] | list[Row], None]:
        """See `Database`."""
        statement = self._statement(sql, parameters, batch)
        self._open.add(statement)
        try:
            yield await self._opening(statement.begin, statement.stop)
            while found := await self._done(statement.next, statement.stop):
                yield found
        finally:
            self._open.discard(statement)
            statement.stop()
            await asyncio.wait({self._threads.start(statement.close)}, timeout=STOP_SECONDS)

    async def tables(self) -> list[TableSummary]:
        """See `Database`."""
        return await self._opening(self._summaries, _nothing)

    async def table(self, name: str) -> TableDescription:
        """See `Database`."""
        return await self._opening(lambda: self._described(name), _nothing)

    async def close(self) -> None:
        """See `Database`."""
        for each in self._open:
            each.stop()

    async def _opening(self, work: Callable[[], T], stop: Callable[[], None]) -> T:
        """Work that opens the file, and has given nothing away: an engine may do it again."""
        return await self._done(work, stop)

    async def _done(self, work: Callable[[], T], stop: Callable[[], None]) -> T:
        try:
            return await self._threads.run(work, stop, patience=STOP_SECONDS)
        except self.errors as error:
            raise self._worded(error) from error


def _nothing() -> None:
    """What reads the schema is soon over."""


D = TypeVar("D", bound=FileDatabase)


async def open_file(named: NamedDatabase, make: Callable[[Path], D]) -> D:
    """The file, once it is known to be a database. Raises CannotOpen."""
    assert named.path is not None  # noqa: S101 - the settings give each file its path
    if not await DaemonThreads(1, named.engine).start(named.path.is_file):
        raise CannotOpen(named.name, f"there is no file {named.path}")
    database = make(named.path)
    try:
        await database.tables()
    except ToolError as error:
        raise CannotOpen(named.name, f"{named.path}: {error.message}") from error
    return database
