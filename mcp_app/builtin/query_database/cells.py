r"""How a value of a database is spelt in JSON: one table for all engines. Pure: no engine is known here.

| value | in JSON |
|---|---|
| null, boolean, text | the same |
| integer up to 2**53 - 1 | number; beyond it its digits as text, since most programs read numbers as doubles |
| float | number; `"NaN"`, `"Infinity"`, `"-Infinity"` |
| decimal | number if a double prints as the same value, else its digits as text |
| bytes | text, hexadecimal: `"\\x48656c6c6f"` |
| date, time, timestamp | ISO 8601: `"2026-11-30"`, `"12:30:00"`, `"2026-11-30T12:30:00+00:00"` |
| interval | ISO 8601: `"P1Y2M3DT4H5M6.5S"` |
| range | text, as mathematics writes it: `"[1,5)"`, `"(,10]"`, `"empty"`; several of them `"{[1,3),[5,8)}"` |
| array, list, set | array |
| composite, struct, map | object |
| JSON | what it is |
| anything else (UUID, address, enum …) | its text |

A cell has at most `limit` characters. One that is longer is cut, and ends with what it had:
`"Once upon … (20 of 51200 characters)"`; an array's last item and an object's member `"…"` say the same.

An engine registers what its driver makes of types of its own: `@spelled.register(asyncpg.Range)`.
"""

from __future__ import annotations

import datetime
import functools
import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

from pydantic import JsonValue

CELL_CHARACTERS = 4_000
"""Of one cell. A page of text is shown whole; a book, or a picture, would leave no room for other rows."""

ROW_CHARACTERS = 40_000
"""Of one row: with hundreds of long cells it would not fit an event."""

SHORT_CHARACTERS = 40
"""What a cell has of them at least, in a row that is too long."""

MAX_DEPTH = 12
"""Arrays and objects in each other: PostgreSQL's arrays have 6. Clients' JSON parsers are bounded, too."""

SAFE_INTEGER = 2**53 - 1
"""Above it a double does not tell every integer from the next (RFC 8259, 6)."""


class Room:
    """What is left of one cell: characters, and levels of nesting."""

    __slots__ = ("depth", "left")

    def __init__(self, limit: int) -> None:
        self.left = limit
        self.depth = 0

    def text(self, text: str) -> str:
        """As much of the text as there is room for."""
        return self._cut(text, len(text), "characters", lambda part: part)

    def binary(self, data: bytes | bytearray | memoryview) -> str:
        """As many of the bytes as there is room for, two characters each."""
        return "\\x" + self._cut(data, len(data), "bytes", lambda part: bytes(part).hex(), 2)

    def _cut(self, whole: Any, length: int, unit: str, shown: Callable[[Any], str], width: int = 1) -> str:
        room = max(self.left, 0) // width
        self.left -= length * width
        if length <= room:
            return shown(whole)
        return f"{shown(whole[:room])}… ({room} of {length} {unit})"


def row(values: Iterable[Any]) -> list[JsonValue]:
    """The cells of a row, each of at most `CELL_CHARACTERS`, and all together of about `ROW_CHARACTERS`."""
    left = ROW_CHARACTERS
    found: list[JsonValue] = []
    for value in values:
        characters = _plain(value)
        if characters is not None:
            found.append(value)
            left -= characters
            continue
        limit = max(min(CELL_CHARACTERS, left), SHORT_CHARACTERS)
        room = Room(limit)
        found.append(spelled(value, room))
        left -= limit - max(room.left, 0)
    return found


def _plain(value: Any) -> int | None:
    """The characters of most cells, which JSON says as they are: without a Room, and a look at the table of types. None
    of all others. A million rows of five such cells take 3 s less."""
    kind = type(value)
    if kind is str:
        return len(value) if len(value) <= SHORT_CHARACTERS and value.isascii() else None
    if value is None or (kind is int and -SAFE_INTEGER <= value <= SAFE_INTEGER):
        return 8
    return 8 if kind is float and math.isfinite(value) else None


def cell(value: Any, limit: int = CELL_CHARACTERS) -> JsonValue:
    """The value as JSON can say it, in about `limit` characters."""
    return spelled(value, Room(limit))


@functools.singledispatch
def spelled(value: Any, room: Room) -> JsonValue:
    """What has no row of its own in the table is its text."""
    return _text(str(value), room)


@spelled.register
def _(value: None, room: Room) -> JsonValue:
    return value


@spelled.register
def _(value: bool, room: Room) -> JsonValue:
    return value


@spelled.register
def _(value: str, room: Room) -> JsonValue:
    return _text(value.value if isinstance(value, Enum) else value, room)


