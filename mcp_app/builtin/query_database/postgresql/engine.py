"""An open PostgreSQL database: statements run, rows streamed. How a value is asked for and read is in columns.py.

Read-only by the database's own means: one prepared statement (the extended protocol takes no second one) in a READ ONLY
transaction that is always rolled back, by a role that opening.py has looked at.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import asyncpg

from mcp_app.builtin.query_database.cells import row
from mcp_app.builtin.query_database.database import (
    Column,
    Parameters,
    Row,
    TableDescription,
    TableSummary,
)
from mcp_app.builtin.query_database.postgresql import catalog
from mcp_app.builtin.query_database.postgresql import parameters as given
from mcp_app.builtin.query_database.postgresql.columns import (
    READ_AS_TEXT,
    UNWRAPPED,
    Kind,
    kind_of,
    rows_at_once,
    without_terminator,
    wrapped,
)
from mcp_app.builtin.query_database.postgresql.failures import NotAQuery, as_told, told
from mcp_app.builtin.query_database.postgresql.sessions import Session, Sessions
from mcp_app.builtin.query_database.postgresql.types import Types

TURN_SECONDS = 0.005
"""How long the event loop is kept for the cells of a batch before others have a turn."""


@dataclass(frozen=True, slots=True)
class Query:
    """A statement that was prepared, and how its rows are read."""

    statement: Any
    columns: list[Column]
    kinds: list[Kind]
    values: list[str | None]
    before: int
    """Characters of ours before the statement: PostgreSQL's positions count them."""


class PostgreSQL:
    """See `Database`."""

    engine: ClassVar[str] = "PostgreSQL"

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._types = Types()

    async def rows(
        self, sql: str, parameters: Parameters, *, batch: int
    ) -> AsyncGenerator[list[Column] | list[Row], None]:
        """See `Database.rows`. Parameters are numbered: $1, $2 …"""
        with told(sql):
            async with self._sessions.reading() as session:
                query = await self._prepared(session, sql, parameters)
                yield query.columns
                size = rows_at_once(query.kinds, batch)
                cursor = None
                while True:
                    session.expect()
                    try:
                        cursor = cursor or await query.statement.cursor(*query.values)
                        found = await cursor.fetch(size)
                    except asyncpg.PostgresError as error:
                        raise as_told(error, sql, query.before) from error
                    yield await _read(query.kinds, found)
                    if len(found) < size:
                        return

    async def _prepared(self, session: Session, sql: str, parameters: Parameters) -> Query:
        """The statement by itself first: only so PostgreSQL says that it is one, and what is wrong with it."""
        plain = await session.connection.prepare(given.writable(sql, "The statement"))
        attributes, expected = plain.get_attributes(), [each.oid for each in plain.get_parameters()]
        if not attributes:
            raise NotAQuery
        await self._types.learn(session.connection, [*(each.type.oid for each in attributes), *expected])
        types = [self._types.of(each.type.oid) for each in attributes]
        columns = [Column(name=each.name, type=type_.name) for each, type_ in zip(attributes, types, strict=True)]
        values = given.as_texts(parameters, expected, self._types)
        session.texts.add((oid, READ_AS_TEXT.get(oid, str)) for oid in expected)
        kinds = [kind_of(type_) for type_ in types]
        if found := await self._wrapped(session, sql, kinds):
            statement, before = found
            return Query(statement, columns, kinds, values, before)
        if any(type_.oid not in UNWRAPPED for type_ in types):
            raise NotAQuery
        plain = await session.connection.prepare(sql)  # with parameters that are given as text
        return Query(plain, columns, [UNWRAPPED[type_.oid] for type_ in types], values, before=0)

    @staticmethod
    async def _wrapped(session: Session, sql: str, kinds: list[Kind]) -> tuple[Any, int] | None:
        """The statement with our own around it, or None for one that cannot stand in FROM: EXPLAIN, SHOW …"""
        for candidate in without_terminator(sql):
            text, before = wrapped(candidate, kinds)
            try:
                return await session.connection.prepare(text), before
            except asyncpg.PostgresSyntaxError:
                await session.begin_again()
            except asyncpg.PostgresError as error:
                raise as_told(error, sql, before) from error
        return None

    async def tables(self) -> list[TableSummary]:
        """See `Database.tables`. Partitions are not named, what they are partitions of is."""
        with told():
            async with self._sessions.reading() as session:
                return await catalog.tables(session.connection)

    async def table(self, name: str) -> TableDescription:
        """See `Database.table`."""
        with told():
            async with self._sessions.reading() as session:
                return await catalog.table(session.connection, name)

    async def close(self) -> None:
        """See `Database.close`."""
        await self._sessions.close()


async def _read(kinds: Sequence[Kind], records: Iterable[Iterable[Any]]) -> list[Row]:
    """The rows. An array may take 10 ms, and a batch of them a second, in which others have their turns."""
    rows: list[Row] = []
    until = time.monotonic() + TURN_SECONDS
    for record in records:
        rows.append(row(kind.value(raw) for kind, raw in zip(kinds, record, strict=True)))
        if time.monotonic() > until:
            await asyncio.sleep(0)
            until = time.monotonic() + TURN_SECONDS
    return rows
