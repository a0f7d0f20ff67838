"""Prompts: those of the conformance fixture, what they take, what they return, and what is refused when."""

from __future__ import annotations

import base64
import re
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from author_calls import PNG, called, valid
from pydantic import BaseModel, Field

from mcp_app import Context, ToolDefinitionError
from mcp_app.authoring.content import EmbeddedResource, Image, Text
from mcp_app.authoring.prompt import Message, Prompt, Prompts, UnknownPrompt, prompt
from mcp_app.protocol.access import ANONYMOUS
from mcp_app.protocol.errors import InvalidParams, ToolFailed

PNG64 = base64.b64encode(PNG).decode()

# --- the fixture of the conformance suite ----------------------------------------------------------------------------


@prompt(name="test_simple_prompt")
def simple() -> str:
    """A prompt without arguments."""
    return "This is a simple prompt for testing."


@prompt(name="test_prompt_with_arguments")
def with_arguments(arg1: str, arg2: str) -> str:
    """A prompt with arguments.

    Args:
        arg1: the first
        arg2: the second
    """
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@prompt(name="test_prompt_with_embedded_resource")
async def embedded(resourceUri: str) -> list[Message]:  # noqa: N803 - the suite's name
    """A prompt with a resource."""
    content = EmbeddedResource(uri=resourceUri, mime_type="text/plain", text="Embedded resource content for testing.")
    return [Message("user", [content, "Please process the embedded resource above."])]


@prompt(name="test_prompt_with_image", title="With a picture")
def with_picture() -> list[Image | str]:
    """A prompt with a picture."""
    return [Image(PNG), "Please analyze the image above."]


FIXTURE = Prompts([simple, with_arguments, embedded, with_picture])


async def get(prompts: Prompts, name: str, **texts: str) -> list[dict[str, Any]]:
    found = prompts.get(name, ANONYMOUS)
    result, _ = await called(found, found.arguments(texts))
    assert result.get("description") == (found.description or None)
    valid("prompts/get", result)
    messages: list[dict[str, Any]] = result["messages"]
    return messages


