"""What is listed is what is taken, and what is declared is what is sent, of any type: held against `jsonschema`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from mcp_app import Tool, ToolDefinitionError, errors, tool
from mcp_app.authoring.signature import Validated
from mcp_app.protocol.json_places import Place

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


def taken(made: Tool, params: dict[str, Any]) -> Validated | None:
    try:
        validated = made.validated(params)
    except errors.InvalidParams:
        return None
    assert type(validated.arguments) is dict
    return validated


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
    for strategy in (drawn.given, ANY_JSON, drawn.given.map(json.dumps)):
        params = {"x": data.draw(strategy)}
        params = json.loads(json.dumps(params))
        listed, validated = is_listed(made, params), taken(made, params)
        found = (drawn.annotation, params, validated, dict(made.input_schema))
        assert validated is not None or not listed, found
        if validated is not None:
            assert not listed or (validated.repaired == 0 and validated.params is params), found
            assert not drawn.exact or is_listed(made, dict(validated.params)), found


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
    assert taken(made, {})
    listed = made.input_schema["properties"]["x"]
    if "default" in listed:
        params = json.loads(json.dumps({"x": listed["default"]}))
        assert is_listed(made, params), (drawn.annotation, default, listed)
        assert taken(made, params), (drawn.annotation, default, listed)


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


@given(TYPES, st.data())
@examples(IN_SUITE)
def test_json_as_text_is_taken_for_itself_where_no_text_is(drawn: Drawn, data: st.DataObject) -> None:
    made = taking(drawn.annotation)
    value = json.loads(json.dumps(data.draw(drawn.given)))
    text = json.dumps(value)
    plain, repaired = taken(made, {"x": value}), taken(made, {"x": text})
    schema = dict(made.input_schema)
    may_be_text = "string" in Place([schema["properties"]["x"]], schema).types
    if plain is None or plain.repaired or may_be_text:
        assert repaired is None or repaired.params == {"x": text}
        return
    assert repaired is not None, (drawn.annotation, value)
    assert repaired.arguments == plain.arguments, (drawn.annotation, value)
    assert repaired.repaired == 1
