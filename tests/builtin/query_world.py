"""SQLite files for the tests of query_database, and what reads statements from them. No test."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any, cast

from mcp_app.builtin.query_database.database import Column, Row
from mcp_app.builtin.query_database.sqlite.engine import SQLite

ENDLESS = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c"
"""Works for ever, and has no row."""

COUNTING = "with recursive c(x) as (select 1 union all select x + 1 from c) select x from c"
"""Has rows for ever."""

SCHEMA = """
create table people (id integer primary key, name text not null, born date, photo blob, score real default 1.5);
insert into people values (1, 'Ada', '1815-12-10', x'89504e47', 9.5), (2, 'Linus', null, null, null);
create table visits (person integer references people (id), day text, place text, unique (person, day));
insert into visits values (1, '2026-11-30', 'Horta');
create index places on visits (lower(place));
create view adults as select name from people where born < '2008';
create table numbers (n integer);
insert into numbers with recursive c(x) as (select 1 union all select x + 1 from c where x < 1000) select x from c;
create virtual table words using fts5 (text);
insert into words values ('a quick brown fox'), ('a lazy dog');
create virtual table boxes using rtree (id, low, high);
insert into boxes values (1, 0, 10);
"""


def write(path: Path, script: str = SCHEMA) -> Path:
    """A file that the script has made."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


async def read(
    database: SQLite, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), batch: int = 100
) -> tuple[list[Column], list[Row]]:
    """All that a statement has: its columns, and its rows."""
    columns: list[Column] = []
    found: list[Row] = []
    async with aclosing(database.rows(sql, parameters, batch=batch)) as items:
        columns = cast("list[Column]", await anext(items))
        async for each in items:
            found += cast("list[Row]", each)
    return columns, found


def at_work() -> list[threading.Thread]:
    """The threads that work for SQLite."""
    return [each for each in threading.enumerate() if each.name == "sqlite"]


async def until_one_is_at_work() -> None:
    """Bounded."""
    async with asyncio.timeout(10):
        while not at_work():  # noqa: ASYNC110 - of a thread
            await asyncio.sleep(0.001)


async def until_none_is_at_work() -> None:
    """Bounded. The loop goes on meanwhile: it is what notices that somebody has left."""
    async with asyncio.timeout(10):
        while at_work():  # noqa: ASYNC110 - of a thread
            await asyncio.sleep(0.001)
