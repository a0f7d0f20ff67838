"""Enumerations, constants and names of dicts, read from the JSON that they are listed as.

Pydantic compares with the Python values: it finds none for a tuple, a date or a member of an enumeration, and takes
True for 1. A Flag, and an enumeration with `_missing_`, has more values than are listed. Nothing is listed here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import STRICT, Enum, Flag
from typing import Any, cast

from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from ..protocol.event import encode, number
from .schema_walk import Schema, instead


def _values(schema: Schema) -> list[Any]:
    values: list[Any] = schema["expected"] if schema["type"] == "literal" else schema["members"]
    return values


def _listed(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def chosen_by_json(schema: Schema) -> Schema:
    values = _values(schema)
    if all(map(_is_told_by_pydantic, map(_listed, values) if schema["type"] == "enum" else values)):
        return schema
    return _chosen(schema, {_json_key(_listed(value)): value for value in values}, _json_key)


def _is_told_by_pydantic(value: Any) -> bool:
    """Whether pydantic takes the value's JSON for it, and no other: for True it takes 1, which is equal in Python."""
    return value is None or type(value) is str or (type(value) in {int, float} and value not in {0, 1})


def _json_key(value: Any) -> bytes:
    return encode(number(value) if type(value) is float else value)


def name_of_dict(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """The schema of a dict's name, which JSON writes as a string: in one way, so that no two are the same in Python."""
    read = _READ.get(schema["type"])
    if read is not None:
        inner = cast(CoreSchema, {key: schema[key] for key in schema if key != "ref"})
        return instead(schema, cast(Schema, core_schema.no_info_before_validator_function(read, inner)))
    target = definitions.get(schema.get("schema_ref", ""))
    if target is not None and target["type"] == "enum":
        schema = {key: value for key, value in target.items() if key != "ref"}
    if schema["type"] not in {"literal", "enum"}:
        return schema
    if all(isinstance(_listed(value) if schema["type"] == "enum" else value, str) for value in _values(schema)):
        return schema
    return _chosen(schema, {name_of(_listed(value)): value for value in _values(schema)}, name_of, are_names=True)


INTEGER_NAME = "^(0|-?[1-9][0-9]{0,308})$"
"""An integer as a name, as long as strict_json takes one."""

NUMBER_NAME = r"^-?(0|[1-9][0-9]{0,308})(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$"
"""A number as a name: JSON's, as long as a float can be."""

_INTEGER, _NUMBER = re.compile(INTEGER_NAME, re.ASCII), re.compile(NUMBER_NAME, re.ASCII)


def _integer(name: Any) -> Any:
    return int(name) if isinstance(name, str) and _INTEGER.fullmatch(name) else name


def _number(name: Any) -> Any:
    return float(name) if isinstance(name, str) and _NUMBER.fullmatch(name) else name


def _boolean(name: Any) -> Any:
    return {"true": True, "false": False}.get(name, name) if isinstance(name, str) else name


_READ: Mapping[str, Callable[[Any], Any]] = {"int": _integer, "float": _number, "bool": _boolean}


def name_of(value: Any) -> str:
    """How the value is written as the name of a member of a JSON object: None as pydantic does."""
    if value is None:
        return "None"
    return value if isinstance(value, str) else encode(value).decode().strip('"')


def _is_of_flag(flag: Any, number: Any) -> bool:
    """Whether `flag(number)` is what `number` is listed as. Of pydantic a Flag gets False for 0, and none of 2**63;
    a strict one makes READ of -2 in place of refusing it, and knows it from then on."""
    if not isinstance(number, int) or isinstance(number, bool):
        return False
    return flag._boundary_ is not STRICT or number & ~flag._flag_mask_ == 0


def _chosen(schema: Schema, table: Mapping[Any, Any], key: Callable[[Any], Any], *, are_names: bool = False) -> Schema:
    members = schema.get("cls", tuple({type(value) for value in table.values() if isinstance(value, Enum)}))
    said = " or ".join(name if isinstance(name, str) else name.decode() for name in table)

    flag = cls if issubclass(cls := schema.get("cls", Enum), Flag) else None

    def choose(value: Any, info: core_schema.ValidationInfo) -> Any:
        if isinstance(value, members):
            return value
        try:
            return table[key(value)]
        except (KeyError, ValueError):
            if flag is not None:
                number = _integer(value) if are_names or info.mode == "python" else value  # text is of a query
                if _is_of_flag(flag, number):
                    return flag(number)
            elif schema.get("missing") is not None:
                return value
            raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": said}) from None

    inner = cast(CoreSchema, {name: schema[name] for name in schema if name != "ref"})
    return instead(schema, cast(Schema, core_schema.with_info_before_validator_function(choose, inner)))
