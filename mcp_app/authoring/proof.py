"""Proves at definition that callers can fill what is listed: defaults, names of dicts, constraints, aliases.

Works on pydantic's core schemas, and calls no function of the author's. The JSON Schema is made elsewhere.
"""

from __future__ import annotations

import copy
import datetime
import decimal
import enum
import functools
import itertools
import json
import numbers
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from pydantic import SecretStr, ValidationError
from pydantic_core import CoreSchema, MultiHostUrl, SchemaValidator, Url, core_schema

from .pydantic_schema import DICTS, FUNCTIONS, is_authors, is_pydantics, json_of, of_instances, without_functions
from .schema_walk import Schema, children, fields, rewrite

_NO_NAME = frozenset(
    [
        *("none", "tuple", "list", "set", "frozenset", "deque", "dict", "ordered-dict", "frozen-dict"),
        *("counter", "model", "dataclass", "typed-dict", "named-tuple"),
    ]
)
"""Types that the name of a member of a JSON object cannot become."""

_SAMPLES: Mapping[str, Any] = {
    "none": None,
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
    "complex": 1j,
    "uuid": uuid.UUID(int=0),
    "url": Url("http://a/"),
    "multi-host-url": MultiHostUrl("http://a/"),
    "typed-dict": {},
}


class Refused(Exception):
    """A type cannot be listed as it is. The message is for the author."""


def proved(schema: CoreSchema) -> CoreSchema:
    """The core schema with defaults that its types take. A default of None makes its type nullable, as people write it.

    Raises Refused.
    """
    root = cast(Schema, schema)
    definitions = {each["ref"]: each for each in root.get("definitions", ())}
    try:
        return cast(CoreSchema, _proved(root, definitions))
    except Refused as error:
        field = _field_at_fault(root, definitions)
        raise Refused(f"{field}: {error}" if field else str(error)) from error


