"""Opens a database that a setting names: the URL, a first connection, and whether its role is one that may be used.

What is wrong ends the start, in one line that has no password and no host in it.
"""

from __future__ import annotations

import logging

import asyncpg

from mcp_app import ToolError
from mcp_app.builtin.query_database.database import CannotOpen, Database
from mcp_app.builtin.query_database.postgresql.engine import PostgreSQL
from mcp_app.builtin.query_database.postgresql.failures import LOST
from mcp_app.builtin.query_database.postgresql.role import Powerful, refuse_powerful
from mcp_app.builtin.query_database.postgresql.sessions import Sessions, open_pool, what_begins, why
from mcp_app.builtin.query_database.settings import NamedDatabase

logger = logging.getLogger("mcp_app.query_database")


async def open_database(named: NamedDatabase) -> Database:
    """Connect to the database. Raises CannotOpen: it cannot be reached, or its role is refused."""
    pool = await open_pool(named.url.get_secret_value())
    try:
        sessions = Sessions(pool, await what_begins(pool))
    except ValueError:  # asyncpg's words may quote a part of the URL
        pool.terminate()
        raise CannotOpen(
            named.name,
            "the URL is not of the form postgresql://role:password@host:5432/database?sslmode=verify-full,"
            " where @ / : in a part are %40 %2F %3A",
        ) from None
    except (*LOST, asyncpg.PostgresError) as error:
        pool.terminate()
        logger.warning("the database %s cannot be opened: %s", named.name, error)
        raise CannotOpen(named.name, why(error)) from None
    try:
        async with sessions.reading() as session:
            await refuse_powerful(session.connection)
    except (Powerful, ToolError) as error:
        await sessions.close()
        raise CannotOpen(named.name, str(error)) from None
    except (*LOST, asyncpg.PostgresError) as error:
        await sessions.close()
        logger.warning("the role of the database %s cannot be looked at: %s", named.name, error)
        raise CannotOpen(named.name, why(error)) from None
    except BaseException:
        await sessions.close()
        raise
    return PostgreSQL(sessions)
