"""Streams the rows of a statement to its caller, and makes the result of them: a table that fits.

No engine is known here. The bounds are those of the question.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator
from typing import NamedTuple, cast

from pydantic_core import to_json

from mcp_app import Context, ToolError
from mcp_app.builtin.query_database.database import Column, Row
from mcp_app.builtin.query_database.question import MOST_CHARACTERS, MOST_ROWS, MOST_SECONDS, Question
from mcp_app.builtin.query_database.reading_ahead import reading_ahead
from mcp_app.builtin.query_database.shapes import Columns, Rows, Table

BATCH_ROWS = 100
"""Rows of one event, and what is held of a result besides the batch before it and what the window holds."""

STREAMED_CHARACTERS = 1_000_000_000
"""Of all rows of one call. Who reads more is better served with a file."""

_EVENT_CHARACTERS = 48_000
"""Of one batch: below the least that MCP_APP_MAX_EVENT_BYTES can be."""

_NAME_CHARACTERS = 200
"""Of a column's name: that of an expression is its text, and may be as long as the statement."""

_LAST_SECONDS = 1.0
"""Before the end of the call's own time, behind which it has no result: the time to stop a statement and send one."""

_FRAME_CHARACTERS = 800
"""Of the result around its columns and rows: most of it is the notice."""


class _Part(NamedTuple):
    """Rows of one event, and the characters of each as JSON."""

    rows: list[Row]
    sizes: list[int]


async def stream(ctx: Context, source: AsyncGenerator[list[Column] | list[Row], None], question: Question) -> Table:
    """Send what `source` yields (see `Database.rows`) as it comes, within the question's bounds; return the result.

    However it ends, the source is closed: its statement has been stopped. Raises ToolError: that of the database, and
    for a time that was over before there were columns.
    """
    table: _Fitting | None = None
    seconds = min(question.seconds, max(ctx.seconds_left - _LAST_SECONDS, ctx.seconds_left / 2))
    async with reading_ahead(source, seconds) as items:
        async for item in items:
            if table is None:
                table = _Fitting(_named(cast("list[Column]", item)), question)
                await ctx.partial(Columns(columns=table.columns))
            elif not await _sent(ctx, cast("list[Row]", item), table):
                break
    if table is None:
        raise ToolError(
            f"The statement had no row after {seconds:.3g} s, and was stopped.",
            hint=f"Ask for less (WHERE, LIMIT), or allow more time: {_more_time(seconds, question)}.",
        )
    if items.expired and table.more is None:
        table.more = f"The statement was stopped after {seconds:.3g} s; {_more_time(seconds, question)}."
    return table.result()


def _more_time(seconds: float, question: Question) -> str:
    """How to have more of it: it was the question's, or the call's."""
    if seconds < question.seconds:
        return "a detached run has more time than this call"
    return f"seconds may be {MOST_SECONDS:g} at most"


async def _sent(ctx: Context, rows: list[Row], table: _Fitting) -> bool:
    """Send what the bounds allow of a batch. False if they end here."""
    room = table.question.max_rows - table.row_count
    for part in _parts(rows[:room]):
        if table.characters > STREAMED_CHARACTERS:
            table.more = f"The rows were cut off after {STREAMED_CHARACTERS} characters: select fewer of them."
            return False
        batch = Rows.model_construct(first=table.row_count, rows=part.rows)  # the cells are JSON already
        table.add(part)
        await ctx.partial(batch, progress=table.row_count)
    if len(rows) > room:
        table.more = f"There are more rows than max_rows={table.question.max_rows}; it may be {MOST_ROWS} at most."
    return len(rows) <= room


def _named(columns: Iterable[Column]) -> list[Column]:
    return [
        each
        if len(each.name) <= _NAME_CHARACTERS
        else Column(name=f"{each.name[:_NAME_CHARACTERS]}… ({len(each.name)} characters)", type=each.type)
        for each in columns
    ]


def _parts(rows: list[Row]) -> Iterator[_Part]:
    """The rows in parts, each of which fits an event."""
    part, characters = _Part([], []), 0
    for row in rows:
        size = _characters(row)
        if part.rows and characters + size > _EVENT_CHARACTERS:
            yield part
            part, characters = _Part([], []), 0
        part.rows.append(row)
        part.sizes.append(size)
        characters += size
    if part.rows:
        yield part


def _characters(value: object) -> int:
    return len(to_json(value).decode()) + 1  # and the comma behind it


class _Fitting:
    """The result as it grows: all columns, and the first rows, as many as fit. `more` says why there are no more."""

    def __init__(self, columns: list[Column], question: Question) -> None:
        self.columns = columns
        self.question = question
        self.row_count = 0
        self.characters = 0
        self.more: str | None = None
        self._rows: list[Row] = []
        self._left = question.max_characters - _FRAME_CHARACTERS - _characters(columns)
        if self._left < 0:
            raise ToolError(
                f"The names of {len(columns)} columns alone are more than max_characters={question.max_characters}.",
                hint=f"Select fewer columns, or allow more max_characters: {MOST_CHARACTERS} at most.",
            )

    def add(self, part: _Part) -> None:
        for row, size in zip(part.rows, part.sizes, strict=True):
            self.characters += size
            if self._left >= 0:
                self._left -= size
                if self._left >= 0:
                    self._rows.append(row)
        self.row_count += len(part.rows)

    def result(self) -> Table:
        """With a notice of whatever is not in it."""
        notice = [self.more] if self.more else []
        if len(self._rows) < self.row_count:
            notice.append(
                f"{len(self._rows)} of the {self.row_count} rows that were streamed are here, which is what fits"
                f" max_characters={self.question.max_characters}. For the others: fewer columns, LIMIT and OFFSET, or a"
                f" larger max_characters, {MOST_CHARACTERS} at most."
            )
        return Table(
            columns=self.columns,
            rows=self._rows,
            row_count=self.row_count,
            truncated=bool(notice),
            notice=" ".join(notice) or None,
        )
