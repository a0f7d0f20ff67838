"""The JSON Schema that callers see, from pydantic's core schema: what is taken, or what is sent.

No core schema is changed here, and nothing is validated.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import JsonSchemaMode
from pydantic_core import PydanticSerializationError, core_schema

from ..protocol.event import encode
from ..protocol.json_schema import alternatives, inlined, with_subschemas
from ..protocol.metaschema import check, leads_nowhere
from ..protocol.untitled import Untitled
from .json_choices import INTEGER_NAME
from .pydantic_schema import is_authors, json_of

_NAMES: Mapping[str, Mapping[str, Any]] = {
    "integer": {"pattern": INTEGER_NAME},
    "boolean": {"enum": [False, True]},
}
"""How a name is written that is a number or a truth value in Python."""


_DECIMAL = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,9})?$"


class _Generator(Untitled):
    """Where pydantic's own generator says less, or something else, than is taken or sent."""

    def emit_warning(self, kind: Any, detail: str) -> None:
        """A default without JSON is left out, which is no news to the author."""

    def encode_default(self, dft: Any) -> Any:
        """Raises PydanticSerializationError for NaN and the infinities, which JSON lacks."""
        if json_of(dft) is None:
            raise PydanticSerializationError(f"not JSON: {dft!r}")
        return super().encode_default(dft)

    def get_decimal_pattern(self, schema: core_schema.DecimalSchema) -> str:
        """Pydantic lists any string, and has none of those that are no number."""
        return _DECIMAL

    def dict_schema(self, schema: core_schema.DictSchema) -> dict[str, Any]:
        """Names that are no strings in Python, of which pydantic says nothing."""
        listed = super().dict_schema(schema)
        if "patternProperties" in listed:  # which allow any other name
            [(pattern, values)] = listed.pop("patternProperties").items()
            listed = {**listed, "additionalProperties": values, "propertyNames": {"pattern": pattern}}
        names = self.generate_inner(schema["keys_schema"]) if "keys_schema" in schema else {}
        if names.get("type") in _NAMES:
            names = {**_NAMES[names["type"]], **names}
        if "propertyNames" not in listed and names.keys() & {"enum", "const", "pattern"}:
            listed["propertyNames"] = names
        return listed

    def model_schema(self, schema: core_schema.ModelSchema) -> dict[str, Any]:
        """Pydantic reads the class, of which the core schema may be a stricter copy."""
        listed = super().model_schema(schema)
        if schema.get("config", {}).get("extra_fields_behavior") == "forbid" and not schema.get("root_model"):
            listed.setdefault("additionalProperties", False)
        return listed

    def enum_schema(self, schema: core_schema.EnumSchema) -> dict[str, Any]:
        """Members of a Flag can be combined to values that are not listed."""
        listed = super().enum_schema(schema)
        if issubclass(schema["cls"], enum.Flag):
            del listed["enum"]
        return listed

    def ser_schema(self, schema: Any) -> dict[str, Any] | None:
        """A serializer without a return annotation may return anything."""
        listed = super().ser_schema(schema)
        if listed is None and schema["type"] in {"function-plain", "function-wrap"} and is_authors(schema["function"]):
            return {}
        return listed


def listed_schema(schema: core_schema.CoreSchema, mode: JsonSchemaMode) -> tuple[dict[str, Any], bool]:
    """(The JSON Schema, whether each `$ref` could be inlined.)

    Raises PydanticUserError for what JSON Schema cannot say, NotASchema for what an author says in no JSON Schema.
    """
    try:
        generated = _Generator(by_alias=True).generate(schema, mode=mode)
    except KeyError as error:  # raised by pydantic for a `$ref` of the author's
        raise (leads_nowhere(error.args[0]) if str(error.args[0]).startswith("#") else error) from error
    check(generated)
    completed: dict[str, Any] = _completed("", generated, generated)
    return inlined(completed)


def _completed(keyword: str, schema: Any, root: Mapping[str, Any]) -> Any:
    """The same with the keywords that clients miss: `items` of tuples, and names of properties as the strings they
    are."""
    if not isinstance(schema, Mapping):
        return schema
    if keyword == "propertyNames":
        schema = _as_texts(schema, root)
    schema = {
        name: each
        for keyword, value in schema.items()
        if keyword not in _IDENTITY
        for name, each in _comparison(keyword, value).items()
    }
    completed = with_subschemas(schema, lambda inner, subschema: _completed(inner, subschema, root))
    if completed.get("type") == "array" and "items" not in completed:
        # Only what prefixItems says can stand there (maxItems); clients that do not know prefixItems ask for items.
        kinds = list({encode(each): each for each in completed.get("prefixItems", ())}.values())
        completed["items"] = kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {}
    return completed


_IDENTITY = frozenset(["$schema", "$id"])
"""They say the default, which Genkit's validator refuses, or change what each `$ref` means."""

_COMPARISONS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "multiple_of": "multipleOf",
}
"""Pydantic's names, which it leaves in the schema of a union, and those of JSON Schema (Validation, 6.2)."""


def _comparison(keyword: str, value: Any) -> dict[str, Any]:
    if isinstance(value, float) and not math.isfinite(value):
        return {}  # the bound that nothing exceeds: JSON has no number for it
    if keyword not in _COMPARISONS:
        return {keyword: value}
    return {_COMPARISONS[keyword]: value} if type(value) in {int, float} else {}


def _as_texts(names: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    for each in alternatives(names, root):
        values = [each["const"]] if "const" in each else each.get("enum")
        if values is not None:
            return {"enum": [value if isinstance(value, str) else encode(value).decode() for value in values]}
    return {"pattern": names["pattern"]} if names.get("type") == "integer" else dict(names)
