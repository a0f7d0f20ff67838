"""What a JSON Schema says of the value at a place: which JSON types it may have, and what may stand within it.

No value is validated: that is for the tool. What cannot be read exactly (`not`, `if`, references to elsewhere) may be
anything here. One thing is read more strictly than JSON Schema does: an object whose members are listed has no others,
unless the schema says so (`additionalProperties`), as a tool's result never has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_core import SchemaError, SchemaValidator
from pydantic_core.core_schema import str_schema

from mcp_app.builtin.run_workflow.pointers import Nowhere, index, tokens, value_at

TYPES = frozenset(["array", "boolean", "integer", "null", "number", "object", "string"])

_MAX_BRANCHES = 64
"""Alternatives of one place; with more it may be anything."""

_MAX_DEPTH = 8
"""Levels of two schemas that are compared."""

_NAMES = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    type(None): "null",
}

_Parts = tuple[Mapping[str, Any], ...]
"""Schemas that all apply: one way to fit the schema."""


class Place:
    """One place of a value: a schema, and the document in which the schema's references lead somewhere.

    `types` are those that the value may have. A number may be an integer: 5.0 is one (JSON Schema Validation, 6.1.1).
    `names` are those of an object's members that are listed. `is_anything`: nothing is said of it, nor of what is
    within. What is within is read once, however often it is asked.
    """

    __slots__ = ("_branches", "_inner", "_root", "_special", "is_anything", "names", "types")

    def __init__(self, schema: Any, root: Mapping[str, Any]) -> None:
        self._root = root
        self._branches = list(_split(schema, root, frozenset()))
        self.types = frozenset[str]().union(*map(_types, self._branches))
        listed = (name for parts in self._branches for part in parts for name in part.get("properties", {}))
        self.names = list(dict.fromkeys(listed))
        self.is_anything = any(not any(part.keys() & _SAYS for part in parts) for parts in self._branches)
        self._special = _special(self._branches)
        self._inner: dict[str | int | None, Place | None] = {}

    def at(self, token: str) -> Place | None:
        """The place of a member or an item; None if there can be none."""
        if self.is_anything:
            return self
        key = self._key(token)
        if key not in self._inner:
            inner = [each for each in (_member(parts, token) for parts in self._branches) if each is not None]
            self._inner[key] = Place({"anyOf": inner}, self._root) if inner else None
        return self._inner[key]

    def _key(self, token: str) -> str | int | None:
        """The same for tokens of which nothing is said by themselves: all further items, all names that are not
        listed."""
        if self._special is None or token in self.names:
            return token
        at = index(token)
        return None if at is None else min(at, self._special)


_SAYS = frozenset(
    [
        *("type", "enum", "const", "properties", "patternProperties", "additionalProperties", "items", "prefixItems"),
        "maxItems",
    ]
)
"""Keywords that are read here, besides those by which schemas are put together."""


def _special(branches: Sequence[_Parts]) -> int | None:
    """From which index on all items are the same; None where names are told apart by patterns."""
    parts = [part for parts in branches for part in parts]
    if any("patternProperties" in part for part in parts):
        return None
    return max((max(len(part.get("prefixItems", ())), part.get("maxItems", 0)) for part in parts), default=0)


def place_of(schema: Mapping[str, Any]) -> Place:
    """The place of the value that the schema is of."""
    return Place(schema, schema)


def within(place: Place, way: Sequence[str]) -> Place | None:
    """The place to which the tokens lead; None if there can be none."""
    inner: Place | None = place
    for token in way:
        if inner is None:
            break
        inner = inner.at(token)
    return inner


class Clash(NamedTuple):
    """A place where no value can be both what is given and what is taken, with the types of both."""

    way: tuple[str, ...]
    given: frozenset[str]
    taken: frozenset[str]


def clash(source: Place, target: Place, way: tuple[str, ...] = ()) -> Clash | None:
    """The first one between what a place gives and another takes; None if all fits, as far as is known."""
    given, taken = source.types, target.types
    if not given & taken:
        return Clash(way, given, taken)
    if len(way) < _MAX_DEPTH and given == taken and len(given) == 1:
        for token in _common(source, target, next(iter(given))):
            inner, wanted = source.at(token), target.at(token)
            if inner is not None and wanted is not None and (found := clash(inner, wanted, (*way, token))):
                return found
    return None


def _common(source: Place, target: Place, kind: str) -> list[str]:
    """Members, or the first item, that both have."""
    if kind == "array":
        return ["0"]
    if kind == "object":
        return [name for name in source.names if name in target.names]
    return []


def _split(schema: Any, root: Mapping[str, Any], above: frozenset[int]) -> Iterator[_Parts]:
    """Each way to fit the schema. One that leads to itself has no more to say."""
    if schema is False or id(schema) in above:
        return
    if not isinstance(schema, Mapping):
        yield ({},)
        return
    above = above | {id(schema)}
    ways: list[_Parts] = [(schema,)]
    if isinstance(schema.get("$ref"), str):
        ways = _both(ways, list(_split(_resolved(schema["$ref"], root), root, above)))
    for each in schema.get("allOf", ()):
        ways = _both(ways, list(_split(each, root, above)))
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            ways = _both(ways, [way for each in schema[keyword] for way in _split(each, root, above)])
    yield from ways


def _both(ways: list[_Parts], others: list[_Parts]) -> list[_Parts]:
    if len(ways) * len(others) > _MAX_BRANCHES:
        return [({},)]
    return [(*way, *other) for way in ways for other in others]


def _resolved(reference: str, root: Mapping[str, Any]) -> Any:
    if not reference.startswith("#"):
        return {}
    try:
        return value_at(root, tokens(reference[1:]))
    except (ValueError, Nowhere):
        return {}


def _types(parts: _Parts) -> frozenset[str]:
    found = TYPES
    for part in parts:
        found &= _types_of(part)
    return found


def _types_of(part: Mapping[str, Any]) -> frozenset[str]:
    if "const" in part:
        return type_of(part["const"])
    if "enum" in part:
        return frozenset[str]().union(*map(type_of, part["enum"]))
    declared = part.get("type")
    if declared is None:
        return TYPES
    named = frozenset([declared] if isinstance(declared, str) else declared)
    return named | {"integer"} if "number" in named else named


def type_of(value: Any) -> frozenset[str]:
    """The JSON type of a value."""
    if isinstance(value, float) and value.is_integer():
        return frozenset(["integer"])
    return frozenset([_NAMES[type(value)]])


def _member(parts: _Parts, token: str) -> Any | None:
    """The schema of what the token leads to; None if there can be nothing."""
    kinds = _types(parts)
    ways = []
    if "object" in kinds and (found := _of_object(parts, token)) is not None:
        ways.append(found)
    if "array" in kinds and (at := index(token)) is not None and (item := _of_array(parts, at)) is not None:
        ways.append(item)
    return {"anyOf": ways} if ways else None


def _of_object(parts: _Parts, name: str) -> Any | None:
    found = [part["properties"][name] for part in parts if name in part.get("properties", {})]
    for part in parts:
        found += [each for pattern, each in part.get("patternProperties", {}).items() if _matches(pattern, name)]
    if found:
        return {"allOf": found}
    others = [part["additionalProperties"] for part in parts if "additionalProperties" in part]
    if others:
        return None if False in [each for each in others if isinstance(each, bool)] else {"allOf": others}
    return None if any("properties" in part for part in parts) else {}


def _matches(pattern: str, name: str) -> bool:
    """Whether the pattern is found in a name that the caller wrote: by Rust's engine, which no text holds up."""
    try:
        return SchemaValidator(str_schema(pattern=pattern)).isinstance_python(name)
    except SchemaError:  # of another dialect
        return True


def _of_array(parts: _Parts, at: int) -> Any | None:
    found = []
    for part in parts:
        first = part.get("prefixItems", ())
        if at >= part.get("maxItems", at + 1):
            return None
        if at < len(first):
            found.append(first[at])
        elif part.get("items") is False:
            return None
        elif "items" in part:
            found.append(part["items"])
    return {"allOf": found}
