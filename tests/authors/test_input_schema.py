"""A tool's input schema as its author wrote it, all parameters as one model, and parameters repeated in headers."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated, Any

import pytest
from author_calls import called
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import TypedDict

from mcp_app import Context, Registry, Tool, ToolDefinitionError, errors, tool
from mcp_app.protocol.access import ANONYMOUS

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {"address": {"$anchor": "addressDef", "type": "object", "properties": {"city": {"type": "string"}}}},
    "properties": {
        "address": {"$ref": "#/$defs/address"},
        "method": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
        "anything": True,
        "region": {"type": "string", "x-mcp-header": "Region"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "additionalProperties": False,
}


class Contact(BaseModel):
    model_config = ConfigDict(extra="forbid")

    address: dict[str, str] | None = None
    method: str | None = None
    phone: str | None = None
    email: str | None = None
    anything: Any = None
    region: str | None = None

    @model_validator(mode="after")
    def _reachable(self) -> Contact:
        if self.phone is None and self.email is None:
            raise ValueError("give phone or email")
        return self


@tool(parameters=Contact, input_schema=SCHEMA)
def write_to(contact: Contact, ctx: Context) -> str:
    return f"{contact.phone or contact.email} for {ctx.principal}"


def test_the_schema_is_listed_as_it_was_written() -> None:
    assert dict(write_to.input_schema) == SCHEMA
    assert list(write_to.input_schema) == list(SCHEMA)


async def test_the_model_validates_and_is_what_the_function_gets() -> None:
    arguments = write_to.arguments({"phone": "1", "address": {"city": "Bern"}})
    assert arguments == {"contact": Contact(phone="1", address={"city": "Bern"})}
    assert (await called(write_to, arguments))[0] == "1 for somebody"
    assert write_to.from_query({}, {"email": ["a@b"]}).arguments == {"contact": Contact(email="a@b")}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "give phone or email"),
        ({"phone": 1}, "params.phone: Input should be a valid string"),
        ({"phone": "1", "fax": "2"}, "params.fax: There is no field of this name"),
    ],
)
def test_what_the_model_does_not_take_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.InvalidParams, match=said):
        write_to.arguments(given)


def test_what_is_listed_does_not_change() -> None:
    written: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "integer"}}}

    @tool(input_schema=written)
    def plus(a: int) -> int:
        return a + 1

    written["properties"]["a"]["type"] = "string"
    assert plus.input_schema["properties"] == {"a": {"type": "integer"}}
    assert plus.arguments({"a": 1}) == {"a": 1}


def test_a_model_alone_makes_the_schema() -> None:
    @tool(parameters=Contact)
    def write(contact: Contact) -> None: ...

    assert set(write.input_schema["properties"]) == set(Contact.model_fields)
    assert write.input_schema["additionalProperties"] is False


def two(contact: Contact, more: str) -> None: ...
def other(contact: str) -> None: ...
def one(contact: Contact) -> None: ...


@pytest.mark.parametrize(
    ("options", "function", "said"),
    [
        ({"parameters": Contact}, two, "two: with parameters=Contact the function takes one parameter"),
        ({"parameters": Contact}, other, "other: with parameters=Contact the function takes one parameter"),
        ({"parameters": dict}, one, "one: parameters is .*dict.*, not a pydantic model"),
        ({"input_schema": {}}, other, 'its "type" must be "object"'),
        ({"input_schema": {"type": "string"}}, other, 'its "type" must be "object"'),
        ({"input_schema": {"type": "object", "properties": ["a"]}}, other, 'its "properties" by name'),
        ({"input_schema": "{}"}, other, "its input_schema is of type str, not a dict"),
        ({"input_schema": {"type": object()}}, other, "other: its input_schema is not serialisable as JSON"),
        (
            {"input_schema": {"type": "object", "properties": {"run": {}}}, "read_only": True},
            other,
            "cannot have a parameter named run",
        ),
    ],
)
def test_what_cannot_be_said_is_refused_when_it_is_defined(options: dict[str, Any], function: Any, said: str) -> None:
    with pytest.raises(ToolDefinitionError, match=said):
        tool(**options)(function)


# --- unknown names ---------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Row:
    n: int


class Movie(TypedDict):
    n: int


class Plain(BaseModel):
    n: int = 1
    row: Row | None = None
    movie: Movie | None = None
    inner: list[Plain] = []


class Ignoring(BaseModel):
    model_config = ConfigDict(extra="ignore")
    n: int


class Allowing(BaseModel):
    model_config = ConfigDict(extra="allow")
    n: int


@pytest.mark.parametrize(
    ("annotation", "given", "field"),
    [
        (Plain, {"x": 1}, "x"),
        (list[Plain], [{"x": 1}], "0.x"),
        (dict[str, Plain | None], {"a": {"x": 1}}, "a.x"),
        (Plain, {"inner": [{"x": 1}]}, "inner.0.x"),
        (Plain, {"row": {"n": 1, "x": 1}}, "row.x"),
        (Plain, {"movie": {"n": 1, "x": 1}}, "movie.x"),
        (Row, {"n": 1, "x": 1}, "x"),
        (Movie, {"n": 1, "x": 1}, "x"),
        (Ignoring, {"n": 1, "x": 1}, None),
        (Allowing, {"n": 1, "x": 1}, None),
    ],
)
def test_unknown_names_are_errors_at_any_depth_unless_the_author_says_what_they_mean(
    annotation: Any, given: Any, field: str | None
) -> None:
    def f(x): ...  # type: ignore[no-untyped-def]

    f.__annotations__ = {"x": annotation}
    made = tool(f)
    assert Draft202012Validator(dict(made.input_schema)).is_valid({"x": given}) is (field is None)
    if field is None:
        assert made.arguments({"x": given})
        return
    with pytest.raises(errors.InvalidParams) as raised:
        made.arguments({"x": given})
    assert raised.value.details == ({"field": f"params.x.{field}", "problem": "There is no field of this name"},)


def test_unknown_names_in_a_result_are_left_out_as_before() -> None:
    @tool
    def f() -> Plain:
        return {"n": 1, "x": 2}  # type: ignore[return-value]

    assert json.loads(f.encode_result(f()).data)["n"] == 1


# --- x-mcp-header ----------------------------------------------------------------------------------------------------


def test_parameters_that_are_repeated_in_headers_are_known() -> None:
    @tool
    def query(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "eu") -> str:
        return region

    assert [(each.header, each.path) for each in query.mirrors] == [("Mcp-Param-Region", ("region",))]
    assert [each.header for each in write_to.mirrors] == ["Mcp-Param-Region"]


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (Annotated[str, Field(json_schema_extra={"x-mcp-header": "no token"})], "query: .*is not a header name"),
        (Annotated[float, Field(json_schema_extra={"x-mcp-header": "A"})], "query: .*one type of string, integer"),
    ],
)
def test_an_annotation_that_clients_refuse_is_refused_here(annotation: Any, said: str) -> None:
    def query(region: Any) -> None: ...

    query.__annotations__["region"] = annotation
    with pytest.raises(ToolDefinitionError, match=said):
        tool(query)


def test_a_list_with_such_a_tool_can_be_made() -> None:
    registry = Registry([write_to])
    assert isinstance(registry.get("write_to", ANONYMOUS), Tool)
