"""What is listed is what is taken, and what is declared is what is sent, of any type: held against `jsonschema`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from mcp_app import Tool, ToolDefinitionError, errors, tool

from .drawn_types import ANY_JSON, TYPES, Drawn
from .examples import examples, time_bound

IN_SUITE = 60

pytestmark = pytest.mark.time_bound(time_bound(IN_SUITE))


def taking(annotation: Any, default: Any = ...) -> Tool:
    def function(x: Any) -> None: ...

    function.__annotations__ = {"x": annotation}
    if default is not ...:
        function.__defaults__ = (default,)
    return tool(function)


def is_listed(made: Tool, params: dict[str, Any]) -> bool:
    schema = dict(made.input_schema)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker()).is_valid(params)


def is_taken(made: Tool, params: dict[str, Any]) -> bool:
    try:
        return type(made.arguments(params)) is dict
    except errors.InvalidParams:
        return False


def is_portable(schema: Any, at_root: bool = True) -> bool:
    """`$defs` at most of what contains itself, no `$schema`, `items` in each array."""
    if isinstance(schema, list):
        return all(is_portable(each, False) for each in schema)
    if not isinstance(schema, dict):
        return True
    if "$schema" in schema or (schema.get("type") == "array" and "items" not in schema):
        return False
    if at_root and set(schema.get("$defs", {})) - {"Tree", "JsonValue"}:
        return False
    return all(is_portable(each, False) for each in schema.values())


@given(TYPES, st.data())
@examples(IN_SUITE)
def test_what_is_listed_is_taken(drawn: Drawn, data: st.DataObject) -> None:
    made = taking(drawn.annotation)
    assert is_portable(dict(made.input_schema))
    for strategy in (drawn.given, ANY_JSON):
        params = {"x": data.draw(strategy)}
        params = json.loads(json.dumps(params))
        listed, taken = is_listed(made, params), is_taken(made, params)
        assert taken or not listed, (drawn.annotation, params, dict(made.input_schema))
        assert listed or not taken or not drawn.exact, (drawn.annotation, params, dict(made.input_schema))


@given(TYPES, st.data())
@examples(IN_SUITE)
def test_a_default_is_listed_and_taken_or_refused(drawn: Drawn, data: st.DataObject) -> None:
    default = data.draw(drawn.made | drawn.given | ANY_JSON)
    refusal = ""
    try:
        made = taking(drawn.annotation, default)
    except ToolDefinitionError as error:
        refusal = str(error)
    if refusal:
        assert "the parameter x" in refusal
        return
    assert is_taken(made, {})
    listed = made.input_schema["properties"]["x"]
    if "default" in listed:
        params = json.loads(json.dumps({"x": listed["default"]}))
        assert is_listed(made, params), (drawn.annotation, default, listed)
        assert is_taken(made, params), (drawn.annotation, default, listed)


@given(TYPES, st.data())
@examples(IN_SUITE)
def test_what_is_declared_is_sent(drawn: Drawn, data: st.DataObject) -> None:
    def function() -> None: ...

    function.__annotations__ = {"return": drawn.annotation}
    made = tool(function)
    for strategy in (drawn.made, ANY_JSON):
        value = data.draw(strategy)
        try:
            sent = json.loads(made.encode_result(value).data)
        except errors.ToolFailed:
            continue
        if made.output_schema is not None:
            schema = dict(made.output_schema)
            assert is_portable(schema)
            Draft202012Validator.check_schema(schema)
            Draft202012Validator(schema).validate(sent)
