"""A thousand calls that are cut at random: the pool is full afterwards, and no connection of the database is open."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import aiosqlite
import pytest
from live_server import LiveServer, serving

from mcp_app import Context, Depends, Result, Settings, Shared, create_app, override, tool

CALLS = 1000
AT_ONCE = 50
CONNECTIONS = 5
SEED = 20261130
BOUND = 60.0


Pool = asyncio.Queue[aiosqlite.Connection]


class Counted:
    """Of the pool's connections how many were taken; of plain sqlite3 which are open."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self.taken = 0
        self.open: set[sqlite3.Connection] = set()
        self.pool = Pool()


def make_counted() -> Counted:
    raise AssertionError("the test has its own")


async def make_pool(counted: Annotated[Counted, Shared(make_counted)]) -> AsyncIterator[Pool]:
    for _ in range(CONNECTIONS):
        counted.pool.put_nowait(await aiosqlite.connect(counted.database))
    yield counted.pool
    while not counted.pool.empty():
        await counted.pool.get_nowait().close()


async def take(
    pool: Annotated[Pool, Shared(make_pool)], counted: Annotated[Counted, Shared(make_counted)]
) -> AsyncIterator[aiosqlite.Connection]:
    connection = await pool.get()
    counted.taken += 1
    try:
        await connection.execute("begin")
        yield connection
    finally:
        await connection.rollback()
        pool.put_nowait(connection)


def connect(counted: Annotated[Counted, Shared(make_counted)]) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(counted.database)
    counted.open.add(connection)
    try:
        yield connection
    finally:
        connection.close()
        counted.open.discard(connection)


Taken = Annotated[aiosqlite.Connection, Depends(take)]
Opened = Annotated[sqlite3.Connection, Depends(connect)]


@tool
async def coroutine(connection: Taken, seconds: float) -> int:
    await connection.execute("select 1")
    await asyncio.sleep(seconds)
    return 1


@tool
async def items(connection: Taken, seconds: float) -> AsyncIterator[int]:
    for each in range(5):
        await connection.execute("select 1")
        yield each
        await asyncio.sleep(seconds / 5)


@tool
def plain(connection: Opened, seconds: float, ctx: Context) -> int:
    for each in range(5):
        ctx.progress(each, 5)
        connection.execute("select 1")
    return 1


@tool
def generator(connection: Opened, seconds: float) -> Iterator[int | Result[int]]:
    yield from range(5)
    yield Result(connection.execute("select 1").fetchone()[0])


@tool
async def mixed(opened: Opened, taken: Taken, seconds: float) -> int:
    await asyncio.sleep(seconds)
    return 1


TOOLS = (coroutine, items, plain, generator, mixed)


async def cut(server: LiveServer, chance: random.Random, names: list[str]) -> bool:
    """One call, whose connection is closed after some time. Whether its end was seen before."""
    body = json.dumps({"tool": chance.choice(names), "params": {"seconds": chance.random() / 50}}).encode()
    patience = chance.choice([0.02 * chance.random(), 0.5 * chance.random(), BOUND])
    reader, writer = await asyncio.open_connection(server.host, server.port)
    head = f"POST /api/v1/mcp/sse HTTP/1.1\r\nHost: {server.host}:{server.port}\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Content-Type: application/json\r\nAccept: text/event-stream\r\n\r\n".encode() + body)
    seen = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(patience):
            while b'"complete"' not in seen and (some := await reader.read(65536)):
                seen += some
    writer.transport.abort()
    return b'"complete"' in seen


@pytest.mark.time_bound(180)
async def test_a_thousand_calls_that_are_cut_at_random_leave_the_pool_full(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    turn = asyncio.Semaphore(AT_ONCE)
    app = create_app(Settings(threads=16), tools=TOOLS)

    async def one() -> bool:
        async with turn:
            return await cut(server, chance, [each.name for each in TOOLS])

    with override(make_counted, Counted(tmp_path / "rows.db")) as counted:
        async with serving(app) as server:
            seen = await asyncio.gather(*(one() for _ in range(CALLS)))
            runs = app.extensions["mcp_app"].endpoint.runs
            for _ in range(1000):  # who was cut last is still noticed
                await asyncio.sleep(0.01)
                if not runs.working:
                    break
            async with asyncio.timeout(BOUND):
                await runs.dependencies.closings.ended()
                await runs.threads.ended()
            complete = sum(seen)
            print(f"{CALLS} calls, {complete} complete, {counted.taken} taken of the pool, {dict(runs.ended)}")
            assert 0.05 * CALLS < complete < 0.95 * CALLS, "cut neither at random nor at all"
            assert counted.taken > CONNECTIONS
            assert counted.pool.qsize() == CONNECTIONS
            assert not counted.open
            assert (runs.working, runs.threads.working) == (0, 0)
            assert runs.dependencies.closings.abandoned == 0
        assert counted.pool.empty()