def said(*texts: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": {"type": "text", "text": text}} for text in texts]


def test_list() -> None:
    listed = {"prompts": [each.wire() for each in FIXTURE]}
    assert listed["prompts"][:2] == [
        {
            "name": "test_simple_prompt",
            "title": "Test simple prompt",
            "description": "A prompt without arguments.",
        },
        {
            "name": "test_prompt_with_arguments",
            "title": "Test prompt with arguments",
            "description": "A prompt with arguments.",
            "arguments": [
                {"name": "arg1", "description": "the first", "required": True},
                {"name": "arg2", "description": "the second", "required": True},
            ],
        },
    ]
    assert [each["name"] for each in listed["prompts"][2:]] == [
        "test_prompt_with_embedded_resource",
        "test_prompt_with_image",
    ]
    assert listed["prompts"][3]["title"] == "With a picture"
    valid("prompts/list", listed)


def test_an_argument_has_its_title() -> None:
    @prompt
    def about(topic: Annotated[str, Field(title="The topic", description="What it is about.")], count: int = 1) -> str:
        return f"{topic} {count}"

    assert about.wire()["arguments"] == [
        {"name": "topic", "title": "The topic", "description": "What it is about.", "required": True},
        {"name": "count", "required": False},
    ]
    valid("prompts/list", {"prompts": [about.wire()]})


async def test_simple() -> None:
    assert await get(FIXTURE, "test_simple_prompt") == said("This is a simple prompt for testing.")


async def test_with_arguments() -> None:
    messages = await get(FIXTURE, "test_prompt_with_arguments", arg1="a", arg2="7")
    assert messages == said("Prompt with arguments: arg1='a', arg2='7'")


async def test_with_a_resource() -> None:
    messages = await get(FIXTURE, "test_prompt_with_embedded_resource", resourceUri="test://example-resource")
    resource = {
        "uri": "test://example-resource",
        "mimeType": "text/plain",
        "text": "Embedded resource content for testing.",
    }
    assert messages == [
        {"role": "user", "content": {"type": "resource", "resource": resource}},
        *said("Please process the embedded resource above."),
    ]


async def test_with_a_picture() -> None:
    assert await get(FIXTURE, "test_prompt_with_image") == [
        {"role": "user", "content": {"type": "image", "data": PNG64, "mimeType": "image/png"}},
        *said("Please analyze the image above."),
    ]


def test_unknown() -> None:
    with pytest.raises(UnknownPrompt) as refused:
        FIXTURE.get("test_simple_promt", ANONYMOUS)
    assert refused.value.object() == {
        "code": "unknown_prompt",
        "message": "There is no prompt named 'test_simple_promt'.",
        "hint": "Did you mean test_simple_prompt? prompts/list names every prompt with its arguments.",
    }
    with pytest.raises(UnknownPrompt):
        FIXTURE.get("x" * 100_000, ANONYMOUS)


# --- what they take: strings -----------------------------------------------------------------------------------------


class Style(Enum):
    SHORT = "short"
    LONG = "long"


class Place(BaseModel):
    city: str


@prompt
def everything(
    ctx: Context,
    count: int,
    style: Style,
    when: date,
    level: Literal[1, 2] = 1,
    exact: bool = False,
    names: list[str] | None = None,
    numbers: list[int] = [],  # noqa: B006 - nobody changes it
    place: Place | None = None,
    table: dict[str, int] | None = None,
    ratio: Annotated[float, Field(description="of all", ge=0)] = 0.5,
) -> str:
    """Everything there is."""
    return repr((count, style, when, level, exact, names, numbers, place, table, ratio, ctx.principal))


async def test_strings_become_what_the_types_say() -> None:
    texts = {
        "count": "3",
        "style": "long",
        "when": "2026-07-28",
        "level": "2",
        "exact": "true",
        "names": '["a","b"]',
        "numbers": "7",
        "place": '{"city":"Ulm"}',
        "table": '{"a":1}',
        "ratio": "1.5",
    }
    [message] = await get(Prompts([everything]), "everything", **texts)
    assert message["content"]["text"] == repr(
        (3, Style.LONG, date(2026, 7, 28), 2, True, ["a", "b"], [7], Place(city="Ulm"), {"a": 1}, 1.5, "somebody")
    )


def test_arguments_are_listed_without_the_context() -> None:
    arguments = everything.wire()["arguments"]
    assert [each["name"] for each in arguments if each["required"]] == ["count", "style", "when"]
    assert arguments[-1] == {"name": "ratio", "description": "of all", "required": False}
    assert "ctx" not in {each["name"] for each in arguments}


@pytest.mark.parametrize(
    ("texts", "fields"),
    [
        ({}, ["count", "style", "when"]),
        ({"count": "many", "style": "long", "when": "2026-07-28"}, ["count"]),
        ({"count": "1", "style": "longer", "when": "2026-07-28"}, ["style"]),
        ({"count": "1", "style": "long", "when": "2026-07-28", "place": "{"}, ["place"]),
        ({"count": "1", "style": "long", "when": "2026-07-28", "place": "{}"}, ["place.city"]),
        ({"count": "1", "style": "long", "when": "2026-07-28", "table": "[" * 100_000}, ["table"]),
        ({"count": "1", "style": "long", "when": "2026-07-28", "numbers": "[1,NaN]"}, ["numbers.0"]),
        ({"count": "1", "style": "long", "when": "2026-07-28", "more": "1"}, ["more"]),
    ],
)
def test_arguments_that_do_not_validate(texts: dict[str, str], fields: list[str]) -> None:
    with pytest.raises(InvalidParams) as refused:
        everything.arguments(texts)
    assert [each["field"] for each in refused.value.details] == [f"arguments.{each}" for each in fields]
    assert refused.value.hint == "prompts/list names the arguments of every prompt."


def test_text_stays_text_whatever_it_looks_like() -> None:
    assert with_arguments.arguments({"arg1": "{}", "arg2": "[1]"}) == {"arg1": "{}", "arg2": "[1]"}


# --- what they return ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "messages"),
    [
        ("", said("")),
        (Text("a"), said("a")),
        (["a", "b"], said("a", "b")),
        ([], []),
        (("a",), said("a")),
        (Message("assistant", "a"), [{"role": "assistant", "content": {"type": "text", "text": "a"}}]),
        ([Message("user", ["a", Text("b")]), "c"], said("a", "b", "c")),
        (Message("user", []), []),
    ],
)
async def test_returned(value: Any, messages: list[dict[str, Any]]) -> None:
    @prompt
    def returns() -> Any:
        return value

    assert await get(Prompts([returns]), "returns") == messages


