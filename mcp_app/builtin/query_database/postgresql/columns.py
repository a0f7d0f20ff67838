"""How each column is asked for, and read: one row for each kind of type. Pure.

A statement is asked for from outside, `SELECT … FROM (statement) AS q`, so that the server cuts what is too long, and
says dates, arrays and composites as JSON says them. Between the two stands a query with OFFSET 0, which the planner
does not merge with others: the statement's own expressions are evaluated once. The order of rows is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import JsonValue

from mcp_app.builtin.query_database.cells import CELL_CHARACTERS, Room, cell, spelled
from mcp_app.builtin.query_database.postgresql import types as t

STRUCTURE_CHARACTERS = 4 * CELL_CHARACTERS
"""Of an array or object, as JSON. It is read whole, and cut by its items: its punctuation is not shown."""

BYTES_OF_BINARY = CELL_CHARACTERS // 2
"""Two hexadecimal digits for each."""

BATCH_BYTES = 32 * 1024 * 1024
"""What a batch of rows with nothing but the longest cells may come to; the bound of the wire is twice that."""

BATCH_CELLS = 20_000
"""Cells that asyncpg makes between two turns of the event loop: some 10 ms. What is made of them takes turns itself."""

_MAX_DIGITS = 4_300
"""Python reads no longer integer from text (sys.set_int_max_str_digits)."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The beginning of a text or of bytes; `total` is how long it is in the database."""

    shown: str | bytes
    total: int


@spelled.register
def _(value: Cut, room: Room) -> JsonValue:
    unit, width = ("bytes", 2) if isinstance(value.shown, bytes) else ("characters", 1)
    shown = value.shown[: max(room.left, 0) // width]
    room.left -= value.total * width
    text = cell(shown, len(shown) * width)
    return f"{text}… ({len(shown)} of {value.total} {unit})"


@dataclass(frozen=True, slots=True)
class Kind:
    """`ask` makes the expression in the middle query, of the column's name there; `limit` is where the server cuts."""

    ask: str
    read: Callable[[Any], Any]
    limit: int = 0
    binary: bool = False

    def expression(self, name: str) -> str:
        return self.ask.format(name)

    def cut(self, name: str) -> str:
        """The outer expression. What is cut has its whole length right behind its first `limit` characters or bytes."""
        if not self.limit:
            return name
        if self.binary:
            return (
                f"CASE WHEN pg_catalog.octet_length({name}) <= {self.limit} THEN {name}"
                f" ELSE pg_catalog.substr({name}, 1, {self.limit})"
                f" || pg_catalog.convert_to(pg_catalog.octet_length({name})::pg_catalog.text, 'UTF8') END"
            )
        # Most cells are short in bytes, too: those are not counted by characters, which takes longer.
        return (
            f"CASE WHEN pg_catalog.octet_length({name}) <= {self.limit} THEN {name}"
            f" WHEN pg_catalog.length({name}) <= {self.limit} THEN {name}"
            f" ELSE pg_catalog.left({name}, {self.limit}) || pg_catalog.length({name})::pg_catalog.text END"
        )

    @property
    def most_bytes(self) -> int:
        """The longest that a cell can be on the wire: UTF-8 has four bytes for a character."""
        return (1 if self.binary else 4) * self.limit + 32

    def value(self, raw: Any) -> Any:
        """What the server sent, as `cells.py` spells it."""
        if raw is None:
            return None
        if self.limit and len(raw) > self.limit:
            return Cut(raw[: self.limit], int(raw[self.limit :]))
        return self.read(raw)


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _MAX_DIGITS else Decimal(digits)


def _decimal(digits: str) -> Decimal | str:
    try:
        return Decimal(digits)
    except InvalidOperation:  # its exponent has more than 18 digits: `json` is kept as it was written
        return digits


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_int=_integer, parse_float=_decimal)
    except RecursionError:  # some thousand levels: it is shown as it is written
        return text


def _same(value: Any) -> Any:
    return value


PLAIN = Kind("{}", _same)
"""Booleans, integers and doubles, which asyncpg reads as what they are."""

REAL = Kind("{}::pg_catalog.text", float)
"""As a double its bytes would be 0.10000000149011612 for 0.1."""

TEXT = Kind("{}::pg_catalog.text", _same, CELL_CHARACTERS)

BINARY = Kind("{}", _same, BYTES_OF_BINARY, binary=True)

