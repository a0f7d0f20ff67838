"""A pydantic model as a form (MCP 2026-07-28, client/elicitation, Requested Schema)."""

from __future__ import annotations

import datetime
from enum import Enum
from typing import Annotated, Any, Literal

import mcp_types._v2025_11_25 as v2025
import mcp_types._v2026_07_28 as v2026
import pytest
from pydantic import BaseModel, Field, SecretStr, create_model

from mcp_app import Message, Titled, ToolDefinitionError
from mcp_app.asking import asker as asks
from mcp_app.asking.form import requested_schema


class Colour(Enum):
    """A colour."""

    RED = "#f00"
    GREEN = "#0f0"


Size = Annotated[Literal["s", "l"], Titled({"s": "Small", "l": "Large"})]
SIZES = [{"const": "s", "title": "Small"}, {"const": "l", "title": "Large"}]


def form(annotation: Any, default: Any = ...) -> dict[str, Any]:
    """The one field of a form; the whole is checked against the revisions' schemas."""
    schema = requested_schema(create_model("Form", field=(annotation, default)))
    params = {"message": "m", "requestedSchema": schema}
    v2026.ElicitRequestFormParams.model_validate(params)
    v2025.ElicitRequestFormParams.model_validate(params)
    found: dict[str, Any] = schema["properties"]["field"]
    return found


@pytest.mark.parametrize(
    ("annotation", "shown"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (datetime.date, {"type": "string", "format": "date"}),
        (datetime.datetime, {"type": "string", "format": "date-time"}),
        (Annotated[str, Field(min_length=1, max_length=9)], {"type": "string", "minLength": 1, "maxLength": 9}),
        (Annotated[int, Field(ge=1, le=9)], {"type": "integer", "minimum": 1, "maximum": 9}),
        (Annotated[str, Field(title="T", description="D")], {"type": "string", "title": "T", "description": "D"}),
        (Annotated[str, Field(json_schema_extra={"format": "email"})], {"type": "string", "format": "email"}),
        # What a form cannot check is checked in the answer.
        (Annotated[str, Field(pattern="^a")], {"type": "string"}),
        (datetime.time, {"type": "string"}),
        (Annotated[int, Field(multiple_of=2)], {"type": "integer"}),
        # Choices.
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a"], {"type": "string", "enum": ["a"]}),
        (Colour, {"type": "string", "enum": ["#f00", "#0f0"]}),
        (Size, {"type": "string", "oneOf": SIZES}),
        (
            Annotated[Literal["a", "b"], Field(json_schema_extra={"enumNames": ["A", "B"]})],
            {"type": "string", "enum": ["a", "b"], "enumNames": ["A", "B"]},
        ),
        (list[Literal["a", "b"]], {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}}),
        (list[Colour], {"type": "array", "items": {"type": "string", "enum": ["#f00", "#0f0"]}}),
        (
            Annotated[list[Size], Field(min_length=1, max_length=2)],
            {"type": "array", "minItems": 1, "maxItems": 2, "items": {"anyOf": SIZES}},
        ),
    ],
)
def test_what_a_form_can_show(annotation: Any, shown: dict[str, Any]) -> None:
    assert form(annotation) == shown


@pytest.mark.parametrize(
    ("annotation", "default", "shown"),
    [
        (str, "John Doe", {"type": "string", "default": "John Doe"}),
        (float, 95.5, {"type": "number", "default": 95.5}),
        (bool, True, {"type": "boolean", "default": True}),
        (Literal["a", "b"], "b", {"type": "string", "enum": ["a", "b"], "default": "b"}),
        (Size, "l", {"type": "string", "oneOf": SIZES, "default": "l"}),
        (Colour, Colour.RED, {"type": "string", "enum": ["#f00", "#0f0"], "default": "#f00"}),
        (list[Size], ["s"], {"type": "array", "items": {"anyOf": SIZES}, "default": ["s"]}),
        (str | None, None, {"type": "string"}),
        (Colour | None, None, {"type": "string", "enum": ["#f00", "#0f0"]}),
        (int | None, 3, {"type": "integer", "default": 3}),
    ],
)
def test_defaults_and_what_may_be_left_out(annotation: Any, default: Any, shown: dict[str, Any]) -> None:
    assert form(annotation, default) == shown
    assert "required" not in requested_schema(create_model("Form", field=(annotation, default)))


