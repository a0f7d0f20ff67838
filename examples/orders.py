"""A pool of database connections and an HTTP client, which all calls share, and a connection that is one call's own.

    pip install aiosqlite httpx
    mcp-app serve examples/orders.py

Both are made when the server starts and closed after the last call, whose transaction was committed or rolled back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import aiosqlite
import httpx

from mcp_app import Depends, Shared, ToolError, tool

CONNECTIONS = 4
"""Of the database: a fifth call that needs one waits for another to give its own back."""


class Pool(asyncio.Queue[aiosqlite.Connection]):
    """The connections that no call has."""


async def make_pool() -> AsyncIterator[Pool]:
    """Once, when the server starts; what follows the `yield`, when it stops."""
    pool = Pool()
    for _ in range(CONNECTIONS):
        pool.put_nowait(await aiosqlite.connect("orders.db"))
    connection = pool.get_nowait()
    await connection.execute("create table if not exists orders (item text, pieces integer)")
    pool.put_nowait(connection)
    yield pool
    while not pool.empty():
        await pool.get_nowait().close()


async def take(pool: Annotated[Pool, Shared(make_pool)]) -> AsyncIterator[aiosqlite.Connection]:
    """Once a call; what follows the `yield`, when the call is over, however it ended."""
    connection = await pool.get()
    try:
        yield connection
    finally:
        await connection.rollback()  # what the tool has not committed
        pool.put_nowait(connection)


async def make_client() -> AsyncIterator[httpx.AsyncClient]:
    """One client for all calls: it keeps its connections."""
    async with httpx.AsyncClient(timeout=10) as client:
        yield client


# A name for each, so that a tool has only to say what it needs.
Connection = Annotated[aiosqlite.Connection, Depends(take)]
Client = Annotated[httpx.AsyncClient, Shared(make_client)]


@tool
async def order(item: str, pieces: int, connection: Connection) -> int:
    """Order some pieces of an item, and say how many are ordered of it."""
    await connection.execute("insert into orders values (?, ?)", (item, pieces))
    if pieces < 1:
        raise ToolError("nobody can order less than one piece")  # the row is rolled back
    async with connection.execute("select sum(pieces) from orders where item = ?", (item,)) as rows:
        found = await rows.fetchone()
    await connection.commit()  # before the result is sent: who gets it can rely on it
    return int(found[0]) if found else 0


@tool(read_only=True)
async def ordered(connection: Connection) -> dict[str, int]:
    """How many pieces are ordered of each item."""
    async with connection.execute("select item, sum(pieces) from orders group by item") as rows:
        return {str(item): int(pieces) async for item, pieces in rows}


@tool(read_only=True)
async def is_up(address: str, client: Client) -> bool:
    """Whether a web server answers at an address."""
    try:
        return (await client.get(address)).is_success
    except httpx.TransportError:
        return False
