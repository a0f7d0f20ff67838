"""Repairing arguments: what is changed by which schema, and that nothing else is. Held against `jsonschema`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mcp_app.protocol.example import example, expected
from mcp_app.protocol.json_places import Place
from mcp_app.protocol.repair import MAX_LOOKS, repair

INTEGER, TEXT, NULL = {"type": "integer"}, {"type": "string"}, {"type": "null"}
INTEGERS = {"type": "array", "items": INTEGER}
CAT = {
    "type": "object",
    "properties": {"kind": {"const": "cat"}, "lives": INTEGER, "name": TEXT},
    "required": ["kind", "lives"],
}
DOG = {"type": "object", "properties": {"kind": {"const": "dog"}, "lives": TEXT}, "required": ["kind"]}
OPTIONAL = {"type": "object", "properties": {"n": {**INTEGER, "default": 1}, "t": {**TEXT, "default": ""}}}
TREE = {
    "$defs": {"Tree": {"type": "object", "properties": {"n": INTEGER, "in": {"items": {"$ref": "#/$defs/Tree"}}}}},
    "$ref": "#/$defs/Tree",
}


@pytest.mark.parametrize(
    ("schema", "value", "repaired"),
    [
        (INTEGER, "5", 5),
        (INTEGER, " -5\n", -5),
        (INTEGER, "5.0", 5),
        ({"type": "number"}, "5", 5),
        ({"type": "number"}, "-1.5e3", -1500.0),
        ({"type": "boolean"}, "true", True),
        ({"type": "boolean"}, "False", False),
        (NULL, "null", None),
        ({"anyOf": [INTEGER, NULL]}, "None", None),
        ({"anyOf": [INTEGER, NULL]}, "7", 7),
        ({"type": ["integer", "null"]}, "7", 7),
        ({"anyOf": [INTEGER, {"type": "boolean"}]}, "1", 1),
        ({"anyOf": [INTEGER, {"type": "boolean"}]}, "true", True),
        ({"enum": [1, 2]}, "2", 2),
        ({"const": True}, "true", True),
        (INTEGERS, "[1,2]", [1, 2]),
        (INTEGERS, '["1", 2]', [1, 2]),
        (INTEGERS, ["1", 2], [1, 2]),
        ({"type": "array", "items": INTEGERS}, ["[1]", "[]"], [[1], []]),
        ({"type": "array", "items": TEXT}, '["a","1"]', ["a", "1"]),
        ({"type": "array", "prefixItems": [INTEGER, TEXT]}, ["1", "1"], [1, "1"]),
        ({"type": "array"}, '["1"]', ["1"]),
        (CAT, '{"kind":"cat","lives":"9","name":"9"}', {"kind": "cat", "lives": 9, "name": "9"}),
        ({"type": "object", "additionalProperties": INTEGER}, {"a": "1"}, {"a": 1}),
        ({"type": "object", "patternProperties": {"^n": INTEGER}}, {"n1": "1", "t": "1"}, {"n1": 1, "t": "1"}),
        ({"anyOf": [CAT, DOG]}, {"kind": "cat", "lives": "9"}, {"kind": "cat", "lives": 9}),
        ({"anyOf": [CAT, DOG]}, {"kind": "dog", "lives": "9"}, {"kind": "dog", "lives": "9"}),
        ({"anyOf": [CAT, NULL]}, {"kind": "cat", "lives": "9"}, {"kind": "cat", "lives": 9}),
        ({"allOf": [INTEGER], "minimum": 3}, "5", 5),
        ({"$defs": {"N": INTEGER}, "$ref": "#/$defs/N"}, "5", 5),
        (OPTIONAL, {"n": None, "t": None}, {}),
        (OPTIONAL, {"n": "null", "t": "null"}, {"t": "null"}),
        ({"type": "array", "items": OPTIONAL}, [{"n": None}, {"n": "2"}], [{}, {"n": 2}]),
        (TREE, {"n": "1", "in": [{"n": "2", "in": [{"n": "3"}]}]}, {"n": 1, "in": [{"n": 2, "in": [{"n": 3}]}]}),
    ],
)
def test_what_is_repaired(schema: Any, value: Any, repaired: Any) -> None:
    found = repair(schema, value)
    assert json.dumps(found.value) == json.dumps(repaired) or found.value == repaired == 5
    assert found.repairs > 0 or value == repaired


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (TEXT, "5"),
        ({}, "5"),
        (True, "5"),
        ({"type": "array"}, "5"),
        ({"anyOf": [INTEGER, TEXT]}, "5"),
        ({"anyOf": [INTEGER, {"type": "string", "format": "date"}]}, "5"),
        ({"type": ["integer", "string"]}, "5"),
        ({"enum": [1, "1"]}, "1"),
        ({"anyOf": [INTEGERS, TEXT]}, "[1]"),
        ({"anyOf": [INTEGERS, {"type": "array", "items": TEXT}]}, ["1"]),
        ({"$ref": "#/definitions/elsewhere"}, "5"),
        (INTEGER, "5.5"),
        (INTEGER, "05"),
        (INTEGER, "+5"),
        (INTEGER, "1e"),
        (INTEGER, "0x10"),
        (INTEGER, "\u0665"),
        (INTEGER, ""),
        (INTEGER, '"5"'),
        (INTEGER, "true"),
        (INTEGER, "9" * 400),
        ({"type": "number"}, "NaN"),
        ({"type": "number"}, "1e999"),
        ({"type": "boolean"}, "1"),
        ({"type": "boolean"}, "yes"),
        (INTEGERS, "1,2"),
        (INTEGERS, "[1"),
        (INTEGERS, 5),
        (OPTIONAL, '{"n":1,"n":2}'),
        ({**OPTIONAL, "required": ["n"]}, {"n": None}),
        ({**OPTIONAL, "additionalProperties": False}, {"other": None}),
        ({"type": "object", "properties": {"n": {"anyOf": [INTEGER, NULL]}}}, {"n": None}),
        ({"anyOf": [CAT, {**CAT, "properties": {"lives": TEXT}}]}, {"kind": "cat", "lives": "9"}),
    ],
)
def test_what_has_another_reading_or_none_is_left(schema: Any, value: Any) -> None:
    found = repair(schema, value)
    assert found.value is value
    assert found.repairs == 0


def test_texts_within_texts_end_where_bodies_do() -> None:
    schema: dict[str, Any] = {"$defs": {"L": {"type": "array", "items": {"$ref": "#/$defs/L"}}}, "$ref": "#/$defs/L"}
    text = "[]"
    for _ in range(12):
        text = "[" * 60 + json.dumps(text) + "]" * 60
    assert len(text) < 1 << 20
    depth, value = 0, repair(schema, json.loads(text)).value
    while isinstance(value, list) and value:
        depth, value = depth + 1, value[0]
    assert 60 < depth < 130


def test_no_more_is_repaired_than_the_loop_can_wait_for() -> None:
    found = repair(INTEGERS, ["1"] * (MAX_LOOKS + 5))
    assert found.repairs == MAX_LOOKS
    assert found.value[-6:] == [1, "1", "1", "1", "1", "1"]


LEAVES: st.SearchStrategy[Any] = st.sampled_from(
    [INTEGER, TEXT, NULL, {"type": "number"}, {"type": "boolean"}, {"enum": [1, "a", None]}, {"const": 2}, {}, True]
)


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(["a", "b", "c"])
    return st.builds(
        lambda properties, required, closed: {
            "type": "object",
            "properties": properties,
            "required": sorted(required & properties.keys()),
            **({"additionalProperties": False} if closed else {}),
        },
        st.dictionaries(names, inner, max_size=3),
        st.sets(names),
        st.booleans(),
    )


SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda items: {"type": "array", "items": items}),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: {"anyOf": each}),
        st.lists(inner, min_size=1, max_size=2).map(lambda each: {"allOf": each}),
        st.lists(inner, min_size=1, max_size=2).map(lambda each: {"type": "array", "prefixItems": each}),
        inner.map(lambda each: {"type": "object", "additionalProperties": each}),
        _objects(inner),
    ),
    max_leaves=6,
)
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "1", "true", "null", "1.0", 1.0, 1.5])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
        inner.map(json.dumps),
    ),
    max_leaves=8,
)


@given(SCHEMAS, VALUES)
def test_a_value_that_fits_is_never_changed(schema: Any, value: Any) -> None:
    found = repair(schema, value)
    if Draft202012Validator(schema).is_valid(value):
        assert found.value is value
        assert found.repairs == 0
    assert (found.value is value) == (found.repairs == 0)


@given(SCHEMAS, VALUES)
def test_text_stays_where_text_is_allowed(schema: Any, value: Any) -> None:
    """Whatever the schema, of a value that is wrapped beside a text."""
    whole = {"type": "object", "properties": {"text": {"anyOf": [schema, TEXT]}, "other": schema}}
    text = json.dumps(value)
    found = repair(whole, {"text": text, "other": value})
    assert found.value["text"] == text


@given(SCHEMAS, VALUES)
def test_repairing_again_changes_nothing(schema: Any, value: Any) -> None:
    once = repair(schema, value)
    assert repair(schema, once.value).repairs == 0


@given(SCHEMAS)
def test_an_example_fits(schema: Any) -> None:
    text = example(Place([schema], {}))
    if text is not None:
        Draft202012Validator(schema).validate(json.loads(text))


@pytest.mark.parametrize(
    ("schema", "words", "value"),
    [
        (INTEGER, "an integer", "5"),
        ({**INTEGER, "minimum": 10}, "an integer", "10"),
        ({**INTEGER, "exclusiveMinimum": 10, "exclusiveMaximum": 12}, "an integer", "11"),
        ({**INTEGER, "exclusiveMaximum": 0}, "an integer", "-1"),
        ({**INTEGER, "multipleOf": 7}, "an integer", "7"),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5}, "a number", "0.25"),
        ({"anyOf": [NULL, INTEGER]}, "an integer or null", "5"),
        ({"anyOf": [INTEGERS, TEXT, INTEGER]}, "a string, an integer or an array", "[5]"),
        ({"type": "string", "format": "date"}, "a string", '"2026-01-31"'),
        (TEXT, "a string", None),
        ({"type": "array", "items": {**TEXT, "maxLength": 2}}, "an array", '["te"]'),
        ({"type": "string", "pattern": "^a"}, "a string", None),
        ({"type": "string", "pattern": "^a", "examples": ["ab"]}, "a string", '"ab"'),
        ({**INTEGER, "default": 3}, "an integer", "3"),
        ({"enum": ["x", 1]}, "a string or an integer", '"x"'),
        (CAT, "an object", '{"kind":"cat","lives":5}'),
        ({"type": "object", "additionalProperties": INTEGER}, "an object", '{"name":5}'),
        ({**INTEGERS, "minItems": 2}, "an array", "[5,5]"),
        ({"allOf": [{"enum": [1, 2]}, {"const": 2}]}, "an integer", None),
        ({"enum": [1, 20], "minimum": 10}, "an integer", None),
        ({"anyOf": [INTEGER], "oneOf": [{"enum": [1, 2]}]}, "an integer", None),
        ({}, "", None),
        (TREE, "an object", '{"n":5}'),
    ],
)
def test_what_is_expected_in_words_and_by_example(schema: Any, words: str, value: str | None) -> None:
    place = Place([schema], schema)
    assert expected(place) == words
    assert example(place) == value


def test_a_large_body_is_read_in_a_moment() -> None:
    """By a count of places, not of seconds: one for each list and each name, however many items."""
    schema = {"type": "object", "properties": {"xs": {"type": "array", "items": OPTIONAL}}}
    memo: dict[tuple[int, ...], Place] = {}
    root = Place([schema], schema, memo)
    items = root.members({}).place("xs")
    for _ in range(1000):
        items.item(0).members({"n": 1}).place("n")
    assert len(memo) == 3
