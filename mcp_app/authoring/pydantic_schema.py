"""Rewrites pydantic's core schemas: what JSON cannot fill becomes fillable, what is lazy a list, floats finite.

One core schema then makes the validator and the listed JSON Schema. Nothing is proved (proof.py does that), and no JSON
Schema is made here.
"""

from __future__ import annotations

import functools
import json
import sys
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any, cast

from pydantic.types import EncodedBytes, EncodedStr
from pydantic_core import CoreSchema, PydanticCustomError, PydanticSerializationError, core_schema, to_jsonable_python

from .json_choices import chosen_by_json, name_of_dict
from .schema_walk import Schema, anywhere, children, instead, rewrite

DICTS = frozenset(["dict", "ordered-dict", "frozen-dict", "counter"])

FUNCTIONS = frozenset(["function-before", "function-after", "function-wrap", "function-plain"])


def json_of(value: Any) -> bytes | None:
    """The value as JSON; None if JSON lacks it, as it does NaN and the infinities."""
    try:
        return json.dumps(to_jsonable_python(value), allow_nan=False).encode()
    except (PydanticSerializationError, ValueError, RecursionError):
        return None


def without_extras(schema: CoreSchema) -> CoreSchema:
    """The core schema whose models, dataclasses and typed dicts refuse names that they have no field for, unless their
    author said what such names mean (`extra=`)."""
    return cast(CoreSchema, rewrite(schema, _without_extras))


def _without_extras(schema: Schema) -> Schema:
    config = schema.get("config", {})
    if schema["type"] not in {"model", "dataclass", "typed-dict"} or "extra_fields_behavior" in config:
        return schema
    closed = {**schema, "config": {**config, "extra_fields_behavior": "forbid"}}
    return {**closed, "extra_behavior": "forbid"} if schema["type"] == "typed-dict" else closed


def is_authors(function: Any) -> bool:
    """Whether a function in a core schema was written by an author, not by pydantic or the standard library."""
    if isinstance(getattr(function, "__self__", None), EncodedBytes | EncodedStr):
        return True  # Base64 and the like decode what comes in, as an author's function would
    return not is_pydantics(function) and _module(function).partition(".")[0] not in sys.stdlib_module_names


def is_pydantics(function: Any) -> bool:
    """Whether a function in a core schema is one of pydantic's, or of this package's."""
    module = _module(function)
    return module.rpartition(".")[0] == __package__ or module.partition(".")[0] in {"pydantic", "pydantic_core"}


