"""What a JSON Schema allows at one place of a value: its JSON types, and the places within it.

Where the schema cannot be read exactly (`not`, `if`, several choices) more is allowed here than there, never less. No
value is validated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .event import encode
from .json_schema import TYPES, Schema, allowed, resolve
from .patterns import may_match

Branch = tuple[Schema, ...]
"""Schemas that all apply: one way to fit the schema of a place."""


def type_of(value: Any) -> str:
    """The JSON type of a value; "number" is one with a fraction: 5.0 is an integer (JSON Schema Validation, 6.1.1)."""
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    return _TYPE_NAMES[type(value)]


_TYPE_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", type(None): "null"}


class Place:
    """One place of a value. `schemas` are alternatives: what stands there has to fit one of them.

    `types` are those that it may have, as `type_of` names them.
    """

    __slots__ = ("_memo", "_root", "branches", "types")

    def __init__(
        self, schemas: Iterable[object], root: Schema, memo: dict[tuple[int, ...], Place] | None = None
    ) -> None:
        self._root = root
        self._memo: dict[tuple[int, ...], Place] = {} if memo is None else memo
        branches = [branch for schema in schemas for branch in _branches(schema, root, set())]
        self.branches: Sequence[tuple[Branch, frozenset[str]]] = [
            (branch, types) for branch in branches if (types := _types(branch))
        ]
        self.types = frozenset[str]().union(*(types for _, types in self.branches))

    def members(self, value: Mapping[str, Any]) -> Members:
        """The places of an object's members."""
        branches = self._branches("object")
        possible = [branch for branch in branches if _is_possible(branch, value)]
        return Members(self, possible or branches)

    def item(self, index: int) -> Place:
        """The place of an array's item."""
        return self.of(schema for branch in self._branches("array") for schema in _items(branch, index))

    @property
    def uniform(self) -> bool:
        """Whether all items of an array have the same place."""
        return not any("prefixItems" in schema for branch in self._branches("array") for schema in branch)

    def of(self, schemas: Iterable[object]) -> Place:
        """A place within; the same for the same schemas, as for all items of a list."""
        distinct = {id(schema): schema for schema in schemas}
        key = tuple(distinct)
        if key not in self._memo:
            self._memo[key] = Place(distinct.values(), self._root, self._memo)
        return self._memo[key]

    def only(self, branch: Branch, types: frozenset[str]) -> Place:
        """The same place, of which only that branch applies."""
        narrowed = Place((), self._root, self._memo)
        narrowed.branches, narrowed.types = [(branch, types)], types
        return narrowed

    def _branches(self, kind: str) -> list[Branch]:
        return [branch for branch, types in self.branches if kind in types]


class Members:
    """The members of an object at a place."""

    __slots__ = ("_branches", "_place", "required")

    def __init__(self, place: Place, branches: Sequence[Branch]) -> None:
        self._place = place
        self._branches = branches
        self.required = frozenset(
            name for branch in branches for schema in branch for name in schema.get("required", ())
        )

    def place(self, name: str) -> Place:
        return self._place.of(schema for branch in self._branches for schema in _of_member(branch, name))


def _parts(schema: object, root: Schema, visited: set[int]) -> Iterator[Schema]:
    """The schema and those that apply with it. A schema that refers to itself has no more to say."""
    if not isinstance(schema, Mapping):
        yield {"type": []} if schema is False else {}  # what cannot be resolved may be anything
        return
    if id(schema) in visited:
        return
    visited.add(id(schema))
    yield schema
    if isinstance(schema.get("$ref"), str):
        yield from _parts(resolve(schema["$ref"], root), root, visited)
    for each in schema.get("allOf", ()):
        yield from _parts(each, root, visited)


def _branches(schema: object, root: Schema, visited: set[int]) -> Iterator[Branch]:
    parts = tuple(_parts(schema, root, set()))
    choices = [choice for part in parts for keyword in ("anyOf", "oneOf") for choice in part.get(keyword, ())]
    if not choices:
        yield parts
    for choice in choices:
        if id(choice) not in visited:
            visited.add(id(choice))
            for branch in _branches(choice, root, visited):
                yield (*parts, *branch)


def _types(branch: Branch) -> frozenset[str]:
    return TYPES.intersection(*map(_own_types, branch))


def _own_types(schema: Schema) -> frozenset[str]:
    named = schema.get("type", TYPES)
    types = frozenset([named] if isinstance(named, str) else named)
    if "number" in types:
        types |= {"integer"}
    values = allowed(schema)
    if values is not None:
        types &= set(map(type_of, values))
    return types


def _is_possible(branch: Branch, value: Mapping[str, Any]) -> bool:
    """Whether an object may fit the branch once its members are right: it has the names, and the constants."""
    return all(_names_fit(schema, value) and _constants_fit(schema, value) for schema in branch)


def _names_fit(schema: Schema, value: Mapping[str, Any]) -> bool:
    if not value.keys() >= set(schema.get("required", ())):
        return False
    closed = schema.get("additionalProperties") is False and "patternProperties" not in schema
    return not closed or value.keys() <= schema.get("properties", {}).keys()


def _constants_fit(schema: Schema, value: Mapping[str, Any]) -> bool:
    for name, member in schema.get("properties", {}).items():
        values = allowed(member) if name in value and isinstance(member, Mapping) else None
        if values is not None and not any(_may_be(value[name], each) for each in values):
            return False
    return True


def _may_be(value: Any, constant: Any) -> bool:
    return bool(value == constant) or (isinstance(value, str) and value.encode() == encode(constant))


def _of_member(branch: Branch, name: str) -> Iterator[object]:
    found = False
    for schema in branch:
        properties = schema.get("properties", {})
        patterns = schema.get("patternProperties", {})
        matching = [each for pattern, each in patterns.items() if may_match(pattern, name)]
        if name in properties:
            matching.append(properties[name])
        if not matching and "additionalProperties" in schema:
            matching.append(schema["additionalProperties"])
        found = found or bool(matching)
        yield from matching
    if not found:
        yield True


def _items(branch: Branch, index: int) -> Iterator[object]:
    found = False
    for schema in branch:
        first = schema.get("prefixItems", ())
        if index < len(first):
            found = True
            yield first[index]
        elif "items" in schema:
            found = True
            yield schema["items"]
    if not found:
        yield True
