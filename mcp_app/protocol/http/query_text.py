"""What the texts of a query mean for a tool, as far as its JSON Schema says it and pydantic does not.

Pydantic reads a number, a boolean or a date out of a text. Whether a name that stands once is a list of one, and which
of a few values of another type than text is meant by `1`, is read from the schema here. Nothing is validated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..event import encode
from ..json_schema import Schema, alternatives


def lists(schema: Schema) -> frozenset[str]:
    """The parameters of an input schema for which a repeated name is a list, and a single one a list of one."""
    return frozenset(
        name
        for name, parameter in schema.get("properties", {}).items()
        if any(each.get("type") == "array" for each in alternatives(parameter, schema))
    )


def choices(schema: Schema) -> Mapping[str, Mapping[str, Any]]:
    """By parameter, the values it can have by how they are written: `{"level": {"1": 1, "2": 2}}`.

    Parameters that take any text, or no few values at all, are left out: for them a text is what it says.
    """
    found = {name: _choices(parameter, schema) for name, parameter in schema.get("properties", {}).items()}
    return {name: values for name, values in found.items() if values}


def _choices(parameter: Schema, root: Schema) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for each in alternatives(parameter, root):
        for item in [each, *alternatives(each.get("items", {}), root)]:
            allowed = [item["const"]] if "const" in item else item.get("enum")
            if allowed is None and item.get("type") == "string":
                return {}
            values.update({encode(value).decode(): value for value in allowed or () if not isinstance(value, str)})
    return values
