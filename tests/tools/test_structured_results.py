"""What a tool returns fits the schema that is listed for it, in every revision: held against it by `jsonschema`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from types import GenericAlias
from typing import Annotated, Any, Literal, Union

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, JsonValue, RootModel
from typing_extensions import TypedDict

from mcp_app import Image, Result, Text, Tool, tool
from mcp_app.dialects.mcp.lists import tool_as_listed
from mcp_app.protocol.mcp.request_info import RequestInfo
from mcp_app.protocol.mcp.revisions import SESSION_REVISIONS, STATELESS, STATELESS_WIRE, Structure, Wire
from mcp_app.protocol.mcp.transcript import Transcript
from mcp_app.runs.execution import Outcome
from mcp_app.runs.last_event import last_event

WIRES = {STATELESS: STATELESS_WIRE, **{version: row.wire for version, row in SESSION_REVISIONS.items()}}
BY_REVISION = pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"


class Tree(BaseModel):
    name: str
    inner: list[Tree] = []


@dataclasses.dataclass
class Node:
    name: str
    inner: list[Node] = dataclasses.field(default_factory=list)


class Link(TypedDict, total=False):
    next: Link


class Found(BaseModel):
    result: int = 1


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]
Either = RootModel[Cat | Dog]


def returning(annotation: Any) -> Tool:
    def function() -> Any:
        raise AssertionError("it is not called")

    function.__annotations__ = {"return": annotation}
    return tool(function)


def answered(made: Tool, wire: Wire, value: Any) -> dict[str, Any]:
    """The result of a call that returned the value, as it is sent."""
    asked = RequestInfo(1, wire, "x/", structure=wire.structure(made.structure))
    last = last_event(Outcome(made.encode_result(value)), 2, 3)
    result: dict[str, Any] = json.loads(Transcript(asked).response(last))["result"]
    return result


def fits(made: Tool, wire: Wire, value: Any) -> None:
    listed = json.loads(json.dumps(tool_as_listed(made, wire)))
    result = answered(made, wire, value)
    if not wire.structured:
        assert "outputSchema" not in listed
        assert "structuredContent" not in result
        return
    schema = listed["outputSchema"]
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(result["structuredContent"])
    if not wire.any_structure:  # "type": "object" at the root (2025-11-25, schema, Tool)
        assert schema["type"] == "object"
        assert isinstance(result["structuredContent"], dict)


@BY_REVISION
@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Cat | Dog, Dog()),
        (Pet, Dog()),
        (Either, Either(Cat())),
        (Cat | None, Cat()),
        (Cat | None, None),
        (dict[str, int] | None, {"result": 1}),
        (dict[str, int] | list[int], {"a": 1}),
        (dict[str, int] | str, "x"),
        (Tree, Tree(name="a", inner=[Tree(name="b")])),
        (Tree | None, Tree(name="a")),
        (list[Tree], [Tree(name="a")]),
        (Node, Node("a", [Node("b")])),
        (Link, {"next": {}}),
        (Found, Found()),
        (Found | None, Found()),
        (object, {"a": 1}),
        (object, {}),
        (object, 5),
        (JsonValue, {"result": {}}),
        (JsonValue, None),
        (object, Text("x")),
        (list[Any], [Text("x"), "y"]),
        (tuple[Any, ...], (Text("x"),)),
        (dict[str, Any], {"result": 1}),
        (int, 1),
        (None, None),
    ],
    ids=lambda each: getattr(each, "__name__", str(each))[:40],
)
def test_a_result_fits_the_schema_that_is_listed(wire: Wire, annotation: Any, value: Any) -> None:
    fits(returning(annotation), wire, value)


def test_what_refers_to_itself_is_an_object_as_it_is() -> None:
    for each, value in ((Tree, Tree(name="a")), (Node, Node("a")), (Link, {})):
        made = returning(each)
        assert made.output_schema is not None
        assert made.output_schema["type"] == "object"
        assert made.structure is Structure.BARE
        assert "result" not in answered(made, WIRES["2025-11-25"], value)["structuredContent"]


# --- any of them -----------------------------------------------------------------------------------------------------

Drawn = tuple[Any, st.SearchStrategy[Any]]

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
LEAVES: list[Drawn] = [
    (int, st.integers(-(2**53), 2**53)),
    (bool, st.booleans()),
    (str, TEXT),
    (type(None), st.none()),
    (Cat, st.just(Cat())),
    (Dog, st.just(Dog())),
    (Pet, st.sampled_from([Cat(), Dog()])),
    (Found, st.integers(0, 9).map(lambda at: Found(result=at))),
    (Tree, TEXT.map(lambda name: Tree(name=name, inner=[Tree(name=name)]))),
    (object, st.dictionaries(TEXT, st.integers(0, 9), max_size=2) | st.lists(TEXT, max_size=2)),
]


def _of(inner: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    def union(drawn: list[Drawn]) -> Drawn:
        return Union[tuple(each for each, _ in drawn)], st.one_of([values for _, values in drawn])  # noqa: UP007

    return (
        inner.map(lambda drawn: (GenericAlias(list, (drawn[0],)), st.lists(drawn[1], max_size=3)))
        | inner.map(lambda drawn: (GenericAlias(dict, (str, drawn[0])), st.dictionaries(TEXT, drawn[1], max_size=3)))
        | st.lists(inner, min_size=2, max_size=3).map(union)
    )


ANNOTATED: st.SearchStrategy[Drawn] = st.recursive(st.sampled_from(LEAVES), _of, max_leaves=4)


@given(st.data())
def test_any_result_fits_the_schema_that_is_listed(data: st.DataObject) -> None:
    annotation, values = data.draw(ANNOTATED)
    made, value = returning(annotation), data.draw(values)
    for wire in WIRES.values():
        fits(made, wire, value)


# --- generators ------------------------------------------------------------------------------------------------------


def test_a_generator_whose_result_may_be_null() -> None:
    @tool
    def numbers() -> Iterator[int | Result[str | None]]:
        yield 1

    for wire in WIRES.values():
        asked = RequestInfo(1, wire, "x/", structure=wire.structure(numbers.structure))
        last = last_event(Outcome(numbers.encode_result(None), items=1), 3, 3)
        result = json.loads(Transcript(asked).response(last))["result"]
        if wire.structured:
            schema = tool_as_listed(numbers, wire)["outputSchema"]
            jsonschema.Draft202012Validator(schema).validate(result["structuredContent"])


def test_how_results_are_sent_is_decided_when_the_tool_is_made() -> None:
    def nothing_declared() -> Any: ...
    def a_picture() -> Image: ...  # type: ignore[empty-body]
    def an_object() -> dict[str, int]: ...  # type: ignore[empty-body]
    def a_number() -> int: ...  # type: ignore[empty-body]
    def one_or_none() -> dict[str, int] | None: ...

    assert [tool(each).structure for each in (nothing_declared, a_picture, an_object, a_number, one_or_none)] == [
        *(Structure.ABSENT, Structure.ABSENT),
        *(Structure.BARE, Structure.WRAPPED, Structure.WRAPPED),
    ]
