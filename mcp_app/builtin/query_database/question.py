"""What a caller asks a database, and how much may be answered. Only values."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from pydantic import BaseModel, JsonValue

from mcp_app import Context
from mcp_app.builtin.query_database.shapes import Table

MAX_ROWS = 10_000
"""Streamed, unless the caller asks for more. A model reads a few hundred."""

MOST_ROWS = 10_000_000
"""That can be asked for."""

MAX_CHARACTERS = 100_000
"""Of the result as JSON, unless the caller asks for more: what a client shows a model at once."""

MOST_CHARACTERS = 1_000_000
"""That can be asked for. A result of more than an event (1 MiB) is sent as a link, which few models follow."""

SECONDS = 60.0
"""For the statement and the sending of its rows, unless the caller asks for more: well below a stream's cap."""

MOST_SECONDS = 3600.0
"""That can be asked for: the life of a detached run. A cap that is earlier still counts."""


class Question(BaseModel):
    """One statement, and its bounds."""

    sql: str
    parameters: list[JsonValue] | dict[str, JsonValue] = []
    max_rows: int = MAX_ROWS
    max_characters: int = MAX_CHARACTERS
    seconds: float = SECONDS


@runtime_checkable
class AnswersByItself(Protocol):
    """A database whose statements run in a tool of its own, called by `ctx.call`: that streams the rows."""

    async def answer(self, ctx: Context, question: Question) -> Table:
        """Stream the columns and the rows, and return the result. Raises ToolError."""
        ...
