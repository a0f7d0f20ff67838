"""What the tests' PostgreSQL has: tables, roles that may read and one that may write, functions that try to.

And how a test asks it. The writer shows that it is the transaction that is read-only: it is granted all that it tries.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from live_server import eventually
from postgres_server import DATABASE, PASSWORD, PostgresServer

from mcp_app.builtin.query_database.database import Column, Database
from mcp_app.builtin.query_database.postgresql import open_database
from mcp_app.builtin.query_database.settings import parse

SHOP = f"""
create role reader login password '{PASSWORD}';
create role writer login password '{PASSWORD}';
create database {DATABASE} owner writer;
\\connect {DATABASE}
create extension dblink;
revoke execute on all functions in schema public from public;

create type mood as enum ('sad', 'happy');
create type address as (street text, number int);
create domain positive as int check (value > 0);

create table customers (id int primary key, name text not null, home address, feels mood default 'happy', age positive);
comment on table customers is 'Who has bought something';
comment on column customers.feels is 'how they are';
insert into customers values (1, 'Ann', ('Main St', 7), 'happy', 40), (2, 'Bob', null, 'sad', null);

create table orders (
    number bigint generated always as identity primary key,
    customer int not null references customers (id),
    price numeric(10, 2) not null,
    twice numeric generated always as (price * 2) stored,
    note text default 'none'
);
create unique index orders_by_note on orders (customer, lower(note));
insert into orders (customer, price, note) select 1 + g % 2, g * 1.5, 'note ' || g from generate_series(1, 1000) g;
create view cheap as select * from orders where price < 10;
create materialized view totals as select customer, sum(price) as total from orders group by 1;
create table "Odd ""Name" ("a b" int);
create table events (at date not null, what text) partition by range (at);
create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');
create table secrets (word text);
create table partly (shown text, hidden text);
create schema depot;
create table depot.parts (id int primary key, secret int references customers (id));
create table unlucky (id int);

create table log (line text);
create sequence counter;
create table big (id int, body text);
alter table big alter body set storage external;
insert into big select 1, repeat('x', 20000000);

create function writes() returns int language plpgsql as $$ begin insert into log values ('written'); return 1; end $$;
create procedure commits(inout word text) language plpgsql as $$ begin commit; insert into log values ('x'); end $$;
create procedure logs(inout word text) language plpgsql as $$ begin insert into log values ('x'); end $$;
create function stubborn() returns text language plpgsql as $$ begin
    loop begin perform pg_sleep(60); exception when query_canceled then null; end; end loop; end $$;
create function shouting(times int, length int) returns int language plpgsql as $$ begin
    perform set_config('client_min_messages', 'notice', true);
    for _ in 1..times loop raise notice '%', repeat('x', length); end loop; return 1; end $$;
create function fails(at int, of_all int) returns setof int language sql as $$
    select case when g = at then 1 / (g - at) else g end from generate_series(1, of_all) g $$;
grant execute on function writes, stubborn, shouting, fails to public;
grant execute on procedure commits, logs to public;

grant usage on schema depot to reader, writer;
grant select on customers, orders, cheap, totals, "Odd ""Name", events, events_2026, depot.parts, big to reader;
grant select (shown) on partly to reader;
grant all on all tables in schema public to writer;
grant all on sequence counter to writer;
analyze customers, orders, totals;
"""


@asynccontextmanager
async def opened(server: PostgresServer, role: str = "reader", **url: str) -> AsyncIterator[Database]:
    """The database, as an operator names it."""
    [named] = parse(f"shop={server.url(role, **url)}")
    database = await open_database(named)
    try:
        yield database
    finally:
        await database.close()


@dataclass
class Answer:
    """What a statement gave."""

    columns: list[Column] = field(default_factory=list)
    batches: list[list[Any]] = field(default_factory=list)

    @property
    def rows(self) -> list[Any]:
        return [row for batch in self.batches for row in batch]

    @property
    def cell(self) -> Any:
        [[value]] = self.rows
        return value


async def asked(database: Database, sql: str, *parameters: Any, batch: int = 100) -> Answer:
    """The whole answer."""
    answer = Answer()
    async with aclosing(database.rows(sql, parameters, batch=batch)) as items:
        answer.columns = await anext(items)  # type: ignore[assignment]
        async for rows in items:
            answer.batches.append(rows)
    return answer


class Watched:
    """What pg_stat_activity says of the tool's sessions, as a superuser sees it."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    def states(self) -> list[str]:
        """Of each session that is not idle."""
        found = self._server.sql(
            "select state || ': ' || left(query, 60) from pg_stat_activity"
            " where application_name = 'mcp-app query_database' and state <> 'idle'"
        )
        return found.splitlines()


async def until(holds: Callable[[], object]) -> None:
    """Wait until that holds, which is asked outside of the loop."""
    await asyncio.to_thread(eventually, holds)
