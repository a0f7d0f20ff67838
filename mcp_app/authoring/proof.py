"""Proves at definition that callers can fill what is listed: defaults, names of dicts, constraints, aliases.

Works on pydantic's core schemas, and calls no function of the author's. The JSON Schema is made elsewhere.
"""

from __future__ import annotations

import datetime
import decimal
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import CoreSchema, SchemaValidator, core_schema

from .pydantic_schema import DICTS, json_of, of_instances, without_functions
from .schema_walk import Schema, children, rewrite

_NO_NAME = frozenset(
    [
        *("none", "tuple", "list", "set", "frozenset", "deque", "dict", "ordered-dict", "frozen-dict"),
        *("counter", "model", "dataclass", "typed-dict", "named-tuple"),
    ]
)
"""Types that the name of a member of a JSON object cannot become."""

_SAMPLES: Mapping[str, Any] = {
    "int": 1,
    "float": 1.0,
    "decimal": decimal.Decimal(1),
    "bool": True,
    "str": "a",
    "bytes": b"a",
    "list": [],
    "tuple": (),
    "set": set(),
    "frozenset": frozenset(),
    "dict": {},
    "date": datetime.date(2000, 1, 1),
    "time": datetime.time(),
    "datetime": datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC),
    "timedelta": datetime.timedelta(1),
}


class Refused(Exception):
    """A type cannot be listed as it is. The message is for the author."""


def proved(schema: CoreSchema) -> CoreSchema:
    """The core schema with defaults that its types take. A default of None makes its type nullable, as people write it.

    Raises Refused.
    """
    root = cast(Schema, schema)
    definitions = {each["ref"]: each for each in root.get("definitions", ())}
    _check(root, definitions)
    return cast(CoreSchema, rewrite(schema, functools.partial(_with_default, definitions=definitions)))


def _with_default(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    if schema["type"] != "default" or "default" not in schema:
        return schema
    inner, default = schema["schema"], schema["default"]
    try:
        _validator(of_instances(inner), definitions, of_instances).validate_python(default, strict=True)
    except ValidationError:
        pass
    else:
        return schema
    if default is None:
        return {**schema, "schema": core_schema.nullable_schema(inner)}
    plain, data = without_functions(inner), json_of(default)
    if data is None:
        return schema
    try:
        value = _validator(plain, definitions, without_functions).validate_json(data, strict=True)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]["msg"]
        raise Refused(f"its default {default!r} is none of its own type: {problem}") from error
    return {**schema, "default": value} if plain == inner else schema


def _validator(
    schema: CoreSchema, definitions: Mapping[str, Schema], of: Callable[[CoreSchema], CoreSchema]
) -> SchemaValidator:
    within = core_schema.definitions_schema(schema, [of(cast(CoreSchema, each)) for each in definitions.values()])
    return SchemaValidator(within, _use_prebuilt=False)


def _check(schema: Schema, definitions: Mapping[str, Schema]) -> None:
    kind = schema["type"]
    if kind == "is-subclass":
        raise Refused("a class cannot be sent as JSON; take its name as a Literal")
    if isinstance(schema.get("validation_alias"), list):
        _check_alias(schema["validation_alias"])
    if kind in DICTS and "keys_schema" in schema:
        kinds = [leaf["type"] for leaf in _leaves(schema["keys_schema"], definitions, "json_schema")]
        if kinds and _NO_NAME.issuperset(kinds):
            raise Refused(
                f"a name in a JSON object is a string, which cannot become a {kinds[0]}; take a list of pairs"
            )
    if kind == "function-after":
        _check_constraint(schema, definitions)
    for each in children(schema):
        _check(each, definitions)


def _check_alias(choices: list[Any]) -> None:
    paths = [choices] if choices and not isinstance(choices[0], list) else choices
    if not any(len(path) == 1 for path in paths):
        raise Refused("an AliasPath cannot be listed; take a model with that field")


def _check_constraint(schema: Schema, definitions: Mapping[str, Schema]) -> None:
    """A constraint that the type does not know is a function of pydantic's, which fails at each call if it cannot apply
    (`len` of a Path)."""
    function = schema["function"]["function"]
    if not isinstance(function, functools.partial) or function.func.__module__ != "pydantic._internal._validators":
        return
    constraint = ", ".join(f"{name}={value!r}" for name, value in function.keywords.items())
    for leaf in _leaves(schema["schema"], definitions, "python_schema"):
        kind = leaf["type"]
        if kind in _SAMPLES or kind in {"enum", "literal"}:
            samples = [_SAMPLES[kind]] if kind in _SAMPLES else leaf.get("members") or leaf["expected"]
            try:
                for sample in samples:
                    function(sample)
            except TypeError as error:
                raise Refused(f"the constraint {constraint} cannot apply to {samples[0]!r}: {error}") from error
            except Exception:  # noqa: S112 - the sample breaks the constraint, so it can apply
                continue
        elif "length" in constraint and isinstance(leaf.get("cls"), type) and not hasattr(leaf["cls"], "__len__"):
            raise Refused(f"the constraint {constraint} cannot apply to a {leaf['cls'].__name__}: it has no length")


def _leaves(schema: Schema, definitions: Mapping[str, Schema], side: str) -> Iterator[Schema]:
    """The types that a value can be of after validation; `side`: of JSON or of Python values."""
    match schema["type"]:
        case "definition-ref":
            yield from _leaves(definitions[schema["schema_ref"]], {}, side) if definitions else ()
        case "json-or-python":
            yield from _leaves(schema[side], definitions, side)
        case "lax-or-strict":
            yield from _leaves(schema["strict_schema"], definitions, side)
        case "function-before" | "function-after" | "function-wrap" | "default":
            yield from _leaves(schema["schema"], definitions, side)
        case "nullable":
            yield {"type": "none"}
            yield from _leaves(schema["schema"], definitions, side)
        case "union" | "tagged-union":
            for each in children(schema):
                yield from _leaves(each, definitions, side)
        case "chain":
            yield from _leaves(schema["steps"][-1], definitions, side)
        case _:
            yield schema
