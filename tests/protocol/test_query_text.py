"""What an input schema says about the texts of a query."""

import pytest

from mcp_app.protocol.http.query_text import Schema, choices, lists

ARRAY = {"type": "array", "items": {"type": "integer"}}


def of(parameter: Schema, **definitions: Schema) -> Schema:
    return {"properties": {"x": parameter}, "$defs": definitions}


@pytest.mark.parametrize(
    ("schema", "is_list"),
    [
        (of(ARRAY), True),
        (of({"anyOf": [ARRAY, {"type": "null"}]}), True),
        (of({"$ref": "#/$defs/A"}, A=ARRAY), True),
        (of({"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}, A={"$ref": "#/$defs/B"}, B=ARRAY), True),
        (of({"oneOf": [{"type": "string"}, ARRAY]}), True),
        (of({"type": "string"}), False),
        (of({}), False),
        (of({"$ref": "#/$defs/Gone"}), False),
        (of({"$ref": "#/$defs/A"}, A={"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}), False),
        ({}, False),
    ],
)
def test_lists(schema: Schema, is_list: bool) -> None:
    assert lists(schema) == (frozenset({"x"}) if is_list else frozenset())


@pytest.mark.parametrize(
    ("schema", "values"),
    [
        (of({"enum": [1, 2.5, True, None, "a"]}), {"1": 1, "2.5": 2.5, "true": True, "null": None}),
        (of({"const": 1}), {"1": 1}),
        (of({"const": None}), {"null": None}),
        (of({"$ref": "#/$defs/E"}, E={"enum": [1]}), {"1": 1}),
        (
            of({"type": "array", "items": {"anyOf": [{"const": 1}, {"$ref": "#/$defs/E"}]}}, E={"enum": [2]}),
            {"1": 1, "2": 2},
        ),
        (of({"enum": ["a", "b"]}), {}),
        (of({"anyOf": [{"const": 1}, {"type": "string"}]}), {}),
        (of({"type": "integer"}), {}),
    ],
)
def test_choices(schema: Schema, values: Schema) -> None:
    assert choices(schema) == ({"x": values} if values else {})
