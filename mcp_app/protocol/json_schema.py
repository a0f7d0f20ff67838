"""JSON Schema 2020-12: the alternatives of a schema, its values, its subschemas, and the same schema without `$defs`.

Nothing is validated and no schema is generated here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

TYPES = frozenset(["array", "boolean", "integer", "null", "number", "object", "string"])

MAX_INLINED_BYTES = 256 * 1024
"""A schema that is larger without `$defs` keeps them: definitions that are used in definitions can double its size with
each level. It is far more than any model reads, and a few such tools still fit into one page of `tools/list`."""

_MAX_NODES = MAX_INLINED_BYTES // 2
"""Inlining stops after so many subschemas: each takes two bytes at least."""

_PREFIX = "#/$defs/"

# Keywords that apply subschemas (JSON Schema Core, 10): one, a list of them, or one for each name. The values of all
# others (`default`, `enum`, `examples`, …) are data, whatever they look like.
ONE = frozenset(
    [
        *("additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then"),
        *("unevaluatedItems", "unevaluatedProperties"),
    ]
)
LIST = frozenset(["allOf", "anyOf", "oneOf", "prefixItems"])
BY_NAME = frozenset(["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"])

# Keywords that only describe (JSON Schema Validation, 9): beside a `$ref` they replace those of what it refers to.
_ANNOTATIONS = frozenset(
    [
        *("default", "deprecated", "description", "examples", "format", "readOnly", "title", "writeOnly"),
        *("x-mcp-header",),
    ]
)


def alternatives(schema: object, root: Schema) -> Iterator[Schema]:
    """The schema itself, and every schema reachable from it through `$ref`, `anyOf`, `oneOf` and `allOf`.

    Each `$ref` is resolved once, so a recursive definition terminates. `true`, `false` and anything that is not an
    object yield no alternatives.
    """
    return _alternatives(schema, root, set())


def _alternatives(schema: object, root: Schema, visited: set[str]) -> Iterator[Schema]:
    if not isinstance(schema, Mapping):
        return
    yield schema
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference not in visited:
        visited.add(reference)
        yield from _alternatives(resolve(reference, root), root, visited)
    for keyword in ("anyOf", "oneOf", "allOf"):
        choices = schema.get(keyword)
        for choice in choices if isinstance(choices, list) else ():
            yield from _alternatives(choice, root, visited)


def allowed(schema: Schema) -> Sequence[Any] | None:
    """The values of a constant or an enumeration; None if it is neither."""
    return [schema["const"]] if "const" in schema else schema.get("enum")


def with_subschemas(schema: Schema, change: Callable[[str, Any], Any]) -> dict[str, Any]:
    """A copy of the schema with each of its direct subschemas replaced by `change(keyword, subschema)`."""
    copy: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in ONE:
            copy[keyword] = change(keyword, value)
        elif keyword in LIST and isinstance(value, list):
            copy[keyword] = [change(keyword, each) for each in value]
        elif keyword in BY_NAME and isinstance(value, Mapping):
            copy[keyword] = {name: change(keyword, each) for name, each in value.items()}
        else:
            copy[keyword] = value
    return copy


def inlined(schema: Schema) -> tuple[dict[str, Any], bool]:
    """(The same schema with each `$ref` to `$defs` replaced by what it refers to, whether that was possible.)

    Many clients lose `$defs`. A definition that contains itself keeps its `$ref`, except at the root, whose `type` must
    be seen. What stands beside a `$ref` applies as before. Impossible is what would exceed `MAX_INLINED_BYTES`: then
    only the root is inlined.
    """
    definitions: Mapping[str, Any] = schema.get("$defs", {})
    inliner = _Inliner(definitions)
    root = {keyword: value for keyword, value in schema.items() if keyword != "$defs"}
    try:
        copy: dict[str, Any] = inliner.copy("", _at_root(root, definitions))
        kept = {name: inliner.copy("", definitions[name]) for name in inliner.recursive_in_use(copy)}
    except _TooLarge:
        return {**_at_root(root, definitions), "$defs": dict(definitions)}, False
    if kept:
        copy["$defs"] = kept
    if len(json.dumps(copy, separators=(",", ":"))) > MAX_INLINED_BYTES:
        return {**_at_root(root, definitions), "$defs": dict(definitions)}, False
    return copy, True


class _TooLarge(Exception):
    """The schema has too many subschemas to be inlined."""


class _Inliner:
    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._recursive = {name for name in definitions if name in _reachable(definitions[name], definitions)}
        self._nodes = 0

    def copy(self, _: str, schema: Any) -> Any:
        if not isinstance(schema, Mapping):
            return schema
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise _TooLarge
        name = _name(schema)
        if name in self._definitions and name not in self._recursive:
            return self.copy("", merged(schema, self._definitions[name]))
        # A discriminator maps values to references, which are no more; `const` in each choice says the same.
        return with_subschemas({k: v for k, v in schema.items() if k != "discriminator"}, self.copy)

    def recursive_in_use(self, schema: Schema) -> list[str]:
        """The definitions that the inlined schema still refers to, in their order."""
        used = _reachable(schema, self._definitions) & self._recursive
        return [name for name in self._definitions if name in used]


def _at_root(schema: Schema, definitions: Mapping[str, Any]) -> Schema:
    visited: set[str] = set()
    while (name := _name(schema)) in definitions and name not in visited:
        visited.add(name)
        schema = merged(schema, definitions[name])
    return schema


def merged(schema: Schema, target: Schema) -> Schema:
    """What a `$ref` refers to, with what stands beside the `$ref`."""
    beside = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
    if all(keyword in _ANNOTATIONS or keyword not in target for keyword in beside):
        return {**target, **beside}
    return {**beside, "allOf": [*beside.get("allOf", ()), target]}


def _reachable(schema: object, definitions: Mapping[str, Any]) -> set[str]:
    """The names of all definitions that the schema refers to, directly or through others."""
    found: set[str] = set()
    waiting = [schema]

    def look(_: str, subschema: Any) -> Any:
        waiting.append(subschema)
        return subschema

    while waiting:
        each = waiting.pop()
        if not isinstance(each, Mapping):
            continue
        name = _name(each)
        if name in definitions and name not in found:
            found.add(name)
            waiting.append(definitions[name])
        with_subschemas(each, look)
    return found


def _name(schema: Schema) -> str:
    """The name of the definition that the schema refers to; empty if there is none."""
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith(_PREFIX):
        return ""
    return reference.removeprefix(_PREFIX).replace("~1", "/").replace("~0", "~")


def resolve(reference: str, root: Schema) -> object:
    """The definition that a `$ref` names; None for one that is not in `$defs`."""
    definitions = root.get("$defs")
    return definitions.get(_name({"$ref": reference})) if isinstance(definitions, Mapping) else None
