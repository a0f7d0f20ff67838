"""What is no JSON Schema 2020-12 is known as such: held against `jsonschema`, which has the metaschema itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, SchemaError

from mcp_app.protocol.metaschema import DRAFT, NotASchema, check

KEYWORDS = [
    *("additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then"),
    *("unevaluatedItems", "unevaluatedProperties", "allOf", "anyOf", "oneOf", "prefixItems", "$defs", "definitions"),
    *("dependentSchemas", "patternProperties", "properties", "minimum", "maximum", "exclusiveMinimum"),
    *("exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "minContains"),
    *("maxContains", "minProperties", "maxProperties", "uniqueItems", "deprecated", "readOnly", "writeOnly", "title"),
    *("description", "format", "contentEncoding", "contentMediaType", "enum", "examples", "required"),
    *("dependentRequired", "type", "$comment", "default", "const", "x-mcp-header"),
]
VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 1.5, 2.0, "a", "string", "integr", [], {}, [1], ["a"], ["a", "a"], [True], [{}]),
    *(["string", "null"], ["string", "string"], ["string", "x"], {"a": 1}, {"a": {}}, {"a": True}, {"a": ["b"]}),
    *({"type": "integr"}, [{"type": 3}], {"a": {"minimum": "1"}}),
]


def is_schema(schema: dict[str, Any]) -> bool:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError:
        return False
    return True


def passes(schema: dict[str, Any]) -> bool:
    try:
        check(schema)
    except NotASchema:
        return False
    return True


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_each_keyword_is_judged_as_by_the_metaschema(keyword: str) -> None:
    for value in VALUES:
        schema = {keyword: value}
        assert passes(schema) is is_schema(schema), schema
        assert passes({"properties": {"p": schema}}) is is_schema(schema), schema


@given(st.dictionaries(st.sampled_from(KEYWORDS), st.sampled_from(VALUES), max_size=4))
@settings(max_examples=200, deadline=None)
def test_a_schema_is_judged_as_by_the_metaschema(schema: dict[str, Any]) -> None:
    assert passes(schema) is is_schema(schema)
    assert passes({"anyOf": [schema]}) is is_schema(schema)


@pytest.mark.parametrize(
    ("reference", "leads"),
    [
        *(("#", True), ("#/$defs/a~1b", True), ("#/$defs/a%7E1b", True), ("#/allOf/0", True), ("#here", True)),
        *(("#/$defs/none", False), ("#/allOf/1", False), ("#/type", False), ("#nowhere", False)),
        *(("https://example.com/schema", False), ("other.json#/a", False)),
    ],
)
def test_a_reference_leads_to_a_schema_within(reference: str, leads: bool) -> None:
    schema = {
        "type": "object",
        "$defs": {"a/b": {"$anchor": "here", "type": "string"}},
        "allOf": [True],
        "properties": {"p": {"$ref": reference}},
    }
    assert passes(schema) is leads


def test_no_other_draft_is_listed() -> None:
    assert passes({"$schema": DRAFT})
    with pytest.raises(NotASchema, match="2020-12"):
        check({"$schema": "http://json-schema.org/draft-04/schema#"})


def test_data_is_not_read_as_a_schema() -> None:
    assert passes({"default": {"type": "integr"}, "enum": [{"$ref": "#/none"}], "const": {"required": 1}})
