"""The tables of a SQLite file, and what they are made of: SQLite's own PRAGMAs, on a connection of ours."""

from __future__ import annotations

import sqlite3

from mcp_app.builtin.query_database.database import (
    ColumnDescription,
    ForeignKey,
    Index,
    TableDescription,
    TableSummary,
    unknown_table,
)

_LIST = """
select name, type from pragma_table_list
where schema = 'main' and type in ('table', 'view', 'virtual') and name not like 'sqlite\\_%' escape '\\'
order by name collate nocase
"""

_LIST_BEFORE_3_37 = """
select name, type from sqlite_master
where type in ('table', 'view') and name not like 'sqlite\\_%' escape '\\'
order by name collate nocase
"""
"""Some systems still have SQLite 3.34. The tables that modules keep for themselves are among them."""


def summaries(
    connection: sqlite3.Connection, version: tuple[int, ...] = sqlite3.sqlite_version_info
) -> list[TableSummary]:
    """Tables and views by name; not those that SQLite and its modules keep for themselves."""
    found = connection.execute(_LIST if version >= (3, 37) else _LIST_BEFORE_3_37)
    rows = _estimates(connection)
    return [
        TableSummary(name=name, kind="view" if kind == "view" else "table", rows=rows.get(name)) for name, kind in found
    ]


def described(connection: sqlite3.Connection, name: str) -> TableDescription:
    """One of them. Names are compared as SQLite does, whatever their case. Raises ToolError if there is none."""
    known = {each.name.lower(): each for each in summaries(connection)}
    table = known.get(name.lower())
    if table is None:
        raise unknown_table(name, [each.name for each in known.values()])
    columns = connection.execute(
        'select name, type, "notnull", dflt_value, pk from pragma_table_xinfo(?) where hidden <> 1', (table.name,)
    ).fetchall()
    keys = sorted((pk, column) for column, *_, pk in columns if pk)
    return TableDescription(
        **table.model_dump(),
        columns=[
            ColumnDescription(name=column, type=kind, nullable=not (notnull or pk), default=default)
            for column, kind, notnull, default, pk in columns
        ],
        primary_key=[column for _, column in keys],
        foreign_keys=_foreign_keys(connection, table.name),
        indexes=_indexes(connection, table.name),
    )


def _foreign_keys(connection: sqlite3.Connection, table: str) -> list[ForeignKey]:
    found: dict[int, ForeignKey] = {}
    for number, other, column, reference in connection.execute(
        'select id, "table", "from", "to" from pragma_foreign_key_list(?) order by id, seq', (table,)
    ):
        key = found.setdefault(number, ForeignKey(columns=[], table=other, references=[]))
        key.columns.append(column)
        if reference is not None:  # the other table's primary key
            key.references.append(reference)
    return list(found.values())


def _indexes(connection: sqlite3.Connection, table: str) -> list[Index]:
    found: dict[str, Index] = {}
    for name, unique, column in connection.execute(
        'select list.name, list."unique", info.name from pragma_index_list(?) list, pragma_index_info(list.name) info'
        " order by list.name, info.seqno",
        (table,),
    ):
        index = found.setdefault(name, Index(name=name, columns=[], unique=bool(unique)))
        index.columns.append(column if column is not None else "an expression")
    return list(found.values())


def _estimates(connection: sqlite3.Connection) -> dict[str, int]:
    """Rows of tables, as ANALYZE found them; none if it never ran."""
    try:
        found = connection.execute("select tbl, stat from sqlite_stat1").fetchall()
    except sqlite3.OperationalError:
        return {}
    numbers = {table: str(stat).split(" ")[0] for table, stat in found}
    return {table: int(number) for table, number in numbers.items() if number.isdecimal()}
