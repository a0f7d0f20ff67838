"""The tables of a DuckDB file, and what they are made of: DuckDB's own functions, on a connection of ours."""

from __future__ import annotations

import re
from typing import Any

import duckdb

from mcp_app.builtin.query_database.database import (
    ColumnDescription,
    ForeignKey,
    Index,
    TableDescription,
    TableSummary,
    unknown_table,
)

_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_INDEXED = re.compile(r"[^\[\],'\" ][^\[\],'\"]*")
"""What DuckDB lists as `['"name"', 'upper("name")']`."""

_OURS = "database_name = current_database() AND NOT internal"

_TABLES = f"""
    SELECT schema_name, table_name, 'table', estimated_size, comment
    FROM duckdb_tables() WHERE {_OURS} AND NOT temporary
    UNION ALL
    SELECT schema_name, view_name, 'view', NULL, comment FROM duckdb_views() WHERE {_OURS} AND NOT temporary
    ORDER BY 1, 2
"""

_ONE = "database_name = current_database() AND schema_name = ? AND table_name = ?"


def summaries(connection: duckdb.DuckDBPyConnection) -> list[TableSummary]:
    """Tables and views by name, with their schema where it is not `main`."""
    return [summary for summary, _, _ in _listed(connection)]


def described(connection: duckdb.DuckDBPyConnection, name: str) -> TableDescription:
    """One of them. Names are compared as DuckDB does, whatever their case. Raises ToolError if there is none."""
    listed = _listed(connection)
    by_name = {summary.name.lower(): each for each in listed for summary in each[:1]}
    found = by_name.get(name.lower()) or by_name.get(_written(name).lower())
    if found is None:
        raise unknown_table(name, [summary.name for summary, _, _ in listed])
    summary, *place = found
    keys, foreign = _constraints(connection, place)
    return TableDescription(
        **summary.model_dump(),
        columns=[
            ColumnDescription(name=column, type=type_, nullable=nullable, default=default, comment=comment)
            for column, type_, nullable, default, comment in connection.execute(
                "SELECT column_name, data_type, is_nullable, column_default, comment FROM duckdb_columns()"
                f" WHERE {_ONE} ORDER BY column_index",
                place,
            ).fetchall()
        ],
        primary_key=keys,
        foreign_keys=foreign,
        indexes=[
            Index(name=index, columns=_INDEXED.findall(expressions or ""), unique=unique)
            for index, expressions, unique in connection.execute(
                f"SELECT index_name, expressions, is_unique FROM duckdb_indexes() WHERE {_ONE} ORDER BY 1", place
            ).fetchall()
        ],
    )


def _listed(connection: duckdb.DuckDBPyConnection) -> list[tuple[TableSummary, str, str]]:
    found = []
    for schema, table, kind, rows, comment in connection.execute(_TABLES).fetchall():
        name = _written(table) if schema == "main" else f"{_written(schema)}.{_written(table)}"
        found.append((TableSummary(name=name, kind=kind, rows=rows, comment=comment), schema, table))
    return found


def _written(name: str) -> str:
    return name if _SIMPLE.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def _constraints(connection: duckdb.DuckDBPyConnection, place: list[Any]) -> tuple[list[str], list[ForeignKey]]:
    keys: list[str] = []
    foreign: list[ForeignKey] = []
    for kind, columns, table, references in connection.execute(
        "SELECT constraint_type, constraint_column_names, referenced_table, referenced_column_names"
        f" FROM duckdb_constraints() WHERE {_ONE} ORDER BY constraint_index",
        place,
    ).fetchall():
        if kind == "PRIMARY KEY":
            keys = columns
        elif kind == "FOREIGN KEY":
            foreign.append(ForeignKey(columns=columns, table=table, references=references or []))
    return keys, foreign