def _module(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__module__", None) or "")


def for_json(schema: CoreSchema) -> CoreSchema:
    """The core schema of what JSON can say.

    Floats are finite (RFC 8259, 6: no schema can promise NaN). An `Iterable`, which pydantic reads lazily and once, is
    a list. Enumerations and constants that are no JSON values are chosen by the JSON they are listed as; as names of a
    dict by the strings they are written as.
    """
    definitions = {each["ref"]: each for each in cast(Schema, schema).get("definitions", ())}

    def with_names(inner: Schema) -> Schema | None:
        if inner["type"] not in DICTS or "keys_schema" not in inner:
            return None
        names = rewrite(inner["keys_schema"], functools.partial(name_of_dict, definitions=definitions))
        rest = {key: rewrite(inner[key], _for_json, with_names) for key in ("values_schema",) if key in inner}
        return {**inner, "keys_schema": names, **rest}

    return cast(CoreSchema, rewrite(schema, _for_json, with_names))


def _for_json(schema: Schema) -> Schema:
    match schema["type"]:
        case "float":
            return {**schema, "allow_inf_nan": False}
        case "generator":
            return {**schema, "type": "list"}
        case "literal" | "enum":
            return chosen_by_json(schema)
        case "tagged-union":
            values = {tag.value: choice for tag, choice in schema["choices"].items() if isinstance(tag, Enum)}
            return {**schema, "choices": {**values, **schema["choices"]}}
        case _:
            return schema


def without_functions(schema: CoreSchema) -> CoreSchema:
    """The core schema without the validators that an author wrote."""
    return cast(CoreSchema, rewrite(schema, _without_function))


def _without_function(schema: Schema) -> Schema:
    kind = schema["type"]
    if kind not in FUNCTIONS or not is_authors(schema["function"]["function"]):
        return schema
    return instead(schema, {"type": "any"} if kind == "function-plain" else schema["schema"])


def for_results(schema: CoreSchema) -> CoreSchema:
    """The core schema that makes a result of what a function returned.

    Validators that an author wrote are for what comes in: they do not run again on a result. Only a dict that becomes
    a model or a dataclass passes those of its class. Instances stay as they are: `of_instances` checks what is in them.
    """
    return cast(CoreSchema, rewrite(schema, _without_function, _class_of_results))


def _class_of_results(schema: Schema) -> Schema | None:
    inner = schema
    while inner["type"] in FUNCTIONS and "schema" in inner:
        inner = inner["schema"]
    if inner["type"] not in {"model", "dataclass"}:
        return None
    if inner is schema:
        return schema
    cls = inner["cls"]
    own = cast(CoreSchema, {key: value for key, value in schema.items() if key != "ref"})

    def unless_instance(value: Any, validate: Callable[[Any], Any]) -> Any:
        return value if isinstance(value, cls) else validate(value)

    return instead(schema, cast(Schema, core_schema.no_info_wrap_validator_function(unless_instance, own)))


def for_writing(schema: CoreSchema) -> CoreSchema:
    """The core schema to serialise by. Of a union the first choice that a value may be of writes it, and names of
    a dict that are integers write True as `True`: dicts whose names are booleans go first."""
    return cast(CoreSchema, rewrite(schema, _booleans_first))


def _booleans_first(schema: Schema) -> Schema:
    if schema["type"] != "union":
        return schema
    choices = sorted(schema["choices"], key=lambda each: not anywhere(_choice(each), _has_boolean_names))
    return {**schema, "choices": choices}


def _choice(choice: Any) -> Schema:
    """Without its label."""
    schema: Schema = choice[0] if isinstance(choice, tuple) else choice
    return schema


def _has_boolean_names(schema: Schema) -> bool:
    return schema["type"] in DICTS and anywhere(schema.get("keys_schema", {"type": "any"}), _is_boolean)


def _is_boolean(schema: Schema) -> bool:
    kind: str = schema["type"]
    return kind == "bool"


def of_instances(schema: CoreSchema) -> CoreSchema:
    """The core schema that checks what is in instances of models and dataclasses: no function of theirs is called, and
    a field is known by its attribute."""
    return cast(CoreSchema, rewrite(without_functions(schema), _of_instance))


def of_serialised(schema: CoreSchema) -> CoreSchema:
    """The same of what is serialised: what goes through an author's serializer may be anything but an instance of
    another class in the schema, which would be a choice of the same union and is checked as such."""
    classes = _classes(cast(Schema, schema))

    def serialised(inner: Schema) -> Schema:
        serialization = inner.get("serialization", {})
        if "function" not in serialization or is_pydantics(serialization["function"]):
            return inner
        others = tuple(classes - _classes(inner))

        def no_other(value: Any) -> Any:
            if isinstance(value, others):
                raise PydanticCustomError("other_class", "Input should be valid as its own class")
            return value

        anything = core_schema.no_info_before_validator_function(no_other, core_schema.any_schema())
        return instead(inner, cast(Schema, anything))

    return of_instances(cast(CoreSchema, rewrite(schema, serialised)))


def _classes(schema: Schema) -> frozenset[type]:
    own = [schema["cls"]] if schema["type"] in {"model", "dataclass"} else []
    return frozenset(own).union(*map(_classes, children(schema)))


_TEXTS_AND_NUMBERS = ["str", "bytes", "url", "multi-host-url", "int", "float", "bool", "decimal", "complex"]
_TIMES = ["date", "time", "datetime", "timedelta"]
_CONVERTED = frozenset([*_TEXTS_AND_NUMBERS, *_TIMES, "uuid", "enum", "lax-or-strict"])
"""Schemas that take a value of another type for theirs. What is in an instance is sent as it is: a number in the place
of a date is a number."""


def _array(value: Any) -> Any:
    """Pydantic takes what can be iterated for an array: an instance of a model, too, which is sent as an object."""
    if not isinstance(value, list | tuple | set | frozenset | deque):
        raise PydanticCustomError("array_type", "Input should be a valid array")
    return value


def _of_instance(schema: Schema) -> Schema:
    schema = {key: value for key, value in schema.items() if key not in {"validation_alias", "post_init"}}
    match schema["type"]:
        case "model":
            return {**schema, "custom_init": False, "revalidate_instances": "always"}
        case "dataclass":
            return {**schema, "revalidate_instances": "always"}
        case "dataclass-args":
            return {**schema, "fields": [field for field in schema["fields"] if not field.get("init_only")]}
        case kind if kind in _CONVERTED:
            return {**schema, "strict": True}
        case "list" | "tuple" | "set" | "frozenset":
            own = cast(CoreSchema, {key: value for key, value in schema.items() if key != "ref"})
            return instead(schema, cast(Schema, core_schema.no_info_before_validator_function(_array, own)))
        case _:
            return schema
