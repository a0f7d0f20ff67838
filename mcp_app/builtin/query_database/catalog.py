"""What there is, made to fit: the answers of `list_tables` and `describe_table`. Only values; no database is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeVar

from pydantic import BaseModel, Field

from mcp_app.builtin.query_database.database import ColumnDescription, TableDescription, TableSummary

CHARACTERS = 100_000
"""Of an answer as JSON."""

_FRAME_CHARACTERS = 2_000
"""Of an answer around its list: the names of databases, the notice."""

M = TypeVar("M", bound=BaseModel)


class DatabaseTables(BaseModel):
    """One database. `error` says why its tables are not known."""

    name: str
    engine: str
    tables: list[TableSummary]
    error: str | None = None


class TableList(BaseModel):
    """The tables of one database, or of all."""

    kind: Literal["tables"] = "tables"
    databases: list[DatabaseTables]
    truncated: bool = Field(False, description="whether there are more tables than are here")
    notice: str | None = Field(None, description="what was left out, and how to ask for the rest")


class TableStructure(TableDescription):
    """A table, with the database it is in."""

    database: str
    truncated: bool = Field(False, description="whether there are more columns than are here")
    notice: str | None = Field(None, description="what was left out, and how to ask for the rest")


def table_list(found: Sequence[DatabaseTables], containing: str) -> TableList:
    """Those whose name has the text in it, as many as fit."""
    left = CHARACTERS - _FRAME_CHARACTERS
    databases, shown, matching = [], 0, 0
    for each in found:
        wanted = [table for table in each.tables if containing.lower() in table.name.lower()]
        fitting = _fitting(wanted, left)
        left -= sum(map(_characters, fitting))
        databases.append(each.model_copy(update={"tables": fitting}))
        shown, matching = shown + len(fitting), matching + len(wanted)
    return TableList(databases=databases, truncated=shown < matching, notice=_notice(shown, matching, "tables"))


def table_structure(database: str, table: TableDescription, containing: str) -> TableStructure:
    """The table with the columns whose name has the text in it, as many as fit."""
    wanted = [each for each in table.columns if containing.lower() in each.name.lower()]
    around = _characters(table.model_copy(update={"columns": []}))
    columns: list[ColumnDescription] = _fitting(wanted, CHARACTERS - _FRAME_CHARACTERS - around)
    return TableStructure(
        **table.model_dump(exclude={"columns"}),
        columns=columns,
        database=database,
        truncated=len(columns) < len(wanted),
        notice=_notice(len(columns), len(wanted), "columns"),
    )


def _fitting(models: Sequence[M], room: int) -> list[M]:
    found: list[M] = []
    for each in models:
        room -= _characters(each)
        if room < 0:
            break
        found.append(each)
    return found


def _characters(model: BaseModel) -> int:
    return len(model.model_dump_json()) + 1


def _notice(shown: int, matching: int, noun: str) -> str | None:
    if shown == matching:
        return None
    return f"{shown} of {matching} {noun} are here: name a part of their names as `containing` for the others."
