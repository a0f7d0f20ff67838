"""The connections to one database: few, shared by all calls, read-only while one is used, and as new when it is back.

What is run is not known here. A call waits until a connection is free; one that has died is replaced before.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from mcp_app import ToolError
from mcp_app.builtin.query_database.postgresql import wire
from mcp_app.builtin.query_database.postgresql.failures import LOST, TooMuch, Unreachable
from mcp_app.builtin.query_database.question import MOST_SECONDS

logger = logging.getLogger("mcp_app.query_database")

CONNECTIONS = 8
"""Of this process to one database. A server takes 100 by default, for everybody."""

WAIT_SECONDS = 30.0
"""Until another call gives its connection back."""

CONNECT_SECONDS = 10.0
"""Until a connection is made, and until a new transaction begins on one that was idle."""

RELEASE_SECONDS = 2.0
"""Until a statement that was cancelled has ended and its connection is as new. Then it is closed, which ends both."""

STATEMENT_SECONDS = int(MOST_SECONDS)
"""The server's own bound, for each batch of rows. A call's own `seconds` stop the statement before."""

LOCK_SECONDS = 5
"""A query waits for nobody but who changes a table's definition; and who does that waits for the query behind it."""

_BOUNDS = {
    "statement_timeout": STATEMENT_SECONDS,
    "lock_timeout": LOCK_SECONDS,
    "idle_in_transaction_session_timeout": STATEMENT_SECONDS,
}
"""Seconds, unless the role or the database has a shorter bound."""

_SHORTER = (
    "SELECT pg_catalog.set_config('{0}', CASE WHEN pg_catalog.current_setting('{0}')::pg_catalog.interval"
    " BETWEEN '1 microsecond' AND '{1} s' THEN pg_catalog.current_setting('{0}') ELSE '{1}s' END, true);"
)

_BEGIN = f"""
BEGIN TRANSACTION READ ONLY;
{"".join(_SHORTER.format(name, seconds) for name, seconds in _BOUNDS.items())}
SET LOCAL client_min_messages = error;
SET LOCAL datestyle = 'ISO, YMD';
SET LOCAL intervalstyle = iso_8601;
SET LOCAL bytea_output = hex;
SET LOCAL extra_float_digits = 1;
SET LOCAL jit = off;
"""
"""What is compiled is our own cutting of each column, too: the first row of a statement with 60 of them took 2 s, and
takes 0.1 s without."""

_NOTICE_LEAVING = "SET LOCAL client_connection_check_interval = '1s';"
"""PostgreSQL 14: a statement whose client is gone (this process was killed) ends within a second."""


class Session:
    """A connection while it is one call's, in a read-only transaction."""

    def __init__(self, connection: Any, bounded: wire.Bounded, begin: str) -> None:
        self.connection = connection
        self._bounded = bounded
        self._begin = begin
        self.texts = wire.Texts(connection)

    async def begin(self) -> None:
        self.expect()
        await self.connection.execute(self._begin)

    async def begin_again(self) -> None:
        """After an error, which ends a transaction."""
        await self.connection.execute("ROLLBACK;" + self._begin)

    def expect(self) -> None:
        """Another request is about to be sent, whose answer is bounded."""
        self._bounded.expect()

    @property
    def overflowed(self) -> bool:
        return self._bounded.overflowed