async def test_names_are_those_of_the_wire() -> None:
    class Aliased(BaseModel):
        class_: str = Field(alias="class")

    assert requested_schema(Aliased) == {
        "type": "object",
        "properties": {"class": {"type": "string"}},
        "required": ["class"],
    }
    read = await asks.form(Aliased, "m").read({"action": "accept", "content": {"class": "x"}})
    assert read.class_ == "x"


class Inner(BaseModel):
    name: str


@pytest.mark.parametrize(
    "annotation",
    [Inner, list[str], list[Inner], dict[str, str], int | str, Any, Literal[1, 2], Literal["a", 1], tuple[int, int]],
)
def test_what_no_form_can_show_is_refused(annotation: Any) -> None:
    with pytest.raises(ToolDefinitionError, match=r"Form\.field"):
        form(annotation)


@pytest.mark.parametrize("annotation", [SecretStr, SecretStr | None])
def test_secrets_are_refused(annotation: Any) -> None:
    with pytest.raises(ToolDefinitionError, match="ask_url"):
        form(annotation)


@pytest.mark.parametrize("model", [str, Inner(name="x"), None])
def test_what_is_no_model_is_refused(model: Any) -> None:
    with pytest.raises(ToolDefinitionError, match="model"):
        requested_schema(model)


def test_titles_are_of_the_choices() -> None:
    with pytest.raises(ToolDefinitionError, match="Titled"):
        form(Annotated[Literal["a", "b"], Titled({"a": "A"})])


async def test_an_answer_is_validated_with_the_whole_model() -> None:
    class Form(BaseModel):
        code: Annotated[str, Field(pattern="^[a-z]+$")]
        size: Size = "s"
        count: int = 1
        colours: list[Colour] = []

    ask = asks.form(Form, "m")

    async def read(**content: Any) -> Form:
        return await ask.read({"action": "accept", "content": content})

    assert await read(code="abc") == Form(code="abc")
    assert await read(code="abc", size="l", count=2.0, colours=["#f00"]) == Form(
        code="abc", size="l", count=2, colours=[Colour.RED]
    )
    assert await read(code="abc", count=None) == Form(code="abc")  # left out in a form
    for wrong in (
        {},
        {"code": "1"},
        {"code": "a", "size": "m"},
        {"code": "a", "count": "2"},
        {"code": "a", "count": 1.5},
    ):
        with pytest.raises(ValueError, match=r"Form"):
            await read(**wrong)


@pytest.mark.parametrize("url", ["", "example.com", "file:///etc/passwd", "javascript:alert(1)", "https://"])
def test_a_page_to_open_has_a_url(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        asks.url(url, "m")


@pytest.mark.parametrize("messages", [[], 1, [1], {"role"}])
def test_messages_that_are_none(messages: Any) -> None:
    with pytest.raises(ValueError, match="message"):
        asks.sampling(messages, {"maxTokens": 1})


@pytest.mark.parametrize(
    ("messages", "options"),
    [
        ({"role": "system", "content": {"type": "text", "text": "x"}}, {"maxTokens": 1}),
        ({"role": "user", "content": "x"}, {"maxTokens": 1}),
        ("x", {}),
        ("x", {"maxTokens": "many"}),
        ("x", {"maxTokens": 1, "tools": ["t"]}),
    ],
)
def test_what_is_no_sampling_is_refused_at_the_call(messages: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="CreateMessageRequestParams"):
        asks.sampling(messages, options)


def test_messages_of_every_kind() -> None:
    said = {"role": "assistant", "content": {"type": "text", "text": "b"}}
    ask = asks.sampling(["a", said, Message("user", "c")], {"maxTokens": 1})
    assert [each["content"]["text"] for each in ask.params["messages"]] == ["a", "b", "c"]
    assert [each["role"] for each in ask.params["messages"]] == ["user", "assistant", "user"]


def test_an_ask_is_told_from_another_by_what_it_says() -> None:
    assert asks.form(Inner, "m").digest == asks.form(Inner, "m").digest
    assert asks.form(Inner, "m").digest != asks.form(Inner, "n").digest
