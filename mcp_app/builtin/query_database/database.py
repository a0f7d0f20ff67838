"""What every engine offers: `Database`, and the plain values that go through it. No engine is known here.

An engine's module has `async def open_database(named: NamedDatabase) -> Database`, which raises CannotOpen.
"""

from __future__ import annotations

import difflib
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import ClassVar, Literal, Protocol

from pydantic import BaseModel, Field, JsonValue

from mcp_app import ToolError
from mcp_app.builtin.query_database.settings import VARIABLE

Row = list[JsonValue]
"""One cell for each column, spelt as `cells.py` says."""

Parameters = Sequence[JsonValue] | Mapping[str, JsonValue]
"""By position (`$1`, and the engine's own) or by name."""


class Column(BaseModel):
    """A column of a result. `type` is the database's own name of it."""

    name: str
    type: str


class TableSummary(BaseModel):
    """A table or view. `rows` is what the database estimates, or null where it does not know without counting."""

    name: str = Field(description="as it is written in SQL, with its schema where it is not the default one")
    kind: Literal["table", "view"]
    rows: int | None = None
    comment: str | None = None


class ColumnDescription(Column):
    """A column of a table. `default` is SQL."""

    nullable: bool = True
    default: str | None = None
    comment: str | None = None


class ForeignKey(BaseModel):
    """`columns` of this table refer to `references` of `table`."""

    columns: list[str]
    table: str
    references: list[str]


class Index(BaseModel):
    """`columns` may have expressions in it."""

    name: str
    columns: list[str]
    unique: bool = False


class TableDescription(TableSummary):
    """A table as one has to know it to query it."""

    columns: list[ColumnDescription]
    primary_key: list[str] = []
    foreign_keys: list[ForeignKey] = []
    indexes: list[Index] = []


class Database(Protocol):
    """An open database, read-only by the engine's own means. All calls share one, at the same time.

    Every method raises ToolError with the database's own message, without credentials, addresses of hosts and
    internals.
    """

    engine: ClassVar[str]
    """As people write it: "SQLite", "DuckDB", "PostgreSQL"."""

    def rows(self, sql: str, parameters: Parameters, *, batch: int) -> AsyncGenerator[list[Column] | list[Row], None]:
        """Run one statement: yields its columns first, then batches of at most `batch` rows, each as it comes.

        An async generator: whoever is cancelled in it, or closes it (`aclose`), has stopped the statement itself in the
        database. What it holds is one batch, whatever the result.
        """
        ...

    async def tables(self) -> list[TableSummary]:
        """Tables and views that can be read, by name."""
        ...

    async def table(self, name: str) -> TableDescription:
        """Raises ToolError, by `unknown_table`, for one that is not there."""
        ...

    async def close(self) -> None:
        """Close what is open. Statements that still run are stopped."""
        ...


class CannotOpen(Exception):
    """What is wrong with a setting, the driver, the file or the role of a database: in one line, without credentials.
    It ends the start, and is for the operator; a caller is never told."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{VARIABLE}: {name}: {problem}")


def unknown_table(name: str, known: Iterable[str]) -> ToolError:
    """The error for a table that is not there: similar names, or where all of them are."""
    names = list(known)
    by_lower = {each.lower(): each for each in names}
    close = [by_lower[each] for each in difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)]
    return ToolError(
        f"There is no table {name[:100]!r}.",
        suggestion=f"Did you mean {' or '.join(close)}?" if close else "",
        hint="list_tables names all of them.",
    )
