"""Walks pydantic's core schemas: dicts within dicts, whose keys say what is a schema and what is data.

What is changed on the way is the caller's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Schema = dict[str, Any]

# The keys of a core schema whose values are core schemas, lists of them, or mappings to them. A choice of a union may
# be a tuple of a schema and its label. The values of all other keys are data.
_CHILDREN = frozenset(
    [
        *("schema", "items_schema", "keys_schema", "values_schema", "extras_schema", "json_schema"),
        *("python_schema", "lax_schema", "strict_schema", "arguments_schema", "choices", "fields"),
        *("definitions", "steps"),
    ]
)


def children(schema: Schema) -> Iterator[Schema]:
    """The direct subschemas."""
    for key, value in schema.items():
        if key not in _CHILDREN:
            continue
        if isinstance(value, dict):
            yield from [value] if _is_schema(value) else filter(_is_schema, value.values())
        elif isinstance(value, list):
            yield from filter(_is_schema, (each[0] if isinstance(each, tuple) else each for each in value))


def anywhere(schema: Any, found: Callable[[Schema], bool]) -> bool:
    """Whether the schema or a subschema is one that is looked for."""
    return found(schema) or any(anywhere(each, found) for each in children(schema))


def fields(schema: Schema, cls: type = object) -> Iterator[tuple[type, str, Schema]]:
    """(The class, the field's name, the field) of each field of the outermost classes."""
    cls = schema["cls"] if isinstance(schema.get("cls"), type) else cls
    of_class = schema.get("fields", ())
    pairs = of_class.items() if isinstance(of_class, dict) else ((each["name"], each) for each in _schemas(of_class))
    found = [(cls, name, field) for name, field in pairs]
    yield from found
    if not found:
        for each in children(schema):
            yield from fields(each, cls)


def _schemas(values: Any) -> Iterator[Schema]:
    return filter(_is_schema, values)


def _is_schema(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("type"), str)


def rewrite(
    schema: Any, change: Callable[[Schema], Schema], keep: Callable[[Schema], Schema | None] | None = None
) -> Any:
    """A copy with `change` applied to each subschema, innermost first.

    `keep` may give what stands for a subschema, which is then not looked into.
    """
    if isinstance(schema, tuple):
        return (rewrite(schema[0], change, keep), *schema[1:])
    if isinstance(schema, list):
        return [rewrite(each, change, keep) for each in schema]
    if not isinstance(schema, dict):
        return schema  # a tag of a union that refers to another tag
    if not _is_schema(schema):
        return {name: rewrite(each, change, keep) for name, each in schema.items()}
    kept = keep(schema) if keep is not None else None
    if kept is not None:
        return kept
    return change({key: rewrite(value, change, keep) if key in _CHILDREN else value for key, value in schema.items()})


def instead(schema: Schema, inner: Schema) -> Schema:
    """`inner` in the place of `schema`, under the name by which others refer to it."""
    return {**inner, "ref": schema["ref"]} if "ref" in schema else inner