def _text(text: str, room: Room) -> str:
    shown = room.text(text)
    if shown.isascii():
        return shown
    # A lone surrogate, which JSON can escape and UTF-8 cannot write, is shown as its escape.
    return shown.encode("utf-8", "backslashreplace").decode()


@spelled.register
def _(value: int, room: Room) -> JsonValue:
    if -SAFE_INTEGER <= value <= SAFE_INTEGER:
        room.left -= len(str(value))
        return int(value)
    return room.text(str(value))


@spelled.register
def _(value: float, room: Room) -> JsonValue:
    room.left -= 8
    return float(value) if math.isfinite(value) else _not_finite(value)


def _not_finite(value: float | Decimal) -> str:
    nan = value.is_nan() if isinstance(value, Decimal) else math.isnan(value)  # math reads no signalling NaN
    return "NaN" if nan else "Infinity" if value > 0 else "-Infinity"


@spelled.register
def _(value: Decimal, room: Room) -> JsonValue:
    if not value.is_finite():
        return _not_finite(value)
    number = float(value)
    if math.isfinite(number) and Decimal(repr(number)) == value:
        room.left -= 8
        return int(number) if number.is_integer() and abs(number) <= SAFE_INTEGER else number
    return room.text(format(value, "f") if abs(value.adjusted()) < room.left else str(value))


@spelled.register(bytes)
@spelled.register(bytearray)
@spelled.register(memoryview)
def _(value: bytes | bytearray | memoryview, room: Room) -> JsonValue:
    return room.binary(value)


@spelled.register
def _(value: datetime.date, room: Room) -> JsonValue:  # and datetime, which is a date
    return room.text(value.isoformat())


@spelled.register
def _(value: datetime.time, room: Room) -> JsonValue:
    return room.text(value.isoformat())


@spelled.register
def _(value: datetime.timedelta, room: Room) -> JsonValue:
    return room.text(interval(0, value.days, value.seconds * 1_000_000 + value.microseconds))


@spelled.register(list)
@spelled.register(tuple)
@spelled.register(set)
@spelled.register(frozenset)
def _(value: Collection[Any], room: Room) -> JsonValue:
    def filled(found: list[JsonValue]) -> JsonValue:
        for number, each in enumerate(value):
            if room.left <= 0:
                found.append(f"… ({number} of {len(value)} items)")
                break
            room.left -= 1
            found.append(spelled(each, room))
        return found

    return _nested(room, filled, [])


@spelled.register
def _(value: Mapping, room: Room) -> JsonValue:  # type: ignore[type-arg] # singledispatch takes classes
    def filled(found: dict[str, JsonValue]) -> JsonValue:
        for number, (name, each) in enumerate(value.items()):
            if room.left <= 0:
                found["…"] = f"{number} of {len(value)} members"
                break
            key = spelled(name, room)
            found[key if isinstance(key, str) else json.dumps(key)] = spelled(each, room)
        return found

    return _nested(room, filled, {})


def _nested(room: Room, filled: Callable[[Any], JsonValue], empty: Any) -> JsonValue:
    if room.depth >= MAX_DEPTH:
        return "… (nested too deeply)"
    room.depth += 1
    try:
        return filled(empty)
    finally:
        room.depth -= 1


def interval(months: int, days: int, microseconds: int) -> str:
    """ISO 8601, each part with its own sign, as PostgreSQL's `intervalstyle = iso_8601` has it: `P1Y2M-3DT4H5M6.5S`.

    Months and days are parts of their own: neither is a fixed number of the next.
    """
    years, months = _whole(months, 12)
    seconds, fraction = _whole(microseconds, 1_000_000)
    minutes, seconds = _whole(seconds, 60)
    hours, minutes = _whole(minutes, 60)
    sign = "-" if microseconds < 0 and seconds == 0 and fraction else ""
    decimals = f".{abs(fraction):06d}".rstrip("0") if fraction else ""
    in_seconds = f"{sign}{seconds}{decimals}S" if seconds or fraction else ""
    date = "".join(f"{number}{unit}" for number, unit in ((years, "Y"), (months, "M"), (days, "D")) if number)
    time = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M")) if number) + in_seconds
    return f"P{date}{'T' if time else ''}{time}" if date or time else "PT0S"


def _whole(number: int, unit: int) -> tuple[int, int]:
    """Quotient and remainder, both with the sign of the number."""
    quotient, remainder = divmod(abs(number), unit)
    return (quotient, remainder) if number >= 0 else (-quotient, -remainder)


def span(lower: Any, upper: Any, *, lower_inclusive: bool, upper_inclusive: bool, room: Room) -> str:
    """A range that is not empty; None is no bound."""
    ends = ["" if each is None else str(spelled(each, room)) for each in (lower, upper)]
    return f"{'[' if lower_inclusive else '('}{ends[0]},{ends[1]}{']' if upper_inclusive else ')'}"
