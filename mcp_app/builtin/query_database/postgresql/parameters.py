"""The values of a statement's parameters: JSON to the text that PostgreSQL's own input functions read. Pure.

So `"infinity"` is a date, `"1 day"` an interval and `"[1,5)"` a range, and what is wrong is said by the database. No
value ever becomes a part of the SQL.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from mcp_app import ToolError
from mcp_app.builtin.query_database.database import Parameters
from mcp_app.builtin.query_database.postgresql.types import INT2, INT4, INT8, JSON, JSONB, PostgresType, Types


def as_texts(parameters: Parameters, expected: Sequence[int], types: Types) -> list[str | None]:
    """The values in their order, for the parameters of these types (oids).

    Raises ToolError: another number of them, names instead of numbers, or a value that no type of PostgreSQL's takes.
    """
    if isinstance(parameters, Mapping) and parameters:
        raise ToolError(
            "The parameters have names, and PostgreSQL numbers them.",
            hint="Write $1, $2 … and give the values as a list.",
        )
    values = list(parameters)
    if len(values) != len(expected):
        were = "1 value was" if len(values) == 1 else f"{len(values)} values were"
        raise ToolError(
            f"The statement has {_count(len(expected))}, and {were} given.",
            hint="Give one value for each of $1, $2 …, in their order.",
        )
    return [
        None if value is None else _text(value, types.below(oid), types, f"${number}")
        for number, (value, oid) in enumerate(zip(values, expected, strict=True), 1)
    ]


def _count(number: int) -> str:
    if number == 0:
        return "no parameters"
    return "1 parameter ($1)" if number == 1 else f"{number} parameters ($1 to ${number})"


def _text(value: JsonValue, type_: PostgresType, types: Types, where: str) -> str:
    if type_.oid in (JSON, JSONB):
        return writable(json.dumps(value, ensure_ascii=False), f"Parameter {where}")
    if isinstance(value, list) and type_.is_array:
        return _array(value, types.below(type_.element), types, where)
    if isinstance(value, list | dict):
        what = "a list" if isinstance(value, list) else "an object"
        raise ToolError(
            f"Parameter {where} is of type {type_.name} and cannot be {what}.",
            hint=_HINTS.get(type_.kind, "Give text or a number, or change what the SQL does with it."),
        )
    return writable(_scalar(value, type_), f"Parameter {where}")


_HINTS = {
    "c": 'Give it as text, as PostgreSQL writes a row: "(1,two)".',
    "r": 'Give it as text, as PostgreSQL writes a range: "[1,5)".',
    "m": 'Give it as text, as PostgreSQL writes a multirange: "{[1,3),[5,8)}".',
}


def _scalar(value: JsonValue, type_: PostgresType) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and type_.oid in (INT2, INT4, INT8):
        return str(int(value))  # JSON has one kind of number: 3.0 is 3
    return str(value)


def _array(values: list[JsonValue], element: PostgresType, types: Types, where: str) -> str:
    """An array literal (PostgreSQL, 8.15.6): each element quoted, so that nothing in it means anything."""
    found = []
    for number, value in enumerate(values, 1):
        inner = f"{where}[{number}]"
        if value is None:
            found.append("NULL")
        elif isinstance(value, list) and element.oid not in (JSON, JSONB):
            found.append(_array(value, element, types, inner))
        else:
            text = _text(value, element, types, inner)
            found.append('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
    return "{" + ("," if element.name != "box" else ";").join(found) + "}"


def writable(text: str, what: str) -> str:
    """The text, if it can be sent. Raises ToolError, which names it by `what`."""
    if "\0" in text:
        raise ToolError(f"{what} has a NUL character, which PostgreSQL's text cannot have.")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ToolError(f"{what} has a lone surrogate, which is no character.") from None
    return text