@pytest.mark.parametrize("value", [None, 1, {"role": "user"}, ["a", None], [["a"]], b"a"])
async def test_returned_what_is_no_message(value: Any) -> None:
    @prompt
    async def returns() -> Any:
        return value

    with pytest.raises(ToolFailed, match=r"The prompt returns returned .*: return str, content, Message, or a list"):
        await called(returns, {})


async def test_returned_what_no_json_has() -> None:
    @prompt
    async def returns() -> str:
        return "\ud800"

    with pytest.raises(ToolFailed, match="The prompt returns returned what cannot be sent as JSON"):
        await called(returns, {})


@pytest.mark.parametrize(
    ("role", "content", "problem"),
    [("system", "a", "no role"), ("user", 1, "not int"), ("user", ["a", None], "not NoneType")],
)
def test_messages_that_are_none(role: Any, content: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Message(role, content)


# --- definitions -----------------------------------------------------------------------------------------------------


def nothing() -> str:
    return ""


def yields() -> Any:
    yield ""


def starred(*names: str) -> str:
    return ""


@pytest.mark.parametrize(
    ("options", "function", "problem"),
    [
        ({}, yields, "yields: @prompt goes on a function that returns"),
        ({}, Style, "is not a function: @prompt goes on a function, once"),
        ({}, starred, "cannot be filled by name"),
        ({"name": ""}, nothing, "'' is no name for a prompt"),
        ({"name": "a\nb"}, nothing, "is no name for a prompt"),
        ({"name": "x" * 129}, nothing, "is no name for a prompt"),
    ],
)
def test_functions_that_cannot_be_prompts(options: dict[str, Any], function: Any, problem: str) -> None:
    with pytest.raises(ToolDefinitionError, match=re.escape(problem)):
        prompt(**options)(function)


def test_a_prompt_of_a_prompt() -> None:
    with pytest.raises(ToolDefinitionError, match="once"):
        prompt(simple)


def test_names() -> None:
    assert prompt(name="code review")(nothing).title == "Code review"
    assert prompt(nothing).wire() == {"name": "nothing", "title": "Nothing"}
    assert prompt(nothing)() == ""


def test_annotations_may_name_what_is_local() -> None:
    Here = Literal["a", "b"]  # noqa: N806 - a type

    @prompt
    def bare(a: Here) -> str:
        return a

    @prompt(name="called")
    def other(a: Here) -> str:
        return a

    assert [each.arguments({"a": "b"}) for each in (bare, other)] == [{"a": "b"}] * 2


def test_duplicates_are_refused() -> None:
    with pytest.raises(ToolDefinitionError, match=r"the name nothing: .*test_prompts.nothing \(line \d+\)"):
        Prompts([prompt(nothing), prompt(nothing)])


def test_changes_are_told() -> None:
    told: list[int] = []
    prompts = Prompts([simple])
    prompts.watch(lambda: told.append(len(prompts)))
    prompts.remove(simple)
    prompts.add(simple)
    assert told == [0, 1]
    assert isinstance(prompts.get("test_simple_prompt", ANONYMOUS), Prompt)
