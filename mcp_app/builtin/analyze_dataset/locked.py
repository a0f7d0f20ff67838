"""A DuckDB of one analysis: bounded memory and threads, locked to the one file that it reads, stopped by cancelling.

The only place where DuckDB is opened for an analysis. What is asked of it is not known here.

The database is a file in a scratch directory, so that a table may be larger than memory. Before the first statement
that has anything of the data in it, external access is off (`allowed_paths` names the file), no extension can be
loaded or installed, and the configuration is locked: docs/reference-analyze-dataset.md.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import duckdb

from mcp_app import ToolError
from mcp_app.builtin.analyze_dataset.quoting import literal, shown
from mcp_app.builtin.locked_duckdb import connect_locked
from mcp_app.builtin.memory import memory_ceiling
from mcp_app.builtin.scratch import DISK_BYTES, scratch_directory, size

MEMORY = "400MiB"
"""For DuckDB's own buffers; the whole process had 600 MiB for ten million rows (docs/endurance.md)."""

_LOOK_SECONDS = 0.25
"""Between two looks at how far a statement is, and at the disk it takes."""

_MESSAGE_CHARACTERS = 400
"""Of an error of DuckDB's, which may quote a line of the data."""

Watch = Callable[[float], Awaitable[None]]
"""Told how many percent of a statement are done, from time to time."""


_MIXED = "Some of its lines may end with CR LF and others with LF alone: sed 's/\\r$//' makes one kind of them."
"""DuckDB reads a CSV with either of them."""


class LockedDuckDb:
    """One connection. Its statements run in a thread, one at a time; whoever is cancelled has stopped them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, directory: Path, path: str, name: str) -> None:
        self._connection = connection
        self._directory = directory
        self._path = path
        self._name = name

    async def rows(self, sql: str, watch: Watch | None = None) -> list[tuple[Any, ...]]:
        """Run one statement of ours, and all its rows.

        Raises ToolError with DuckDB's message, in which the file has its caller's name.
        """
        task = asyncio.get_running_loop().run_in_executor(None, self._run, sql)
        try:
            while not task.done():
                await asyncio.wait((task,), timeout=_LOOK_SECONDS)
                if task.done():
                    break
                if size(self._directory) > DISK_BYTES:
                    raise ToolError(
                        f"The analysis needs more than {DISK_BYTES // 1024**3} GiB of disk.",
                        hint="Ask for fewer columns (columns=[…]) or fewer rows (max_rows=…).",
                    )
                if watch is not None:
                    await watch(max(0.0, self._connection.query_progress()))
        finally:
            await self._stop(task)
        try:
            return task.result()
        except (duckdb.Error, MemoryError) as error:
            self._raise(error)

    def _run(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()

    async def _stop(self, task: asyncio.Future[Any]) -> None:
        """Unless it has ended: again and again, as an interrupt before the statement's first step is lost."""
        while not task.done():
            self._connection.interrupt()
            await asyncio.wait((task,), timeout=0.02)
        task.exception()  # retrieved: of a statement that was stopped it is the interrupt

    def _raise(self, error: duckdb.Error | MemoryError) -> NoReturn:
        if isinstance(error, duckdb.OutOfMemoryException | MemoryError):
            raise ToolError(
                f"The analysis needs more memory than the {MEMORY} it may have.",
                hint="Ask for fewer columns (columns=[…]) or fewer kinds of findings (findings=[…]).",
            ) from error
        # The line stands before what is wrong with it, and may be as long as a megabyte.
        text = re.sub(r"\nOriginal Line:[^\n]*", ".", str(error)).replace(self._path, self._name)
        if "maximum_object_size" in text:  # an option that nobody here can set
            text = "a line of it has too many bytes."
        text = text.split("\n\nLINE ")[0].split("\nPossible ")[0]
        text = text.split("Possible solutions:")[0].split("Possible fixes:")[0]
        text = shown(" ".join(text.split()), _MESSAGE_CHARACTERS)
        if isinstance(error, duckdb.PermissionException):
            raise ToolError(f"{shown(self._name)!r} was moved or replaced while it was read: call again.") from error
        mixed = "invalid state" in text or "detect the CSV parsing dialect" in text
        raise ToolError(f"{shown(self._name)!r} cannot be read: {text}", hint=_MIXED if mixed else "") from error


@asynccontextmanager
async def locked_duckdb(path: str, name: str) -> AsyncIterator[LockedDuckDb]:
    """Open one that can read the file at `path`, of which people are told as `name`, and nothing else."""
    with scratch_directory() as directory, memory_ceiling():
        connection = connect_locked(
            directory / "dataset.duckdb",
            read_only=False,
            memory=MEMORY,
            spill=directory / "spilled",
            disk=f"{DISK_BYTES // 1024**3}GiB",
            settings=(
                "enable_progress_bar = true",  # it is asked for
                f"allowed_paths = [{literal(path)}]",
            ),
        )
        try:
            yield LockedDuckDb(connection, directory, path, name)
        finally:
            connection.close()
