"""The tool `query_database` on PostgreSQL, as callers have it: who leaves has stopped the statement in the server."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from live_server import process
from postgres_server import PASSWORD, PostgresServer
from postgres_shop import Watched, until

from mcp_app import ToolError, errors
from mcp_app.builtin.query_database.tool import describe_table, list_tables, query_database
from mcp_app.testing import ERAS, ProgressEvent, client
from mcp_app.testing.calling import Client

SLEEP = "select pg_sleep(1000)::text"
LOCKING = "select g, pg_advisory_lock_shared(g)::text, repeat('x', 4000) from generate_series(1, 1000000) g"


@pytest.fixture
async def calls(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    monkeypatch.setenv("MCP_APP_DATABASES", f"shop={postgres.url()}")
    async with client(query_database, list_tables, describe_table) as found:
        yield found


@pytest.mark.parametrize("era", ERAS)
async def test_a_query_in_every_dialect(calls: Client, era: str) -> None:
    sql = "select number, note from orders where number = $1"
    run = calls.with_options(era=era).run("query_database", sql=sql, parameters=[7])
    found = await run
    assert "note 7" in str(found)
    assert [each for each in run.events if isinstance(each, ProgressEvent)]


async def test_tables_are_listed_and_described(calls: Client) -> None:
    assert "customers" in str(await calls.run("list_tables"))
    assert "numeric(10,2)" in str(await calls.run("describe_table", table="orders"))


async def test_an_error_is_the_databases_own(calls: Client) -> None:
    with pytest.raises(ToolError, match=r'column "foo" does not exist \(line 1, column 8\)'):
        await calls.run("query_database", sql="select foo from orders")


@pytest.mark.parametrize("era", ["plain", "2026-07-28"])
async def test_leaving_stops_the_statement(calls: Client, watched: Watched, era: str) -> None:
    run = calls.with_options(era=era).run("query_database", sql=SLEEP)
    await until(watched.states)
    assert watched.states()[0].startswith("active")
    await run.leave()
    await calls.idle()
    assert watched.states() == []


async def test_cancelling_stops_the_statement(calls: Client, watched: Watched) -> None:
    run = calls.with_options(era="2025-11-25").run("query_database", sql=SLEEP)
    await until(watched.states)
    await run.cancel()
    await calls.idle()
    assert watched.states() == []


async def test_the_cap_stops_the_statement(calls: Client, watched: Watched) -> None:
    run = calls.run("query_database", sql=SLEEP, seconds=1000)
    await until(watched.states)
    await calls.clock.advance(120)
    assert isinstance(run.error, errors.TimeCap)
    await calls.idle()
    # The clock that was moved may have ended the time for a cancelled connection to be as new, too: then it was closed.
    await until(lambda: watched.states() == [])


async def test_its_own_seconds_stop_the_statement(calls: Client, watched: Watched) -> None:
    found = await calls.run("query_database", sql=SLEEP, seconds=0.2)
    assert (found["row_count"], found["truncated"]) == (0, True)
    assert "stopped after 0.2 s" in found["notice"]
    assert watched.states() == []


async def test_the_end_of_the_server_stops_the_statement(calls: Client, watched: Watched) -> None:
    run = calls.run("query_database", sql=SLEEP)
    await until(watched.states)
    await calls.stop()
    assert isinstance(run.error, errors.Shutdown)
    assert watched.states() == []


async def test_a_slow_reader_holds_a_window_and_no_result(
    calls: Client, postgres: PostgresServer, watched: Watched
) -> None:
    """The portal waits in the server: of a million rows it has made what the reader's window holds, some 260 of 4 KB.
    For each that it makes it takes a lock, and these can be counted."""
    slow = calls.with_options(reads="on_demand")
    run = slow.run("query_database", sql=LOCKING, max_rows=1_000_000)
    await run.next()
    made: list[int] = []

    def rests() -> bool:
        made.append(int(postgres.sql("select count(*) from pg_locks where locktype = 'advisory'")))
        return made[-1] > 0 and made[-5:] == [made[-1]] * 5

    await until(rests)
    assert watched.states()[0].startswith("idle in transaction: SELECT")
    assert 100 <= made[-1] < 1000
    await run.leave()
    await calls.idle()
    assert watched.states() == []


# --- a server of its own, by sockets ---------------------------------------------------------------------------------


@pytest.mark.time_bound(120)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_leaving_a_real_server_stops_the_statement(
    postgres: PostgresServer, watched: Watched, tmp_path: Path, scheme: str
) -> None:
    with process(cwd=tmp_path, env={"MCP_APP_DATABASES": f"shop={postgres.url()}"}) as server:
        call = {"tool": "query_database", "params": {"sql": SLEEP}}
        url = server.url if scheme == "http" else server.tls_url
        async with (
            httpx.AsyncClient(verify=False, http2=scheme == "https", timeout=30) as http,
            http.stream("POST", f"{url}/api/v1/mcp/sse", json=call) as answer,
        ):
            assert answer.status_code == 200
            await until(watched.states)
            assert watched.states()[0].startswith("active")
        await until(lambda: watched.states() == [])
        assert PASSWORD not in "\n".join(server.output)


@pytest.mark.time_bound(120)
async def test_killing_a_real_server_stops_the_statement(
    postgres: PostgresServer, watched: Watched, tmp_path: Path
) -> None:
    """Nobody is left to say that it is over: the server looks each second whether its client is there."""
    with process(cwd=tmp_path, env={"MCP_APP_DATABASES": f"shop={postgres.url()}"}, status=-9) as server:
        call = {"tool": "query_database", "params": {"sql": SLEEP}}
        async with httpx.AsyncClient(timeout=30) as http:
            with pytest.raises(httpx.HTTPError):
                async with http.stream("POST", f"{server.url}/api/v1/mcp/sse", json=call) as answer:
                    await until(watched.states)
                    assert server.process is not None
                    server.process.kill()
                    async for _ in answer.aiter_lines():
                        pass
    await until(lambda: watched.states() == [])


def test_a_superuser_ends_the_start_with_one_line(postgres: PostgresServer, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mcp_app", "serve", "--bind", "127.0.0.1:0", "--insecure-bind", "127.0.0.1:0"]
    root = str(Path(__file__).parent.parent.parent)
    env = {"MCP_APP_DATABASES": f"shop={postgres.url('admin')}", "PYTHONPATH": root, "XDG_STATE_HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 1
    [line] = [each for each in done.stderr.splitlines() if "superuser" in each]
    assert re.search(r"MCP_APP_DATABASES: shop: its role is a superuser, and nothing is read-only for one", line)
    assert PASSWORD not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
