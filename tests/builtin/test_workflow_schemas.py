"""What a schema says of a place, held against values: what it allows is never called impossible."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field, TypeAdapter
from typing_extensions import TypedDict

from mcp_app.builtin.run_workflow import schemas
from mcp_app.builtin.run_workflow.pointers import tokens


class Leaf(BaseModel):
    name: str
    size: int | None = None


class Tree(BaseModel):
    leaf: Leaf
    below: list[Tree] = []


class Open(BaseModel, extra="allow"):
    a: int


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Loose(TypedDict, total=False):
    x: float


@dataclass
class Pair:
    first: tuple[int, str]
    rest: dict[str, bool]


def place(annotation: Any) -> schemas.Place:
    return schemas.place_of(TypeAdapter(annotation).json_schema(mode="serialization"))


def types_at(annotation: Any, pointer: str) -> set[str] | None:
    inner = schemas.within(place(annotation), tokens(pointer))
    return None if inner is None else set(inner.types)


@pytest.mark.parametrize(
    ("annotation", "pointer", "types"),
    [
        (int, "", {"integer"}),
        (float, "", {"number", "integer"}),
        (int | None, "", {"integer", "null"}),
        (Any, "/x/0", set(schemas.TYPES)),
        (Leaf, "/name", {"string"}),
        (Leaf, "/size", {"integer", "null"}),
        (Leaf, "/nam", None),
        (Leaf, "/name/0", None),
        (Leaf | None, "/name", {"string"}),
        (list[Leaf], "/0/name", {"string"}),
        (list[Leaf], "/name", None),
        (list[Leaf], "/-", None),
        (list[Leaf], "/00/name", None),
        (Tree, "/below/0/below/7/leaf/name", {"string"}),
        (Tree, "/below/0/leaf/size/x", None),
        (Open, "/a", {"integer"}),
        (Open, "/other/deep", set(schemas.TYPES)),
        (Cat | Dog, "/kind", {"string"}),
        (Cat | Dog, "/name", {"string"}),
        (Cat | Dog, "/nothing", None),
        (Annotated[Cat | Dog, Field(discriminator="kind")], "/lives", {"integer"}),
        (Loose, "/x", {"number", "integer"}),
        (Loose, "/y", None),
        (Pair, "/first/1", {"string"}),
        (Pair, "/first/2", None),
        (Pair, "/rest/anything", {"boolean"}),
        (dict[str, list[int]], "/a~1b/3", {"integer"}),
        (Literal["a", 1, None], "", {"string", "integer", "null"}),
        (dict, "/x", set(schemas.TYPES)),
        (list, "/3", set(schemas.TYPES)),
    ],
)
def test_what_may_stand_where(annotation: Any, pointer: str, types: set[str] | None) -> None:
    assert types_at(annotation, pointer) == types


@pytest.mark.parametrize(
    ("schema", "pointer", "types"),
    [
        ({"allOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"b": {}}}]}, "/a", {"string"}),
        ({"allOf": [{"type": ["string", "null"]}, {"type": ["null", "integer"]}]}, "", {"null"}),
        ({"patternProperties": {"^x": {"type": "boolean"}}, "properties": {}}, "/xy", {"boolean"}),
        ({"patternProperties": {"[": {"type": "boolean"}}}, "/xy", {"boolean"}),
        ({"$ref": "https://elsewhere.example/schema"}, "/a", set(schemas.TYPES)),
        ({"$ref": "#/$defs/none"}, "/a", set(schemas.TYPES)),
        ({"$ref": "#"}, "", set()),
        ({"anyOf": [True, {"type": "string"}]}, "", set(schemas.TYPES)),
        ({"anyOf": [False, {"type": "string"}]}, "", {"string"}),
        ({"type": "array", "prefixItems": [{"type": "null"}], "items": False}, "/1", None),
        ({"type": "array", "maxItems": 2}, "/2", None),
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": True}, "/b", set(schemas.TYPES)),
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "null"}}, "/b", {"null"}),
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": False}, "/b", None),
        ({"const": 5.0}, "", {"integer"}),
    ],
)
def test_keywords_that_pydantic_does_not_write(schema: Any, pointer: str, types: set[str] | None) -> None:
    inner = schemas.within(schemas.place_of(schema), tokens(pointer))
    assert (None if inner is None else set(inner.types)) == types


@pytest.mark.parametrize(
    "schema",
    [{}, {"title": "x", "default": 1}, {"anyOf": [{"type": "null"}, {}]}, {"allOf": [{}, {}]}, {"$ref": "#/$defs/x"}],
)
def test_what_says_nothing_is_anything_whatever_is_within(schema: Any) -> None:
    place = schemas.place_of(schema)
    assert place.is_anything
    assert schemas.within(place, ["a", "0", "b"]) is place


def test_places_of_which_nothing_is_said_by_themselves_are_one() -> None:
    place = schemas.place_of(
        {
            "type": ["object", "array"],
            "properties": {"name": {"type": "string"}, "7": {"type": "null"}},
            "additionalProperties": {"type": "boolean"},
            "prefixItems": [{"type": "integer"}, {"type": "string"}],
            "items": {"type": "number"},
        }
    )
    assert {token: place.at(token) and place.at(token).types for token in ("name", "0", "1", "7", "other")} == {
        "name": {"string"},
        "0": {"boolean", "integer"},
        "1": {"boolean", "string"},
        "7": {"null", "number", "integer"},
        "other": {"boolean"},
    }
    assert place.at("2") is place.at("3000")
    assert place.at("a") is place.at("b")
    assert place.at("a") is not place.at("2")
    assert place.at("7") is not place.at("8")


def test_very_many_alternatives_may_be_anything() -> None:
    many = {"anyOf": [{"type": "string", "title": str(n)} for n in range(1000)]}
    assert schemas.place_of(many).types == schemas.TYPES
    product = {"allOf": [{"anyOf": [{"type": "string"}] * 10}] * 10}
    assert schemas.place_of(product).types == schemas.TYPES


@pytest.mark.parametrize(
    ("source", "target", "way"),
    [
        (str, int, ()),
        (list[str], str, ()),
        (list[str], list[int], ("0",)),
        (dict[str, int], list[int], ()),
        (Leaf, Cat, None),  # the one has nothing that the other lists: it is missing there, which the tool says
        (Cat, Dog, None),
        (int, float, None),
        (float, int, None),
        (int | None, int, None),
        (Any, int, None),
        (list[Leaf], list[Leaf], None),
        (list[Tree], list[Tree], None),
    ],
)
def test_where_no_value_is_both(source: Any, target: Any, way: tuple[str, ...] | None) -> None:
    found = schemas.clash(place(source), place(target))
    assert (None if found is None else found.way) == way


def test_a_member_of_another_type_is_found_deep() -> None:
    class Other(BaseModel):
        name: list[str]

    found = schemas.clash(place(list[Leaf]), place(list[Other]))
    assert found is not None
    assert found.way == ("0", "name")


SCHEMAS = st.recursive(
    st.sampled_from(
        [
            {},
            {"type": "string"},
            {"type": ["integer", "null"]},
            {"type": "number"},
            {"enum": ["a", 1]},
            {"const": True},
            {"type": "boolean"},
        ]
    ),
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda first: {"type": "array", "prefixItems": first}, st.lists(inner, min_size=1, max_size=2)),
        st.builds(
            lambda members, closed: {"type": "object", "properties": members, "additionalProperties": not closed},
            st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
            st.booleans(),
        ),
        st.builds(lambda some: {"anyOf": some}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda some: {"allOf": some}, st.lists(inner, min_size=1, max_size=2)),
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.sampled_from([None, True, 1, 2.0, 2.5, "a", "b"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=5,
)


@given(SCHEMAS, VALUES)
def test_what_fits_a_schema_is_nowhere_called_impossible(schema: dict[str, Any], value: Any) -> None:
    if not Draft202012Validator(schema).is_valid(value):
        return
    for pointer, there in places(value):
        inner = schemas.within(schemas.place_of(schema), tokens(pointer))
        assert inner is not None, pointer
        assert schemas.type_of(there) <= inner.types, pointer


@given(SCHEMAS, SCHEMAS, VALUES)
def test_what_fits_both_is_no_clash(source: dict[str, Any], target: dict[str, Any], value: Any) -> None:
    """But for a list without items, which fits lists of anything."""
    if "[]" in str(value) or not all(Draft202012Validator(each).is_valid(value) for each in (source, target)):
        return
    found = schemas.clash(schemas.place_of(source), schemas.place_of(target))
    if found is not None:  # at a member that this value has not
        pointer = "".join(f"/{each}" for each in found.way)
        assert pointer not in dict(places(value))


def places(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    yield pointer, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in items:
        yield from places(each, f"{pointer}/{name}")
