"""PostgreSQL: nothing that a statement tries changes anything, for a role that is granted whatever it tries.

Each attempt is made on a real server; behind it tables, sequences and sessions are as before.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
from postgres_server import PostgresServer
from postgres_shop import asked, opened

from mcp_app import ToolError
from mcp_app.builtin.query_database.database import Database

NOT_A_QUERY = "This is not a query: it returns no rows of its own."
READ_ONLY = "in a read-only transaction"
LATE = "transaction read-write mode must be set before any query"

ATTEMPTS: dict[str, str] = {
    # What returns no rows is not run at all.
    "insert into log values ('x')": NOT_A_QUERY,
    "update orders set price = 0": NOT_A_QUERY,
    "delete from orders": NOT_A_QUERY,
    "truncate orders": NOT_A_QUERY,
    "drop table orders": NOT_A_QUERY,
    "create table mine (a int)": NOT_A_QUERY,
    "create temp table mine as select 1": NOT_A_QUERY,
    "select * into mine from orders": NOT_A_QUERY,
    "refresh materialized view totals": NOT_A_QUERY,
    "lock table orders in access exclusive mode": NOT_A_QUERY,
    "vacuum orders": NOT_A_QUERY,
    "analyze orders": NOT_A_QUERY,
    "alter system set work_mem = '1GB'": NOT_A_QUERY,
    "do $$ begin insert into log values ('x'); end $$": NOT_A_QUERY,
    "do $$ begin commit; insert into log values ('x'); end $$": NOT_A_QUERY,
    "notify news, 'x'": NOT_A_QUERY,
    "listen news": NOT_A_QUERY,
    "prepare p as select 1": NOT_A_QUERY,
    "declare c cursor with hold for select 1": NOT_A_QUERY,
    "discard all": NOT_A_QUERY,
    "deallocate all": NOT_A_QUERY,
    "load 'auto_explain'": NOT_A_QUERY,
    "checkpoint": NOT_A_QUERY,
    "copy orders to program 'touch /tmp/mine'": NOT_A_QUERY,
    "copy orders to '/tmp/mine'": NOT_A_QUERY,
    "copy orders from '/etc/passwd'": NOT_A_QUERY,
    "copy orders to stdout": NOT_A_QUERY,
    # The end of the transaction, and what would come behind it.
    "commit": NOT_A_QUERY,
    "rollback": NOT_A_QUERY,
    "end": NOT_A_QUERY,
    "begin read write": NOT_A_QUERY,
    "savepoint a": NOT_A_QUERY,
    "prepare transaction 'x'": NOT_A_QUERY,
    "set transaction read write": NOT_A_QUERY,
    "set session characteristics as transaction read write": NOT_A_QUERY,
    "set default_transaction_read_only = off": NOT_A_QUERY,
    "set role admin": NOT_A_QUERY,
    "reset all": NOT_A_QUERY,
    "commit; insert into log values ('x')": "cannot insert multiple commands into a prepared statement",
    "select 1; insert into log values ('x')": "cannot insert multiple commands into a prepared statement",
    "select set_config('transaction_read_only', 'off', true)": LATE,
    "select set_config('transaction_read_only', 'off', false)": LATE,
    "select set_config('transaction_isolation', 'serializable', true)": "must be called before any query",
    "select set_config('role', 'admin', false)": 'permission denied to set role "admin"',
    "select set_config('session_authorization', 'admin', false)": 'permission denied to set session authorization',
    # What leaves the parentheses that our own statement puts around it.
    "select 1) as q(c1) offset 0) as t; insert into log values ('x'); select (((1": 'syntax error at or near ")"',
    "select 1) as q(c1) offset 0) as t --": 'syntax error at or near ")"',
    "select 1 /*": "unterminated /* comment",
    "select 'a": "unterminated quoted string",
    "select $$a": "unterminated dollar-quoted string",
    # What returns rows and writes.
    "insert into log values ('x') returning line": READ_ONLY,
    "insert into orders (customer, price) values (1, 1) returning number": NOT_A_QUERY,
    "update log set line = 'x' returning line": READ_ONLY,
    "with x as (insert into log values ('x') returning line) select * from x": "data-modifying statement",
    "explain analyze insert into log values ('x')": READ_ONLY,
    "select writes()": READ_ONLY,
    "select * from orders for update": READ_ONLY,
    "select * from orders for key share": READ_ONLY,
    "select nextval('counter')": READ_ONLY,
    "select setval('counter', 100)": READ_ONLY,
    "call commits('x')": "invalid transaction termination",
    "call logs('x')": READ_ONLY,
    "select dblink_exec('dbname=shop', 'insert into log values (1)')": "permission denied for function dblink_exec",
    "select * from dblink('dbname=shop', 'select 1') as t(a int)": "permission denied for function dblink",
    # The server's files, and the sessions of others.
    "select pg_read_file('/etc/passwd')": "permission denied for function pg_read_file",
    "select pg_read_binary_file('PG_VERSION')": "permission denied for function pg_read_binary_file",
    "select pg_ls_dir('.')": "permission denied for function pg_ls_dir",
    "select pg_stat_file('PG_VERSION')": "permission denied for function pg_stat_file",
    "select lo_import('/etc/passwd')": "permission denied for function lo_import",
    "select lo_export(1, '/tmp/mine')": "permission denied for function lo_export",
    "select pg_reload_conf()": "permission denied for function pg_reload_conf",
    "select query_to_xml('insert into log values (1) returning line', true, true, '')": "not allowed in a non-volatile",
    "select query_to_xml('select writes()', true, true, '')": READ_ONLY,
    "select query_to_xml('commit', true, true, '')": "invalid query",
    "select * from ts_stat('select to_tsvector(writes()::text)')": READ_ONLY,
    "execute __asyncpg_stmt_1__": NOT_A_QUERY,
    "fetch all from __asyncpg_portal_1__": NOT_A_QUERY,
    "select pg_create_physical_replication_slot('mine')": "to use replication slots",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'admin'": (
        "to terminate"
    ),
}  # fmt: skip


@pytest.fixture
async def writing(postgres: PostgresServer) -> AsyncIterator[Database]:
    async with opened(postgres, "writer") as database:
        yield database


def state(server: PostgresServer) -> str:
    """All that an attempt might change, and what a session might keep."""
    return server.sql("""
        select count(*), sum(price), max(number) from orders;
        select count(*) from log;
        select last_value, is_called from counter;
        select string_agg(relname, ',' order by oid) from pg_class where oid >= 16384;
        select count(*) from pg_largeobject_metadata;
        select count(*) from pg_replication_slots;
        select count(*) from pg_locks where locktype = 'advisory';
        select count(*) from pg_prepared_xacts;
    """)


@pytest.mark.parametrize("sql", ATTEMPTS)
async def test_an_attempt_fails_and_changes_nothing(postgres: PostgresServer, writing: Database, sql: str) -> None:
    before = state(postgres)
    with pytest.raises(ToolError) as raised:
        await asked(writing, sql)
    assert ATTEMPTS[sql] in raised.value.message
    assert state(postgres) == before
    assert (await asked(writing, "select count(*) from log")).cell == 0
    with pytest.raises(ToolError, match=READ_ONLY):
        await asked(writing, "select writes()")  # the next transaction is read-only, too


def test_the_writer_may_write_what_it_tries(postgres: PostgresServer) -> None:
    """Without the engine: so it is the transaction that keeps it from doing so, not what it is granted."""
    postgres.sql("""
        begin; set local role writer;
        select writes(), nextval('counter');
        update orders set price = 0; call logs('x'); create temp table mine (a int);
        rollback;
    """)
    postgres.sql("alter sequence counter restart")


ALLOWED = [
    # What a read-only transaction allows: it is always rolled back, and its session is as new behind it.
    "explain analyze create table mine as select 1",
    "select lo_from_bytea(0, 'x')::text",
    "select pg_notify('news', 'x')::text",
    "select pg_advisory_lock(42)::text",
    "select pg_advisory_xact_lock(43)::text",
    "select set_config('default_transaction_read_only', 'off', false)",
    "select set_config('statement_timeout', '1ms', false)",
    "select set_config('search_path', 'depot', false)",
    "select set_config('mine.word', 'x', false)",
]


async def test_what_a_transaction_allows_is_gone_behind_it(postgres: PostgresServer, writing: Database) -> None:
    before, settings = state(postgres), "select pg_backend_pid(), string_agg(name || setting, ',' order by name)"
    settings += " from pg_settings where name in ('default_transaction_read_only', 'statement_timeout', 'search_path')"
    as_new = (await asked(writing, settings)).rows
    for sql in ALLOWED:
        with contextlib.suppress(ToolError):  # of what a newer PostgreSQL does not allow any more
            await asked(writing, sql)
        assert state(postgres) == before, sql
        assert (await asked(writing, settings)).rows == as_new, sql  # in the same session
        assert (await asked(writing, "select current_setting('mine.word', true)")).cell in (None, "")


async def test_xml_reads_no_file(writing: Database) -> None:
    document = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
    for sql in ("select xmlparse(document $1)", "select xpath('/a/text()', xmlparse(document $1))"):
        assert "root:" not in str((await asked(writing, sql, document)).rows)


async def test_a_notification_is_not_sent(postgres: PostgresServer, writing: Database) -> None:
    asyncpg = pytest.importorskip("asyncpg")
    heard: list[str] = []
    listener = await asyncpg.connect(postgres.url("reader"))
    try:
        await listener.add_listener("news", lambda _connection, _pid, _channel, payload: heard.append(payload))
        await asked(writing, "select pg_notify('news', 'of the tool')")
        await listener.execute("select pg_notify('news', 'the last')")
        await listener.fetch("select 1")  # what was sent before is here before its answer
        assert heard == ["the last"]
    finally:
        await listener.close()


async def test_every_session_has_its_bounds(shop: Database) -> None:
    names = [
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "client_connection_check_interval",
    ]
    shown = await asked(shop, "select name, setting::int > 0 from pg_settings where name = any($1)", names)
    assert dict(shown.rows) == dict.fromkeys(names, True)
    assert (await asked(shop, "show transaction_read_only")).cell == "on"
    assert (await asked(shop, "show search_path")).cell == '"$user", public'  # as the role has it


async def test_a_shorter_bound_of_the_role_counts(postgres: PostgresServer) -> None:
    postgres.sql("alter role reader set statement_timeout = '200ms'; alter role reader set lock_timeout = '1h'")
    try:
        async with opened(postgres) as shop:
            assert (await asked(shop, "show statement_timeout")).cell == "200ms"
            assert (await asked(shop, "show lock_timeout")).cell == "5s"
            with pytest.raises(ToolError, match="canceling statement due to statement timeout") as raised:
                await asked(shop, "select pg_sleep(1000)")
            assert "Ask for less" in raised.value.hint
    finally:
        postgres.sql("alter role reader reset all")


async def test_a_locked_table_is_not_waited_for_long(
    postgres: PostgresServer, shop: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncpg = pytest.importorskip("asyncpg")
    other = await asyncpg.connect(postgres.url("writer"))
    try:
        await other.execute("begin; lock table orders in access exclusive mode")
        with pytest.raises(ToolError, match="canceling statement due to lock timeout") as raised:
            await asked(shop, "select * from orders")
        assert "Try again later" in raised.value.hint
        await other.execute("rollback")
        assert (await asked(shop, "select count(*) from orders")).cell == 1000
    finally:
        await other.close()
