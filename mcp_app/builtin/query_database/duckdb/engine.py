"""DuckDB: a `Database` whose statements run in the process of a tool (tool.py), and are interrupted.

What a caller's statement is made of is in statement.py. In the server's own process only the schema is read.
"""

from __future__ import annotations

import functools
import re
import threading
from pathlib import Path
from typing import ClassVar

import duckdb

from mcp_app import Context, ToolError
from mcp_app.builtin.query_database.database import Parameters, TableDescription, TableSummary
from mcp_app.builtin.query_database.duckdb.connection import MEMORY, connect
from mcp_app.builtin.query_database.duckdb.schema import described, summaries
from mcp_app.builtin.query_database.duckdb.statement import DuckDbStatement, NotOne, NotReading
from mcp_app.builtin.query_database.file_database import FileDatabase, open_file
from mcp_app.builtin.query_database.question import Question
from mcp_app.builtin.query_database.settings import NamedDatabase
from mcp_app.builtin.query_database.shapes import Table

_THREADS = 1
"""In the server one look at the schema at a time (see `_alone`), in a tool's process one statement."""

_MESSAGE_CHARACTERS = 600
"""Of an error: some have a whole value in them."""


@functools.cache
def _alone(file: Path) -> threading.Lock:
    """To be held while this process has the file open: see `connect`. Two names may be those of one file."""
    return threading.Lock()


class DuckDb(FileDatabase):
    """A connection takes some 15 ms to open."""

    engine: ClassVar[str] = "DuckDB"
    errors = (duckdb.Error, MemoryError, NotOne, NotReading)

    def __init__(self, name: str, path: Path) -> None:
        super().__init__(path, _THREADS)
        self._name = name

    async def answer(self, ctx: Context, question: Question) -> Table:
        """Have the statement run in another process, as a step of this run."""
        from mcp_app.builtin.query_database.duckdb.tool import query_duckdb

        answer: Table = await ctx.call(query_duckdb, database=self._name, question=question)
        return answer

    def _statement(self, sql: str, parameters: Parameters, batch: int) -> DuckDbStatement:
        """In this very process, whose memory is bounded meanwhile: for one that does nothing else."""
        return DuckDbStatement(self._path, sql, parameters, batch)

    def _summaries(self) -> list[TableSummary]:
        with _alone(self._path.resolve()), connect(self._path, None) as connection:
            return summaries(connection)

    def _described(self, name: str) -> TableDescription:
        with _alone(self._path.resolve()), connect(self._path, None) as connection:
            return described(connection, name)

    def _worded(self, error: Exception) -> ToolError:
        """As DuckDB says it, without the file's name."""
        text = str(error).split("\n\nLINE ")[0].split("Possible solutions:")[0].split("Possible fixes:")[0]
        text = " ".join(
            text.replace(str(self._path.resolve()), "the database").replace(str(self._path), "the database").split()
        )
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
            case duckdb.IOException() if "Could not set lock" in text:  # others speak of blocks
                return ToolError("Another program is writing to the database.", hint="Try again in a moment.")
            case duckdb.InvalidInputException() if "parameter" in text:
                return ToolError(
                    text, hint="parameters has a value for each $1, $2 … in a list, or for each $name in an object."
                )
            case duckdb.InvalidInputException() if "read-only" in text:
                return ToolError(text, hint=_READ_ONLY)
            case _:
                return ToolError(text, hint=_HINTS.get(type(error), ""))


_READ_ONLY = (
    "Databases are read only here: SELECT, WITH, FROM, VALUES, DESCRIBE, SHOW, SUMMARIZE and EXPLAIN run, one statement"
    " at a time, on what is in the database."
)

_HINTS: dict[type[Exception], str] = {
    duckdb.PermissionException: _READ_ONLY,
    duckdb.CatalogException: "list_tables and describe_table name what there is.",
    duckdb.BinderException: "list_tables and describe_table name what there is.",
}


async def open_database(named: NamedDatabase) -> DuckDb:
    """See `open_file`."""
    return await open_file(named, functools.partial(DuckDb, named.name))
