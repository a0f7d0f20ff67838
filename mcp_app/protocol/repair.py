"""Repairs the JSON values that models write in the wrong type, where the schema leaves only one meaning.

    "5" for an integer, "true" for a boolean, "[1,2]" for an array, "{…}" for an object, null for what may be left out

Text is never changed where the schema allows text. Nothing is validated: whether the repaired value fits is for the
validator to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .errors import InvalidRequest
from .http import strict_json
from .json_places import Place, type_of
from .json_schema import Schema

MAX_LOOKS = 10_000
"""Texts and objects of one call that are looked at; all after them stay as they are. That takes 60 to 150 ms, in which
the event loop waits. A model errs in a few places, or in each item of a list that it wrote."""

_NO_JSON = object()

_PYTHON = {"True": True, "False": False, "None": None}
"""As models write that have read much Python."""


class Repair(NamedTuple):
    """`value` is the value itself if `repairs`, the number of repaired values in it, is 0."""

    value: Any
    repairs: int


def repair(schema: Schema, value: Any) -> Repair:
    """The value with what the schema gives only one meaning in the type that it names.

    A value that fits the schema is not changed.
    """
    repairs = _Repairs()
    repaired = repairs.of(value, Place([schema], schema), 0)
    return Repair(repaired, repairs.count)


class _Repairs:
    __slots__ = ("count", "looks")

    def __init__(self) -> None:
        self.count = 0
        self.looks = 0

    def of(self, value: Any, place: Place, depth: int) -> Any:
        if isinstance(value, str):
            return self._of_text(value, place, depth)
        if isinstance(value, dict) and "object" in place.types:
            return self._of_object(value, place, depth)
        if isinstance(value, list) and "array" in place.types:
            return self._of_array(value, place, depth)
        return value

    def _of_text(self, text: str, place: Place, depth: int) -> Any:
        if "string" in place.types or not place.types or self._ends(depth):
            return text
        self.looks += 1
        parsed = _parsed(text)
        if parsed is _NO_JSON or type_of(parsed) not in place.types:
            return text
        self.count += 1
        return self.of(parsed, place, depth)

    def _of_object(self, value: Mapping[str, Any], place: Place, depth: int) -> Any:
        if self._ends(depth):
            return value
        self.looks += 1
        members, before = place.members(value), self.count
        repaired = {}
        for name, each in value.items():
            inner = members.place(name)
            if name not in members.required and _stands_for_nothing(each, inner):
                self.count += 1
            else:
                repaired[name] = self.of(each, inner, depth + 1)
        return value if self.count == before else repaired

    def _of_array(self, value: list[Any], place: Place, depth: int) -> Any:
        before = self.count
        if place.uniform:
            inner = place.item(0)
            repaired = [self.of(each, inner, depth + 1) for each in value]
        else:
            repaired = [self.of(each, place.item(index), depth + 1) for index, each in enumerate(value)]
        return value if self.count == before else repaired

    def _ends(self, depth: int) -> bool:
        """Texts within texts could nest deeper than any body may."""
        return depth >= strict_json.MAX_DEPTH or self.looks >= MAX_LOOKS


def _stands_for_nothing(value: Any, place: Place) -> bool:
    """Whether it is null, or written as null, where neither null nor text is allowed. `place` has a default."""
    if not place.types or "null" in place.types:
        return False
    return value is None or (isinstance(value, str) and "string" not in place.types and _parsed(value) is None)


def _parsed(text: str) -> Any:
    if text in _PYTHON:
        return _PYTHON[text]
    try:
        return strict_json.loads(text.encode())
    except (InvalidRequest, UnicodeEncodeError):
        return _NO_JSON


def with_integers(value: Any) -> Any:
    """The same JSON value with integers in the place of floats without a fraction; itself if there are none."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, dict):
        members = {name: with_integers(each) for name, each in value.items()}
        return members if any(members[name] is not each for name, each in value.items()) else value
    if isinstance(value, list):
        items = [with_integers(each) for each in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value
