"""`$defs` inlined: the same values are valid before and after, and what many clients lose is gone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mcp_app.protocol.json_schema import MAX_INLINED_BYTES, alternatives, inlined

POINT = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], "description": "A point."}
NODE = {"type": "object", "properties": {"at": {"$ref": "#/$defs/Point"}, "next": {"$ref": "#/$defs/Node"}}}


def without_defs(schema: dict[str, Any]) -> dict[str, Any]:
    copy, possible = inlined(schema)
    assert possible
    Draft202012Validator.check_schema(copy)
    return copy


def test_every_reference_becomes_what_it_refers_to() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/Point"}, "b": {"type": "array", "items": {"$ref": "#/$defs/Line"}}},
        "$defs": {"Point": POINT, "Line": {"type": "array", "prefixItems": [{"$ref": "#/$defs/Point"}] * 2}},
    }
    assert without_defs(schema) == {
        "type": "object",
        "properties": {"a": POINT, "b": {"type": "array", "items": {"type": "array", "prefixItems": [POINT, POINT]}}},
    }


def test_what_stands_beside_a_reference_applies() -> None:
    described = {"$ref": "#/$defs/Point", "description": "Where.", "default": {"x": 1}}
    narrowed = {"$ref": "#/$defs/Point", "required": ["y"]}
    copy = without_defs({"properties": {"a": described, "b": narrowed}, "$defs": {"Point": POINT}})
    assert copy["properties"]["a"] == {**POINT, "description": "Where.", "default": {"x": 1}}
    for value in ({"x": 1}, {"y": 1}, {"x": 1, "y": 1}):
        assert Draft202012Validator(copy["properties"]["b"]).is_valid(value) == ({"x", "y"} <= value.keys())


def test_what_contains_itself_keeps_its_reference_and_its_root_is_an_object() -> None:
    copy = without_defs({"$ref": "#/$defs/Node", "$defs": {"Node": NODE, "Point": POINT}})
    assert copy["type"] == "object"
    assert copy["properties"] == {"at": POINT, "next": {"$ref": "#/$defs/Node"}}
    assert copy["$defs"] == {"Node": {"type": "object", "properties": copy["properties"]}}
    for value in ({"next": {"next": {"at": {"x": 1}}}}, {"next": {"next": {"at": {"x": "1"}}}}):
        assert Draft202012Validator(copy).is_valid(value) == (value["next"]["next"]["at"]["x"] == 1)


def test_two_that_contain_each_other() -> None:
    one = {"type": "object", "properties": {"two": {"$ref": "#/$defs/Two"}}}
    two = {"type": "object", "properties": {"one": {"$ref": "#/$defs/One"}}}
    copy = without_defs({"properties": {"a": {"$ref": "#/$defs/One"}}, "$defs": {"One": one, "Two": two, "No": POINT}})
    assert set(copy["$defs"]) == {"One", "Two"}
    assert not Draft202012Validator(copy).is_valid({"a": {"two": {"one": 5}}})


def test_data_that_looks_like_a_reference_is_data() -> None:
    looks = {"$ref": "#/$defs/Point"}
    schema = {"default": looks, "enum": [looks], "properties": {"$ref": {"type": "string"}}, "$defs": {"Point": POINT}}
    assert without_defs(schema) == {key: value for key, value in schema.items() if key != "$defs"}


def test_a_discriminator_whose_references_are_gone() -> None:
    schema = {
        "oneOf": [{"$ref": "#/$defs/Point"}],
        "discriminator": {"propertyName": "kind", "mapping": {"p": "#/$defs/Point"}},
        "$defs": {"Point": POINT},
    }
    assert without_defs(schema) == {"oneOf": [POINT]}


@pytest.mark.parametrize("width", [2, 40])
def test_what_would_be_too_large_keeps_its_definitions(width: int) -> None:
    """Each level refers to the one below `width` times: inlined it would be of `width` to the power of 20."""
    levels: dict[str, Any] = {"L0": POINT}
    for level in range(1, 21):
        below = {"$ref": f"#/$defs/L{level - 1}"}
        levels[f"L{level}"] = {"type": "object", "properties": {f"p{at}": below for at in range(width)}}
    copy, possible = inlined({"$ref": "#/$defs/L20", "$defs": levels})
    assert not possible
    assert copy["type"] == "object"
    assert copy["$defs"] == levels
    assert len(json.dumps(copy)) < MAX_INLINED_BYTES


def test_the_bound_is_of_bytes_as_well() -> None:
    text = {"type": "string", "description": "x" * 1000}
    names = [f"p{at}" for at in range(MAX_INLINED_BYTES // 1000 + 1)]
    schema = {"properties": {name: {"$ref": "#/$defs/Text"} for name in names}, "$defs": {"Text": text}}
    assert inlined(schema) == (schema, False)


def test_alternatives_end_with_what_refers_to_itself() -> None:
    root = {"$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "array"}, True]}}}
    assert [each.get("type") for each in alternatives({"$ref": "#/$defs/A"}, root)][-1] == "array"
    assert list(alternatives(True, root)) == []