class Sessions:
    """The connections of one database. `begin` is what begins a transaction there."""

    def __init__(self, pool: asyncpg.Pool, begin: str) -> None:
        self._pool = pool
        self._begin = begin
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._returning: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Session]:
        """A session for one call. Raises ToolError: no connection is free in time, or none can be made."""
        await self._wait()
        try:
            session = await self._begun()
        except BaseException:
            self._free.release()
            raise
        try:
            yield session
        except Exception as error:
            if session.overflowed:
                raise TooMuch from error
            raise
        finally:
            await self._to_the_end(self._returned(session))

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise ToolError(
                f"All {CONNECTIONS} connections to this database are in use by other calls, and none became free in"
                f" {WAIT_SECONDS:g} seconds.",
                hint="Try again later.",
            ) from None

    async def _begun(self) -> Session:
        """A connection may have died while nobody used it, as all do when a server starts anew: a new one is made."""
        try:
            try:
                return await self._begin_once()
            except LOST:
                await self._pool.expire_connections()
                return await self._begin_once()
        except (*LOST, asyncpg.PostgresError) as error:
            logger.warning("PostgreSQL cannot be reached: %s", error)
            raise Unreachable(f"The database cannot be reached: {why(error)}.") from error

    async def _begin_once(self) -> Session:
        connection = await self._pool.acquire(timeout=CONNECT_SECONDS)
        try:
            session = Session(connection, connection.bounded, self._begin)
            async with asyncio.timeout(CONNECT_SECONDS):
                await session.begin()
        except BaseException:
            await self._to_the_end(self._released(connection))
            raise
        return session

    async def _to_the_end(self, returning: Coroutine[Any, Any, None]) -> None:
        """In a task of its own: a second cancellation does not keep a connection from coming back."""
        task = asyncio.create_task(returning, name="give a connection back")
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)
        await asyncio.shield(task)

    async def _returned(self, session: Session) -> None:
        try:
            session.texts.remove_all()
            await self._released(session.connection)
        finally:
            self._free.release()

    async def _released(self, connection: Any) -> None:
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await connection.execute("ROLLBACK")  # behind a statement that is being cancelled
            await self._pool.release(connection, timeout=RELEASE_SECONDS)
        except (*LOST, asyncpg.PostgresError) as error:
            logger.info("a connection to PostgreSQL is closed instead of being used again: %r", error)
            # A statement that cannot be cancelled ends as soon as the server looks for its client.
            with contextlib.suppress(asyncpg.InterfaceError):  # it is closed already
                connection.terminate()
            await self._pool.release(connection)

    async def close(self) -> None:
        """Close all connections; who still works with one has it closed after RELEASE_SECONDS."""
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()


class ReadOnlyConnection(asyncpg.Connection):  # type: ignore[misc] # asyncpg has no types
    """A connection that takes only so much at once."""

    __slots__ = ("bounded",)

    bounded: wire.Bounded


async def open_pool(url: str) -> asyncpg.Pool:
    """A pool that makes its connections when they are needed."""

    async def bound(connection: Any) -> None:
        connection.bounded = wire.Bounded(connection)

    async def as_new(connection: Any) -> None:
        # asyncpg has ended the transaction. Settings, session locks, temporary tables, prepared statements go by this.
        await connection.execute("DISCARD ALL")

    return await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=CONNECTIONS,
        connection_class=ReadOnlyConnection,
        init=bound,
        reset=as_new,
        statement_cache_size=0,
        timeout=CONNECT_SECONDS,
        # No other setting: PgBouncer refuses connections that ask for one that it does not know.
        server_settings={"application_name": "mcp-app query_database"},
    )


async def what_begins(pool: asyncpg.Pool) -> str:
    """The text that begins a transaction on this server, which may be too old for a setting, or its system may.

    Raises what asyncpg raises: ValueError for the URL, or why there is no connection.
    """
    async with pool.acquire() as connection:
        try:
            await connection.execute(_BEGIN + _NOTICE_LEAVING)
        except asyncpg.PostgresError:
            return _BEGIN
        finally:
            await connection.execute("ROLLBACK")
    return _BEGIN + _NOTICE_LEAVING


def why(error: BaseException) -> str:
    """In a few words, without hosts: for a caller, and for the line that ends a start."""
    state = getattr(error, "sqlstate", None) or ""
    for start, words in _WHY.items():
        if state.startswith(start):
            return words
    if isinstance(error, TimeoutError):
        return f"nothing answers within {CONNECT_SECONDS:g} seconds"
    return "no connection can be made" if isinstance(error, OSError) else "the connection is refused"


_WHY = {
    "28": "it refuses the role or its password",
    "3D": "the server has no database of that name",
    "42501": "the role may not connect to it",
    "42704": "the URL has an option that the server does not know",
    "53300": "it has too many connections already",
    "57P03": "the server is starting or stopping",
}
