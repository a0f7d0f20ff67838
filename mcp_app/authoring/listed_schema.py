"""The JSON Schema that callers see, from pydantic's core schema: what is taken, or what is sent.

No core schema is changed here, and nothing is validated.
"""

from __future__ import annotations

import enum
import functools
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from pydantic.json_schema import JsonSchemaMode
from pydantic_core import PydanticSerializationError, core_schema

from ..protocol.event import encode
from ..protocol.json_schema import allowed, inlined, resolve, with_subschemas
from ..protocol.metaschema import check, leads_nowhere
from ..protocol.untitled import Untitled
from .json_choices import INTEGER_NAME, NUMBER_NAME, name_of
from .pydantic_schema import is_authors, json_of

_MAX_BITS = 8
"""Of a Flag, or of bounds of integers, whose values are enumerated: 256 are as many as can be read."""

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
        if "propertyNames" not in listed and "keys_schema" in schema:
            listed["propertyNames"] = self.generate_inner(schema["keys_schema"])
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
        if not issubclass(schema["cls"], enum.Flag):
            return listed
        bits = functools.reduce(operator.or_, (member.value for member in schema["members"]), 0)
        if schema["cls"]._boundary_ is not enum.STRICT:
            del listed["enum"]
        elif bits & (bits + 1) == 0:
            del listed["enum"]
            listed.update(minimum=0, maximum=bits)
        elif bits.bit_count() <= _MAX_BITS:
            single = [1 << at for at in range(bits.bit_length()) if bits >> at & 1]
            listed["enum"] = functools.reduce(lambda some, bit: [*some, *(each | bit for each in some)], single, [0])
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
    completed: dict[str, Any] = _completed("", generated, generated, mode)
    return inlined(completed)


def _completed(keyword: str, schema: Any, root: Mapping[str, Any], mode: JsonSchemaMode) -> Any:
    """The same with the keywords that clients miss: `items` of tuples, and names of properties as the strings they
    are."""
    if not isinstance(schema, Mapping):
        return schema
    if keyword == "propertyNames":
        return _as_texts(schema, root, mode)
    schema = {
        name: each
        for keyword, value in schema.items()
        if keyword not in _IDENTITY
        for name, each in _comparison(keyword, value).items()
    }
    completed = with_subschemas(schema, lambda inner, subschema: _completed(inner, subschema, root, mode))
    if completed.get("propertyNames") == {}:
        del completed["propertyNames"]
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


def _as_texts(names: Any, root: Mapping[str, Any], mode: JsonSchemaMode) -> Any:
    """The schema of names, which says of what type they are in Python, as that of the strings that they are. Any string
    is `{}`; what no string can be is False."""
    if not isinstance(names, Mapping):
        return names
    target = resolve(names["$ref"], root) if "$ref" in names else None
    if isinstance(target, Mapping):
        return _as_texts(target, root, mode)
    names = {keyword: value for keyword, value in names.items() if keyword not in {"title", "description", "default"}}
    for keyword in ("anyOf", "oneOf"):
        if keyword in names:
            choices = [_as_texts(each, root, mode) for each in names[keyword]]
            some = [each for each in choices if each is not False]
            if {} in some:
                return {}
            return {"anyOf": some} if len(some) > 1 else some[0] if some else False
    if (values := allowed(names)) is not None:
        return {"enum": [name_of(value) for value in values]}
    if names.get("type") == "null":  # no name becomes None, which is written as a name all the same
        return {"enum": [name_of(None)]} if mode == "serialization" else False
    written = _WRITTEN.get(names.get("type", ""))
    return (
        {keyword: value for keyword, value in names.items() if keyword != "type"} if written is None else written(names)
    )


def _integers(names: Mapping[str, Any]) -> dict[str, Any]:
    least, most = names.get("minimum"), names.get("maximum")
    if isinstance(least, int) and isinstance(most, int) and 0 <= most - least < 2**_MAX_BITS:
        return {"enum": [name_of(value) for value in range(least, most + 1)]}
    return {"pattern": INTEGER_NAME}


_WRITTEN: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "integer": _integers,
    "number": lambda _: {"pattern": NUMBER_NAME},
    "boolean": lambda _: {"enum": ["false", "true"]},
    "array": lambda _: False,
    "object": lambda _: False,
}
"""How names are written that are no strings in Python."""
