"""What an author's type says in its own words is JSON Schema, or refused when it is defined; so is what it raises."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from enum import Enum, Flag
from typing import Annotated, Any, Literal

import pytest
from author_calls import returning, taking
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from mcp_app import ToolDefinitionError, errors, prompt, tool


class Required(BaseModel):
    model_config = ConfigDict(json_schema_extra={"required": "a"})

    a: int = 1


class Draft4(BaseModel):
    model_config = ConfigDict(json_schema_extra={"$schema": "http://json-schema.org/draft-04/schema#"})

    a: int = 1


class Named(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://x.example/named"}
    )

    a: int = 1


class Odd(Enum):
    THING = object()


class Raises:
    @classmethod
    def __get_pydantic_core_schema__(cls, *_: Any) -> Any:
        raise OSError("no such disk")


class RaisesLate:
    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, handler: Callable[[Any], Any]) -> Any:
        return handler(int)

    @classmethod
    def __get_pydantic_json_schema__(cls, *_: Any) -> Any:
        raise LookupError("no such word")


NO_SCHEMAS = [
    (Annotated[int, Field(ge="1")], '{"minimum":"1"}'),
    (Annotated[int, Field(json_schema_extra={"type": "integr"})], '{"type":"integr"}'),
    (list[Annotated[int, Field(json_schema_extra={"examples": 3})]], '{"examples":3}'),
    (Annotated[int, WithJsonSchema({"properties": {"a": {"minLength": -1}}})], '{"minLength":-1}'),
    (Annotated[int, WithJsonSchema({"$ref": "#/$defs/none"})], "#/$defs/none"),
    (Annotated[int, WithJsonSchema({"$ref": "https://x.example/schema"})], "clients load no other"),
    (Required, '{"required":"a"}'),
    (Draft4, "draft-04"),
]


@pytest.mark.parametrize(("annotation", "said"), NO_SCHEMAS)
def test_what_is_no_json_schema_is_refused_with_function_parameter_reason_and_remedy(
    annotation: Any, said: str
) -> None:
    with pytest.raises(ToolDefinitionError) as refused:
        taking(annotation)
    for part in ("taking.<locals>.function: ", "parameter x", said, "Mend what"):
        assert part in str(refused.value)
    with pytest.raises(ToolDefinitionError) as refused:
        returning(annotation)
    assert said in str(refused.value)


def test_a_schema_is_listed_without_its_draft_and_its_address() -> None:
    assert json.dumps(dict(taking(Named).input_schema)).count("$") == 0
    assert json.dumps(dict(returning(Named).output_schema or {})).count("$") == 0


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "object", "properties": {"x": {"type": "nonsense"}}}, '{"type":"nonsense"}'),
        ({"type": "object", "required": "x"}, '{"required":"x"}'),
        ({"type": "object", "properties": {"x": {"$ref": "#/definitions/none"}}}, "leads to nothing"),
        ({"type": "object", "$schema": "http://json-schema.org/draft-04/schema#"}, "draft-04"),
    ],
)
def test_an_input_schema_that_is_none_is_refused(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(ToolDefinitionError, match="function: its input_schema cannot be listed") as refused:

        @tool(input_schema=schema)
        def function(x: int) -> None: ...

    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (Odd, "not serialisable as JSON"),
        (Literal[Odd.THING], "not serialisable as JSON"),
        (dict[Odd, int], "not serialisable as JSON"),
        (Raises, "OSError: no such disk"),
        (list[RaisesLate], "LookupError: no such word"),
        (dataclasses.make_dataclass("Of", [("odd", Odd)]), "not serialisable as JSON"),
    ],
)
def test_whatever_a_type_raises_is_told_to_its_author(annotation: Any, said: str) -> None:
    with pytest.raises(ToolDefinitionError, match="parameter x") as refused:
        taking(annotation)
    assert said in str(refused.value)
    assert refused.value.__cause__ is not None
    with pytest.raises(ToolDefinitionError, match="returns what JSON cannot carry") as refused:
        returning(annotation)
    assert said in str(refused.value)


def test_a_prompt_is_told_as_well() -> None:
    with pytest.raises(ToolDefinitionError, match="no such disk"):

        @prompt
        def ask(x: Raises) -> str:
            return ""


def test_what_an_author_says_rightly_is_listed() -> None:
    made = taking(Annotated[int, WithJsonSchema({"type": "integer", "minimum": 0, "x-unit": "m", "examples": [1]})])
    Draft202012Validator.check_schema(dict(made.input_schema))
    assert made.input_schema["properties"]["x"] == {"type": "integer", "minimum": 0, "x-unit": "m", "examples": [1]}


class Inner(BaseModel):
    a: int = "x"  # type: ignore[assignment]


class Outer(BaseModel):
    inner: list[Inner]


@dataclasses.dataclass
class Row:
    p: Annotated[int, Field(pattern="a")]


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (Outer, "Inner.a: its default 'x' is none of its own type"),
        (dict[str, Outer | None], "Inner.a: its default"),
        (Enum("Nothing", []), "the enumeration Nothing has no members"),
        (list[Flag("None_", [])], "the enumeration None_ has no members"),  # type: ignore[misc]
        (list[Row], "Row.p: the constraint pattern='a' cannot apply"),
    ],
)
def test_what_is_refused_within_a_class_is_named_with_class_and_field(annotation: Any, said: str) -> None:
    with pytest.raises(ToolDefinitionError, match="the parameter x cannot be filled by callers") as refused:
        taking(annotation)
    assert said in str(refused.value)
    with pytest.raises(ToolDefinitionError) as refused:
        returning(annotation)
    assert said in str(refused.value)


def test_a_parameter_itself_is_named_once() -> None:
    with pytest.raises(ToolDefinitionError, match="by callers: the constraint") as refused:
        taking(Annotated[int, Field(pattern="a")])
    assert "p_x" not in str(refused.value)


def test_a_method_is_told_how_it_becomes_a_tool() -> None:
    class Counter:
        def up(self, by: int) -> int:
            return by + 1

    with pytest.raises(ToolDefinitionError, match=r"no caller can send self, the object.*`tool\(object\.up\)`"):
        tool(Counter.up)
    assert tool(Counter().up).arguments({"by": 1}) == {"by": 1}


@pytest.mark.parametrize("field", [Field(alias=""), Field(validation_alias="")])
def test_an_empty_alias_is_refused(field: Any) -> None:
    with pytest.raises(ToolDefinitionError, match="the parameter x has an empty alias"):
        taking(Annotated[int, field])


def test_null_is_no_example_of_what_was_meant() -> None:
    def function(x: str = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013

    with pytest.raises(errors.InvalidParams) as refused:
        tool(function).arguments({"x": 5})
    assert "null" not in str(refused.value)
    with pytest.raises(errors.InvalidParams, match="such as null"):
        taking(None).arguments({"x": 5})
