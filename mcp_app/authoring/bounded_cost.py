"""What validating a call may cost: whatever a caller sends, the event loop has it back within a few tenths of a second.

A megabyte of JSON is half a million items, each of which can be wrong in several ways, and a union that contains itself
tries each of its choices again at each level. Patterns are in `slow_patterns.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import CoreSchema, PydanticCustomError, SchemaValidator

from .proof import proved
from .pydantic_schema import for_json, without_extras
from .schema_walk import Schema, children, rewrite

LARGE_BYTES = 16 * 1024
"""Of the parameters as JSON. Above it a list is left at its first wrong item: 600,000 errors take two seconds."""

MAX_TRIES = 200_000
"""Choices of recursive unions tried in one call: about a microsecond each."""

_ARRAYS = frozenset(["list", "tuple", "set", "frozenset"])


@lru_cache(maxsize=256)
def failing_fast(model: type[BaseModel]) -> SchemaValidator:
    """The validator of a function's parameters that leaves each array at its first wrong item."""
    schema = proved(without_extras(for_json(model.__pydantic_core_schema__)))
    return SchemaValidator(cast(CoreSchema, rewrite(schema, _failing_fast)), _use_prebuilt=False)


def _failing_fast(schema: Schema) -> Schema:
    return {**schema, "fail_fast": True} if schema["type"] in _ARRAYS else schema


@dataclass(frozen=True, slots=True)
class Branching:
    """A union that contains itself: so many of its choices do, and each is tried at each level of objects, or of
    arrays, before it is known which is meant. A union with a discriminator is none."""

    choices: int
    objects: bool
    arrays: bool

    def check(self, params: Mapping[str, Any]) -> None:
        """Raises ValidationError for a value whose levels would be tried too often."""
        left = MAX_TRIES
        waiting: list[tuple[Any, int]] = [(params, 1)]
        while waiting:
            value, ways = waiting.pop()
            inner: Iterable[Any]
            if isinstance(value, Mapping):
                inner, counted = value.values(), self.objects
            elif isinstance(value, list):
                inner, counted = value, self.arrays
            else:
                continue
            left -= ways
            if left < 0:
                raise ValidationError.from_exception_data("nesting", [{"type": _TOO_DEEP, "loc": (), "input": None}])
            within = ways * self.choices if counted else ways
            waiting += [(each, within) for each in inner if isinstance(each, dict | list)]


_TOO_DEEP = PydanticCustomError(
    "too_deep", "It nests too deep for a type with several choices at each level: send it in parts, or flatter"
)


def branching_of(schema: CoreSchema) -> Branching | None:
    """The worst of a schema's unions that contain themselves; None if there is none with two such choices."""
    root = cast(Schema, schema)
    definitions = {each["ref"]: each for each in root.get("definitions", ())}
    if not definitions:
        return None  # only what has a name can contain itself
    found = [each for each in _unions(root) if id(each) in _within(each, definitions)]
    ways = [list(_recursive(each, id(each), definitions)) for each in found]
    worst = max(ways, key=len, default=[])
    if len(worst) < 2:
        return None
    kinds = {kind for each in ways for kind in each}
    return Branching(len(worst), objects=bool(kinds - _ARRAYS), arrays=bool(kinds & _ARRAYS))


def _unions(schema: Schema) -> Iterator[Schema]:
    if schema["type"] == "union":
        yield schema
    for each in children(schema):
        yield from _unions(each)


def _recursive(schema: Schema, union: int, definitions: Mapping[str, Schema]) -> Iterator[str]:
    """The types of the choices, also of unions directly within, that contain the union."""
    for choice in children(schema):
        inner = choice
        passed: set[int] = set()
        while inner["type"] not in _CONTAINERS and id(inner) not in passed:  # nullable, a function around it, a name
            passed.add(id(inner))
            named = inner["type"] == "definition-ref"
            inner = definitions[inner["schema_ref"]] if named else next(children(inner), inner)
        if inner["type"] == "union" and id(inner) != union:
            yield from _recursive(inner, union, definitions)
        elif union in _within(inner, definitions):
            yield inner["type"]


_CONTAINERS = frozenset([*_ARRAYS, "dict", "model", "dataclass", "typed-dict", "union"])


def _within(schema: Schema, definitions: Mapping[str, Schema]) -> set[int]:
    """The schemas within this one, by their identity: itself, too, if it contains itself."""
    found: set[int] = set()
    waiting = list(children(schema))
    if schema["type"] == "definition-ref":
        waiting.append(definitions[schema["schema_ref"]])
    while waiting:
        each = waiting.pop()
        if id(each) in found:
            continue
        found.add(id(each))
        waiting += children(each)
        if each["type"] == "definition-ref":
            waiting.append(definitions[each["schema_ref"]])
    return found
