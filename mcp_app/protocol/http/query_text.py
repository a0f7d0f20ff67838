"""Decoding query strings by a tool's JSON Schema, where pydantic alone cannot decide.

Pydantic parses a number, a boolean or a date from text. The schema decides here whether a name that occurs once is a
list of one item, and which non-string constant or enum value a text such as `1` stands for. Nothing is validated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InvalidRequest
from ..event import encode
from ..json_schema import Schema, allowed, alternatives
from . import strict_json


def lists(schema: Schema) -> frozenset[str]:
    """The parameters of an input schema that take arrays: a name that occurs once is then a list of one item."""
    return frozenset(
        name
        for name, parameter in schema.get("properties", {}).items()
        if any(each.get("type") == "array" for each in alternatives(parameter, schema))
    )


def choices(schema: Schema) -> Mapping[str, Mapping[str, Any]]:
    """For each parameter, its non-string constants and enum values by their JSON text: `{"level": {"1": 1, "2": 2}}`.

    Parameters that accept any string, or have no enumerated values, are left out: their texts are taken literally.
    """
    found = {name: _choices(parameter, schema) for name, parameter in schema.get("properties", {}).items()}
    return {name: values for name, values in found.items() if values}


def _choices(parameter: Schema, root: Schema) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for each in alternatives(parameter, root):
        for item in [each, *alternatives(each.get("items", {}), root)]:
            listed = allowed(item)
            if listed is None and item.get("type") == "string":
                return {}
            values.update({encode(value).decode(): value for value in listed or () if not isinstance(value, str)})
    return values


def parsed(text: str) -> Any:
    """The text parsed as a JSON array or object; None if it is neither."""
    if text[:1] not in {"[", "{"}:
        return None
    try:
        return strict_json.loads(text.encode())
    except (InvalidRequest, UnicodeEncodeError):
        return None


def in_json(texts: Mapping[str, list[str]], lists: frozenset[str]) -> dict[str, Any]:
    """The parameters whose texts are JSON arrays or objects, parsed. `lists` take arrays."""
    found: dict[str, Any] = {}
    for name, items in texts.items():
        values = [parsed(text) for text in items]
        if None not in values:
            alone = len(values) == 1 and (name not in lists or isinstance(values[0], list))
            found[name] = values[0] if alone else values
    return found