DECIMAL = Kind("{}::pg_catalog.text", Decimal, CELL_CHARACTERS)

WRITTEN = Kind("pg_catalog.to_json({}) #>> '{{}}'", _same, CELL_CHARACTERS)
"""As it is written in JSON: dates are ISO 8601, whatever DateStyle is, with `infinity` and years beyond 9999. A cast to
text would change others: `char(5)` would lose its spaces, `inet` get a mask."""

DOCUMENT = Kind("{}::pg_catalog.text", _json, STRUCTURE_CHARACTERS)

STRUCTURE = Kind("pg_catalog.to_json({})::pg_catalog.text", _json, STRUCTURE_CHARACTERS)

_BY_OID = {
    **dict.fromkeys((t.BOOL, t.INT2, t.INT4, t.INT8, t.OID, t.FLOAT8), PLAIN),
    **dict.fromkeys((t.DATE, t.TIMESTAMP, t.TIMESTAMPTZ), WRITTEN),
    **dict.fromkeys((t.JSON, t.JSONB), DOCUMENT),
    **dict.fromkeys((t.BPCHAR, t.INET, t.CIDR), WRITTEN),
    **dict.fromkeys((t.RECORD, t.ANYARRAY, t.RECORD_ARRAY), STRUCTURE),
    t.FLOAT4: REAL,
    t.NUMERIC: DECIMAL,
    t.BYTEA: BINARY,
}


def kind_of(type_: t.PostgresType) -> Kind:
    """What has no row of its own, enum, uuid, range, xml, a type of an extension …, is its text."""
    if found := _BY_OID.get(type_.oid):
        return found
    if type_.is_array or type_.is_composite:
        return STRUCTURE
    return PLAIN if type_.kind == "p" else TEXT  # of pseudo-types only void and cstring come here, and have no cast


UNWRAPPED = {t.TEXT: Kind("", _same), t.XML: Kind("", _same), t.JSON: Kind("", _json)}
"""The types that EXPLAIN and SHOW give, which cannot stand in FROM: they are cut when they are here."""

READ_AS_TEXT: dict[int, Callable[[str], Any]] = {
    t.BOOL: lambda text: text == "t",
    **dict.fromkeys((t.INT2, t.INT4, t.INT8, t.OID), int),
    t.FLOAT8: float,
    t.BYTEA: lambda text: bytes.fromhex(text[2:]),
}
"""How a result is read whose type is also that of a parameter, and so exchanged as text."""


def wrapped(statement: str, kinds: Sequence[Kind]) -> tuple[str, int]:
    """The statement that is run for this one, and how many characters stand before it.

    Sound because PostgreSQL has parsed the statement by itself before: it is one, and none of its strings, comments or
    parentheses is open at its end; a comment of its last line ends at the line break.
    """
    names = [f"c{number}" for number in range(1, len(kinds) + 1)]
    outer = ", ".join(kind.cut(name) for kind, name in zip(kinds, names, strict=True))
    middle = ", ".join(f"{kind.expression(name)} AS {name}" for kind, name in zip(kinds, names, strict=True))
    before = f"SELECT {outer} FROM (SELECT {middle} FROM (\n"  # noqa: S608  c1, c2 …
    return f"{before}{statement}\n) AS q({', '.join(names)}) OFFSET 0) AS t", len(before)


_NOTHING = re.compile(r"(?:[\s;]|--[^\n]*(?:\n|\Z)|/\*(?:[^*]|\*(?!/))*\*/)*")
"""What may stand behind the end of a statement."""

_SEMICOLONS = 16
"""So many are looked at, from the end: a statement may have a million of them in a string."""


def without_terminator(statement: str) -> Iterator[str]:
    """The statement as it may stand in parentheses, most likely first.

    Where what looks like its end is a part of a string or comment, what is left is no statement, as that is open then.
    """
    yield statement.rstrip("; \t\r\n\f\v")
    at = len(statement)
    for _ in range(_SEMICOLONS):
        at = statement.rfind(";", 0, at)
        if at < 0:
            return
        if _NOTHING.fullmatch(statement, at):
            yield statement[:at]


def rows_at_once(kinds: Sequence[Kind], batch: int) -> int:
    """How many rows to ask for: as many as bound memory, and the time on the event loop, even if every cell is long."""
    longest = sum(kind.most_bytes for kind in kinds)
    return max(1, min(batch, BATCH_BYTES // longest, BATCH_CELLS // len(kinds)))
