"""What goes wrong, as a caller is told it: PostgreSQL's own words, and where in the statement.

What is of the network, of hosts and of the server's own files goes to the log only.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from mcp_app import ToolError
from mcp_app.builtin.query_database.postgresql import wire

logger = logging.getLogger("mcp_app.query_database")

MIB = 1024 * 1024

WORDS = 1_000
"""Characters of a message that are shown: PostgreSQL quotes what it cannot read, however long."""

LOST = (
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    OSError,
    TimeoutError,
)
"""What a connection raises that is no longer one. Among the third, `statement_timeout` and a cancel are none."""

_PARAMETER = re.compile(r"parameter (\$\d+)")

_TERMINATED = ("57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "25P04")
"""The connection was ended by the server: shutdown, crash, start, dropped database, time-outs of idle sessions."""

_HINTS = {
    "25006": "Nothing can be written here.",
    "42P01": "list_tables names the tables; with its schema where that is not on the search path.",
    "42703": "describe_table names a table's columns.",
    "55P03": "Something else has locked what the statement reads. Try again later.",
    "57014": "Ask for less: fewer rows, a narrower condition, an index. EXPLAIN shows what takes so long.",
    "42P18": "Say what it is: $1::text.",
}
"""By SQLSTATE, where PostgreSQL has no hint of its own."""


class NotAQuery(ToolError):
    """The statement gives no rows, or none that could be bounded."""

    def __init__(self) -> None:
        super().__init__(
            "This is not a query: it returns no rows of its own.",
            hint="SELECT, VALUES, TABLE, WITH, EXPLAIN and SHOW can be run, one at a time.",
        )


class TooMuch(ToolError):
    """The server began to send more than is taken."""

    def __init__(self) -> None:
        super().__init__(
            f"The database began to send more than {wire.MESSAGE_BYTES // MIB} MiB for one row, or"
            f" {wire.REPLY_BYTES // MIB} MiB for a batch of rows, and was stopped.",
            hint="Select less of each: left(column, 1000), fewer columns.",
        )


class Unreachable(ToolError):
    """There is no connection to the database, or there is none any more."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="Try again later. The server's log says more.")


@contextmanager
def told(sql: str = "") -> Iterator[None]:
    """Raises ToolError in the place of whatever asyncpg raises."""
    try:
        yield
    except asyncpg.UnsupportedClientFeatureError as error:
        raise ToolError(
            "A column is a whole row that has a type in it which cannot be read.",
            hint="Name the columns, or convert the row: to_json(row).",
        ) from error
    except asyncpg.PostgresError as error:
        raise as_told(error, sql) from error
    except LOST as error:
        logger.warning("a connection to PostgreSQL was lost: %s", error)
        raise Unreachable("The connection to the database was lost while the statement ran.") from error


def as_told(error: asyncpg.PostgresError, sql: str, before: int = 0) -> ToolError:
    """What PostgreSQL says of the statement. `before`: characters that we have put in front of it."""
    state = error.sqlstate or ""
    if state in _TERMINATED or state.startswith("08"):
        logger.warning("a connection to PostgreSQL was ended: %s", error)
        return Unreachable("The database ended the connection while the statement ran.")
    message = _sentence(error.message or str(error))
    if at := _PARAMETER.search(error.context or ""):
        message = f"Parameter {at[1]}: {message}"
    if error.position is not None:
        message += _place(sql, int(error.position) - before)
    if error.detail:
        message += f" {_sentence(error.detail)}"
    return ToolError(message, hint=_sentence(error.hint) if error.hint else _HINTS.get(state, ""))


def _sentence(text: str) -> str:
    return text if len(text) <= WORDS else f"{text[:WORDS]}… ({WORDS} of {len(text)} characters)"


def _place(sql: str, position: int) -> str:
    """Where that is, for a reader of the statement: PostgreSQL counts characters from 1."""
    if not 1 <= position <= len(sql) + 1:
        return ""
    lines = sql[: position - 1].split("\n")
    return f" (line {len(lines)}, column {len(lines[-1]) + 1})"
