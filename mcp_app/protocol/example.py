"""What a JSON Schema expects at a place, for who got it wrong: its types in words, and a value that fits.

No value is validated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from .event import encode
from .json_places import Branch, Place, type_of
from .json_schema import TYPES, allowed

MAX_BYTES = 100
"""Of an example as JSON. A longer one, as of a model with many fields, says no more than the schema."""

_MAX_DEPTH, _MAX_ITEMS = 4, 10
"""More cannot be said in so many bytes, and a schema may contain itself."""

_WORDS = {
    "string": "a string",
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "array": "an array",
    "object": "an object",
    "null": "null",
}

_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "uuid": "6f2b1c1e-6a52-4f0d-9a51-1d9c3a2b7e40",
    "uri": "https://example.com/",
    "email": "name@example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}
"""Values of the formats that types of Python and pydantic are listed with. Of others there is no example."""


_BEYOND = frozenset(["contains", "dependentRequired", "dependentSchemas", "else", "if", "not", "then"])
"""Keywords whose fulfilment needs a validator."""

_NARROWING = frozenset(
    [
        *("const", "enum", "pattern", "format", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum"),
        *("exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems", "items", "prefixItems"),
        *("properties", "required", "additionalProperties", "patternProperties", "propertyNames"),
        *("minProperties", "maxProperties"),
    ]
)
"""Keywords that one schema of a branch may have: what several say together is not worked out here."""


class _NoExample(Exception):
    """Only a validator could tell what fits."""


def expected(place: Place) -> str:
    """The types of the place in words: "an integer or null"; empty if it may be anything."""
    types = place.types - {"integer"} if "number" in place.types else place.types
    words = [word for kind, word in _WORDS.items() if kind in types]
    if len(words) in {0, len(_WORDS) - 1}:
        return ""
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def example(place: Place) -> str | None:
    """A value that fits the place, as JSON; None if there is none that the schema tells, or it is long."""
    for branch, types in place.branches:
        if types == {"null"} != place.types:
            continue  # what may be left out is no example of what was meant
        try:
            text = encode(_value(place, branch, types, _MAX_DEPTH)).decode()
        except _NoExample:
            continue
        return text if len(text) <= MAX_BYTES else None
    return None


def _value(place: Place, branch: Branch, types: frozenset[str], depth: int) -> Any:
    if sum(keyword in schema for schema in branch for keyword in ("anyOf", "oneOf")) > 1:
        raise _NoExample  # of each a choice has to fit
    if sum(bool(schema.keys() & _NARROWING) for schema in branch) > 1:
        raise _NoExample
    keywords: dict[str, Any] = {}
    for schema in branch:
        keywords.update(schema)
    if keywords.keys() & _BEYOND or types == TYPES or not depth:
        raise _NoExample
    values = allowed(keywords)
    if values is not None and len(keywords.keys() & _NARROWING) > 1:
        raise _NoExample
    known = values if values is not None else [*keywords.get("examples", ()), keywords.get("default")]
    for value in known:
        if type_of(value) in types and (value is not None or values):
            return value
    if values is not None:
        raise _NoExample
    for kind, of in _OF.items():
        if kind in types:
            return of(place.only(branch, types), keywords, depth - 1)
    return None


def _first(place: Place, depth: int) -> Any:
    for branch, types in place.branches:
        return _value(place, branch, types, depth)
    raise _NoExample


def _integer(_: Place, keywords: Mapping[str, Any], __: int) -> Any:
    return _number_of(5, keywords, int)


def _number(_: Place, keywords: Mapping[str, Any], __: int) -> Any:
    return _number_of(1.5, keywords, float)


def _number_of(usual: float, keywords: Mapping[str, Any], kind: Callable[[float], Any]) -> Any:
    low = keywords.get("minimum", keywords.get("exclusiveMinimum", -math.inf))
    high = keywords.get("maximum", keywords.get("exclusiveMaximum", math.inf))
    step = keywords.get("multipleOf", 1)
    for candidate in (usual, low, low + step, high, high - step, (low + high) / 2, step, 0):
        if math.isfinite(candidate) and _is_within(kind(candidate), keywords):
            return kind(candidate)
    raise _NoExample


def _is_within(number: float, keywords: Mapping[str, Any]) -> bool:
    return (
        keywords.get("minimum", number) <= number <= keywords.get("maximum", number)
        and keywords.get("exclusiveMinimum", -math.inf) < number < keywords.get("exclusiveMaximum", math.inf)
        and math.remainder(number, keywords.get("multipleOf", number or 1)) == 0
    )


def _boolean(_: Place, __: Mapping[str, Any], ___: int) -> bool:
    return True


def _string(_: Place, keywords: Mapping[str, Any], depth: int) -> str:
    if keywords.keys() & {"pattern", "contentEncoding", "contentMediaType"}:
        raise _NoExample
    if "format" not in keywords and depth == _MAX_DEPTH - 1:
        raise _NoExample  # any text, of which an example says nothing, but for the shape of what it stands in
    text = _FORMATS.get(keywords["format"], "") if "format" in keywords else "text"[: keywords.get("maxLength", 4)]
    if not text or not keywords.get("minLength", 0) <= len(text) <= keywords.get("maxLength", len(text)):
        raise _NoExample
    return text


def _array(place: Place, keywords: Mapping[str, Any], depth: int) -> list[Any]:
    least, first = keywords.get("minItems", 0), len(keywords.get("prefixItems", ()))
    most = keywords.get("maxItems", max(least, first, 1))
    count = min(max(least, first, 1), most)
    if count > _MAX_ITEMS or (count > 1 and keywords.get("uniqueItems")):
        raise _NoExample
    return [_first(place.item(index), depth) for index in range(count)]


def _object(place: Place, keywords: Mapping[str, Any], depth: int) -> dict[str, Any]:
    names = list(keywords.get("required", ())) or list(keywords.get("properties", ()))[:1]
    if not names and isinstance(keywords.get("additionalProperties"), Mapping) and "propertyNames" not in keywords:
        names = ["name"]
    if not keywords.get("minProperties", 0) <= len(names) <= keywords.get("maxProperties", len(names)):
        raise _NoExample
    members = place.members({})
    return {name: _first(members.place(name), depth) for name in names}


_OF: Mapping[str, Callable[[Place, Mapping[str, Any], int], Any]] = {
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "string": _string,
    "array": _array,
    "object": _object,
}
