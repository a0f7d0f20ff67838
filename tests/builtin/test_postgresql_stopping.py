"""PostgreSQL: who leaves stops the statement itself, and a connection that dies is replaced.

What runs is seen in pg_stat_activity by a superuser. When a reader's end has been waited for, the statement has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from postgres_server import PostgresServer
from postgres_shop import Watched, asked, opened, until

from mcp_app import ToolError
from mcp_app.builtin.query_database.database import Database
from mcp_app.builtin.query_database.postgresql import sessions

SLEEP = "select pg_sleep(1000)::text"


def runs(watched: Watched) -> bool:
    return any(each.startswith("active") for each in watched.states())


async def cancelled(task: asyncio.Task[object]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancelled_reader_stops_the_statement(shop: Database, watched: Watched) -> None:
    task = asyncio.create_task(asked(shop, SLEEP))
    await until(lambda: runs(watched))
    await cancelled(task)
    assert watched.states() == []
    assert (await asked(shop, "select 1")).cell == 1


async def test_a_second_cancellation_stops_it_too(shop: Database, watched: Watched) -> None:
    task = asyncio.create_task(asked(shop, SLEEP))
    await until(lambda: runs(watched))
    task.cancel()
    await asyncio.sleep(0)
    await cancelled(task)
    await until(lambda: watched.states() == [])
    assert (await asked(shop, "select 1")).cell == 1


async def test_a_time_limit_stops_the_statement(shop: Database, watched: Watched) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await asked(shop, SLEEP)
    assert watched.states() == []


async def test_who_has_read_enough_closes_the_portal(shop: Database, watched: Watched) -> None:
    rows = shop.rows("select g from generate_series(1, 100000) g", (), batch=10)
    await anext(rows)
    await anext(rows)
    assert watched.states()[0].startswith("idle in transaction: SELECT c1")
    await rows.aclose()
    assert watched.states() == []


async def test_who_never_began_to_read_has_nothing_open(shop: Database, watched: Watched) -> None:
    rows = shop.rows(SLEEP, (), batch=10)
    await rows.aclose()
    assert watched.states() == []


async def test_a_statement_that_cannot_be_cancelled_ends_with_its_connection(
    shop: Database, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "RELEASE_SECONDS", 0.2)
    task = asyncio.create_task(asked(shop, "select stubborn()"))
    await until(lambda: runs(watched))
    await cancelled(task)
    assert (await asked(shop, "select 1")).cell == 1  # meanwhile, by another connection
    await until(lambda: watched.states() == [])  # the server looks each second whether its client is there


async def test_a_statement_whose_process_is_gone_ends(
    shop: Database, postgres: PostgresServer, watched: Watched
) -> None:
    """A process that is killed closes its sockets, and nothing else."""
    task = asyncio.create_task(asked(shop, SLEEP))
    await until(lambda: runs(watched))
    shop._sessions._pool.terminate()  # type: ignore[attr-defined]
    with pytest.raises(ToolError, match="connection"):
        await task
    await until(lambda: watched.states() == [])


async def test_closing_the_database_stops_what_runs(postgres: PostgresServer, watched: Watched) -> None:
    async with opened(postgres) as shop:
        task = asyncio.create_task(asked(shop, SLEEP))
        await until(lambda: runs(watched))
    with pytest.raises(ToolError, match="connection"):
        await task
    await until(lambda: watched.states() == [])


# --- connections that die --------------------------------------------------------------------------------------------


async def test_a_session_that_is_terminated_in_the_middle(
    shop: Database, postgres: PostgresServer, watched: Watched
) -> None:
    task = asyncio.create_task(asked(shop, SLEEP))
    await until(lambda: runs(watched))
    postgres.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'reader'")
    with pytest.raises(ToolError) as raised:
        await task
    assert raised.value.message == "The database ended the connection while the statement ran."
    assert (await asked(shop, "select 1")).cell == 1


async def test_a_session_that_is_terminated_between_two_batches(shop: Database, postgres: PostgresServer) -> None:
    rows = shop.rows("select g from generate_series(1, 100000) g", (), batch=10)
    await anext(rows)
    await anext(rows)
    postgres.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'reader'")
    with pytest.raises(ToolError, match="connection"):
        async for _ in rows:
            pass
    assert (await asked(shop, "select 1")).cell == 1


async def test_idle_sessions_that_were_terminated_are_replaced(shop: Database, postgres: PostgresServer) -> None:
    await asyncio.gather(*(asked(shop, "select pg_sleep(0.1)::text") for _ in range(sessions.CONNECTIONS)))
    postgres.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'reader'")
    found = await asyncio.gather(*(asked(shop, "select 1") for _ in range(3 * sessions.CONNECTIONS)))
    assert [each.cell for each in found] == [1] * len(found)


@pytest.mark.time_bound(120)
async def test_a_server_that_stops_and_starts_again(shop: Database, postgres: PostgresServer, watched: Watched) -> None:
    task = asyncio.create_task(asked(shop, SLEEP))
    await until(lambda: runs(watched))
    try:
        await asyncio.to_thread(postgres.stop)
        with pytest.raises(ToolError, match="ended the connection"):
            await task
        with pytest.raises(ToolError) as raised:
            await asked(shop, "select 1")
        assert raised.value.message == "The database cannot be reached: no connection can be made."
        with pytest.raises(ToolError, match="cannot be reached"):
            await shop.tables()
    finally:
        await asyncio.to_thread(postgres.start)
    assert (await asked(shop, "select 1")).cell == 1
    assert await shop.tables()


async def test_a_server_that_does_not_answer_is_not_waited_for_long(
    shop: Database, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a network that is cut: nothing is refused, and nothing comes."""
    assert (await asked(shop, "select 1")).cell == 1
    monkeypatch.setattr(sessions, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(sessions, "RELEASE_SECONDS", 0.1)
    with postgres.silent():
        with pytest.raises(ToolError) as raised:
            await asked(shop, "select 1")
        assert raised.value.message == "The database cannot be reached: nothing answers within 0.3 seconds."
    assert (await asked(shop, "select 1")).cell == 1


async def test_who_leaves_a_server_that_does_not_answer_does_not_wait(
    shop: Database, postgres: PostgresServer, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "RELEASE_SECONDS", 0.1)
    task = asyncio.create_task(asked(shop, SLEEP))
    await until(lambda: runs(watched))
    with postgres.silent():
        await cancelled(task)
    await until(lambda: watched.states() == [])
    assert (await asked(shop, "select 1")).cell == 1


# --- the pool --------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def all_in_use(database: Database) -> AsyncIterator[list[asyncio.Task[object]]]:
    tasks = [asyncio.create_task(asked(database, SLEEP)) for _ in range(sessions.CONNECTIONS)]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_who_finds_no_connection_waits_and_is_told(
    shop: Database, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with all_in_use(shop) as tasks:
        await until(lambda: len(watched.states()) == sessions.CONNECTIONS)
        waiting = asyncio.create_task(asked(shop, "select 1"))
        await asyncio.sleep(0)
        await cancelled(tasks[0])
        assert (await waiting).cell == 1  # it has waited for that connection
        tasks[0] = asyncio.create_task(asked(shop, SLEEP))
        await until(lambda: len(watched.states()) == sessions.CONNECTIONS)
        monkeypatch.setattr(sessions, "WAIT_SECONDS", 0.1)
        with pytest.raises(ToolError) as raised:
            await asked(shop, "select 1")
        assert raised.value.message == (
            "All 8 connections to this database are in use by other calls, and none became free in 0.1 seconds."
        )
    assert watched.states() == []
    assert (await asked(shop, "select 1")).cell == 1


async def test_who_leaves_while_waiting_takes_nothing(shop: Database) -> None:
    async with all_in_use(shop):
        waiting = [asyncio.create_task(asked(shop, "select 1")) for _ in range(20)]
        await asyncio.sleep(0.05)
        for each in waiting:
            await cancelled(each)
    found = await asyncio.gather(*(asked(shop, "select 1") for _ in range(2 * sessions.CONNECTIONS)))
    assert [each.cell for each in found] == [1] * len(found)


async def test_the_servers_own_limit_is_told(postgres: PostgresServer) -> None:
    postgres.sql("alter role reader connection limit 1")
    try:
        async with opened(postgres) as shop:
            rows = shop.rows("select g from generate_series(1, 100000) g", (), batch=10)
            await anext(rows)
            with pytest.raises(ToolError) as raised:
                await asked(shop, "select 1")
            assert raised.value.message == "The database cannot be reached: it has too many connections already."
            await rows.aclose()
            assert (await asked(shop, "select 1")).cell == 1
    finally:
        postgres.sql("alter role reader connection limit -1")


async def test_leaving_at_any_moment_leaves_nothing(shop: Database, watched: Watched) -> None:
    """Cancelled after each number of turns that a call may take until its first rows, and beyond."""
    for turns in range(0, 120, 3):
        task = asyncio.create_task(
            asked(shop, "select g, pg_sleep(0.0001)::text from generate_series(1, 1000) g", batch=1)
        )
        for _ in range(turns):
            await asyncio.sleep(0)
        if turns % 2:
            task.cancel()
            await asyncio.sleep(0)
        await cancelled(task)
    all_at_once = [asked(shop, "select pg_sleep(0.1)::text") for _ in range(sessions.CONNECTIONS)]
    assert len(await asyncio.gather(*all_at_once)) == sessions.CONNECTIONS
    await until(lambda: watched.states() == [])
