"""What there is, made to fit: the answers of `list_tables` and `describe_table`. Only values; no database is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeVar

from pydantic import BaseModel, Field

from mcp_app.builtin.query_database.cells import cell
from mcp_app.builtin.query_database.database import TableDescription, TableSummary

CHARACTERS = 100_000
"""Of an answer as JSON."""

_FRAME_CHARACTERS = 2_000
"""Of an answer around its list: the names of databases, the notice."""

KEYS_CHARACTERS = 20_000
"""Of the foreign keys of a table, and of its indexes: the columns have the rest."""

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
    truncated: bool = Field(False, description="whether there are more columns, keys or indexes than are here")
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
    """The table with the columns whose name has the text in it, and with its keys and indexes, as many as fit."""
    wanted = [each for each in table.columns if containing.lower() in each.name.lower()]
    foreign_keys = _fitting(table.foreign_keys, KEYS_CHARACTERS)
    indexes = _fitting(table.indexes, KEYS_CHARACTERS)
    found = _shortened(table).model_copy(update={"columns": [], "foreign_keys": foreign_keys, "indexes": indexes})
    columns = _fitting(wanted, CHARACTERS - _FRAME_CHARACTERS - _characters(found))
    notices = [
        _notice(len(columns), len(wanted), "columns"),
        _notice(len(foreign_keys), len(table.foreign_keys), "foreign keys", _BY_SQL),
        _notice(len(indexes), len(table.indexes), "indexes", _BY_SQL),
    ]
    return TableStructure(
        **found.model_dump(exclude={"columns"}),
        columns=columns,
        database=database,
        truncated=any(notices),
        notice=" ".join(filter(None, notices)) or None,
    )


def _fitting(models: Sequence[M], room: int) -> list[M]:
    found: list[M] = []
    for each in map(_shortened, models):
        room -= _characters(each)
        if room < 0:
            break
        found.append(each)
    return found


def _shortened(model: M) -> M:
    """With what people wrote of it cut as a cell is: a comment, or an expression, may have a megabyte."""
    texts = {name: text for name in ("comment", "default") if (text := getattr(model, name, None))}
    return model.model_copy(update={name: cell(text) for name, text in texts.items()}) if texts else model


def _characters(model: BaseModel) -> int:
    return len(model.model_dump_json()) + 1


_BY_NAME = "name a part of their names as `containing` for the others"

_BY_SQL = "the others are in the catalog of the database, for query_database"


def _notice(shown: int, matching: int, noun: str, how: str = _BY_NAME) -> str | None:
    return None if shown == matching else f"{shown} of {matching} {noun} are here: {how}."