def _proved(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    _check(schema, definitions)
    return cast(Schema, rewrite(schema, functools.partial(_with_default, definitions=definitions)))


def _field_at_fault(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    """The innermost field of an author's class that is refused by itself, as `Class.field`; empty if there is none."""
    for cls, name, field in fields(schema):
        try:
            _proved(field, definitions)
        except Refused:
            inner = _field_at_fault(field, definitions)
            is_made = cls.__module__.startswith(f"{__package__}.")  # of a function's parameters
            return inner or ("" if is_made else f"{cls.__name__}.{name}")
    return ""


def _with_default(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    if schema["type"] != "default" or "default" not in schema:
        return schema
    inner, default = schema["schema"], schema["default"]
    quiet = _validator(_quiet(inner), definitions, _quiet)
    try:
        _validator(of_instances(inner), definitions, of_instances).validate_python(default, strict=True)
        value = quiet.validate_python(default, strict=True)
    except ValidationError:
        if default is None:
            return {**schema, "schema": core_schema.nullable_schema(inner)}
        data = json_of(default)
        if data is None:
            return schema
        value = _as_filled(quiet, default, data)
    if _has_functions(inner, definitions, frozenset()):
        if type(value) is not type(default) or value != default:
            raise Refused(
                f"its default {default!r} would be handed over as it is: functions that its type calls are not called "
                f"at the definition. Write what they make of it, of type {type(value).__name__}"
            )
        return schema
    if type(default) is int and type(value) is float:
        value = default  # the same number, as its author wrote it
    if _is_filled_by_its_json(quiet, value):
        return {**schema, "default": value}
    # Pydantic lists no default of a factory: the JSON of a secret is a mask, that of a Json[int] is no text.
    unlisted = {key: each for key, each in schema.items() if key != "default"}
    return {**unlisted, "default_factory": functools.partial(_fresh, value)}


def _fresh(value: Any) -> Any:
    """The value for one call: a copy if it can be changed, which pydantic knows by its hash as well."""
    try:
        hash(value)
    except TypeError:
        return copy.deepcopy(value)
    return value


def _as_filled(validator: SchemaValidator, default: Any, data: bytes) -> Any:
    try:
        return validator.validate_json(data, strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)[0]
        raise Refused(f"its default {default!r} is none of its own type: {found['msg']}") from error


def _is_filled_by_its_json(validator: SchemaValidator, value: Any) -> bool:
    """Whether a caller who sends what is listed for the value gives it."""
    data = json_of(value)
    if data is None:
        return False
    try:
        again = validator.validate_json(data, strict=True)
    except ValidationError as error:
        return error.errors()[0]["type"] == "json_invalid"  # a lone surrogate, which is refused with its reason later
    return bool(again == value) or _MASKED not in data


_MASKED = json.dumps(str(SecretStr("secret"))).encode()


def _quiet(schema: CoreSchema) -> CoreSchema:
    """The core schema that calls no function of an author's, and keeps instances as they are."""
    return cast(CoreSchema, rewrite(without_functions(schema), _without_init))


def _without_init(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key not in {"custom_init", "post_init"}}


def _has_functions(schema: Schema, definitions: Mapping[str, Schema], seen: frozenset[str]) -> bool:
    """Whether validation calls a function of an author's, or one that makes a value anew for each call."""
    if schema["type"] == "definition-ref":
        name = schema["schema_ref"]
        return (
            name not in seen and name in definitions and _has_functions(definitions[name], definitions, seen | {name})
        )
    function = schema["function"]["function"] if schema["type"] in FUNCTIONS else None
    if (function is not None and is_authors(function)) or schema.get("custom_init") or schema.get("post_init"):
        return True
    if "default_factory" in schema and not isinstance(schema["default_factory"], type | functools.partial):
        return True
    return any(_has_functions(each, definitions, seen) for each in children(schema))


def _validator(
    schema: CoreSchema, definitions: Mapping[str, Schema], of: Callable[[CoreSchema], CoreSchema]
) -> SchemaValidator:
    within = core_schema.definitions_schema(schema, [of(cast(CoreSchema, each)) for each in definitions.values()])
    return SchemaValidator(within, _use_prebuilt=False)


def _check(schema: Schema, definitions: Mapping[str, Schema]) -> None:
    kind = schema["type"]
    if kind == "is-subclass":
        raise Refused("a class cannot be sent as JSON; take its name as a Literal")
    if kind == "is-instance" and isinstance(schema["cls"], enum.EnumType):  # as pydantic has it
        raise Refused(f"the enumeration {schema['cls'].__name__} has no members to choose from")
    if isinstance(schema.get("validation_alias"), list):
        _check_alias(schema["validation_alias"])
    if kind in DICTS and "keys_schema" in schema:
        kinds = [leaf["type"] for leaf in _leaves(schema["keys_schema"], definitions, "json_schema")]
        if kinds and _NO_NAME.issuperset(kinds):
            raise Refused(
                f"a name in a JSON object is a string, which cannot become a {kinds[0]}; take a list of pairs"
            )
    if kind == "function-after":
        function = schema["function"]["function"]
        if isinstance(function, functools.partial) and function.func.__module__ == "pydantic._internal._validators":
            _check_constraint(schema["schema"], definitions, function, function.keywords)
    if kind == "chain":
        for before, step in itertools.pairwise(schema["steps"]):
            if step["type"] == "function-wrap" and step["function"]["function"].__module__ == _KNOWN_METADATA:
                named = {name: value for name, value in step["schema"].items() if name not in {"type", "metadata"}}
                _check_constraint(before, definitions, SchemaValidator(step).validate_python, named)
    for each in children(schema):
        _check(each, definitions)


def _check_alias(choices: list[Any]) -> None:
    paths = [choices] if choices and not isinstance(choices[0], list) else choices
    if not any(len(path) == 1 for path in paths):
        raise Refused("an AliasPath cannot be listed; take a model with that field")


def _check_constraint(
    schema: Schema, definitions: Mapping[str, Schema], apply: Callable[[Any], Any], named: Mapping[str, Any]
) -> None:
    """A constraint that the type does not know is a function of pydantic's, which fails at each call if it cannot apply
    (`len` of a Path)."""
    constraint = ", ".join(f"{name}={value!r}" for name, value in named.items())
    for leaf in _leaves(schema, definitions, "python_schema"):
        samples = list(_samples(leaf, definitions))
        for sample in samples:
            try:
                apply(sample)
            except TypeError as error:
                raise Refused(f"the constraint {constraint} cannot apply to {sample!r}: {error}") from error
            except Exception:  # noqa: S112 - the sample breaks the constraint, so it can apply
                continue
        if leaf["type"] == "any":
            raise Refused(f"the constraint {constraint} cannot apply to each value; declare the type that it is for")
        if not samples and isinstance(leaf.get("cls"), type) and not _can_have(leaf["cls"], named):
            lacks = "it has no length" if "length" in constraint else "it is not compared with that"
            raise Refused(f"the constraint {constraint} cannot apply to a {leaf['cls'].__name__}: {lacks}")


def _samples(leaf: Schema, definitions: Mapping[str, Schema]) -> Iterator[Any]:
    """Values of the type, on which a constraint can be tried."""
    kind = leaf["type"]
    if kind in _SAMPLES:
        yield _SAMPLES[kind]
    elif kind in {"enum", "literal"}:
        yield from leaf.get("members") or leaf["expected"]
    elif kind in _MADE and getattr(leaf["function"]["function"], "__module__", None) == "builtins":
        for each in _leaves(leaf["schema"], definitions, "python_schema"):
            yield from map(leaf["function"]["function"], _samples(each, definitions))


def _can_have(cls: type, named: Mapping[str, Any]) -> bool:
    if any("length" in name for name in named):
        return hasattr(cls, "__len__")
    if issubclass(cls, numbers.Number):
        return True
    is_ordered = any("__lt__" in vars(each) for each in cls.__mro__[:-1])  # the last is object
    return is_ordered and all(isinstance(bound, cls) for bound in named.values())


_MADE = frozenset(["function-after", "function-wrap"])

_KNOWN_METADATA = "pydantic._internal._known_annotated_metadata"
"""Where pydantic makes a further step of a constraint that is another type's, as `pattern` is of texts."""


def _leaves(schema: Schema, definitions: Mapping[str, Schema], side: str) -> Iterator[Schema]:
    """The types that a value can be of after validation; `side`: of JSON or of Python values."""
    match schema["type"]:
        case "definition-ref":
            yield from _leaves(definitions[schema["schema_ref"]], {}, side) if definitions else ()
        case "json-or-python":
            yield from _leaves(schema[side], definitions, side)
        case "lax-or-strict":
            yield from _leaves(schema["strict_schema"], definitions, side)
        case "function-after" | "function-wrap" if side == "python_schema" and not is_pydantics(
            schema["function"]["function"]
        ):
            yield schema
        case "function-before" if schema["schema"]["type"] == "any":
            yield {"type": "function-plain"}
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
