"""`Result`: what an author may put beside the data, what becomes of it, and what is refused, and how that is said."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from mcp_app import (
    Annotations,
    Image,
    Prompts,
    ResourceLink,
    Result,
    Text,
    ToolDefinitionError,
    errors,
    prompt,
    resource,
    tool,
)
from mcp_app.authoring.context import Caller
from mcp_app.protocol.access import ANONYMOUS, Access
from mcp_app.protocol.event import Event
from mcp_app.runs.execution import Outcome, work
from mcp_app.runs.threads import Threads

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
IMAGE = {"type": "image", "data": "iVBORw0KGgoAAAAAAAAAAA==", "mimeType": "image/png"}
ROWS = [{"id": 1}]


async def worked(made: Any, **arguments: Any) -> Outcome:
    async def emit(events: Any) -> None:
        assert all(isinstance(each, Event) for each in events)

    caller = Caller(access=Access("ann"), headers={}, deadline=60.0, clock=lambda: 0.0)
    return await work(made, arguments, caller, emit, Threads(4))


def beside(outcome: Outcome) -> Any:
    return json.loads(outcome.result.beside) if outcome.result.beside else None


def rich() -> Result[list[dict[str, int]]]:
    return Result(ROWS, text="1 row", content=[Image(PNG), "a caption"], meta={"com.example/took": 3})


BESIDE = {"text": "1 row", "content": [IMAGE, {"type": "text", "text": "a caption"}], "meta": {"com.example/took": 3}}


@tool
async def coroutine() -> Result[list[dict[str, int]]]:
    return rich()


@tool
def function() -> Result[list[dict[str, int]]]:
    return rich()


@tool
async def async_generator() -> AsyncIterator[int | Result[list[dict[str, int]]]]:
    yield 1
    yield rich()


@tool
def generator() -> Iterator[int | Result[list[dict[str, int]]]]:
    yield 1
    yield rich()


@tool
def returning_generator() -> Iterator[int | Result[list[dict[str, int]]]]:
    yield 1
    return rich()


KINDS = [coroutine, function, async_generator, generator, returning_generator]


@pytest.mark.parametrize("made", KINDS, ids=lambda each: each.name)
async def test_every_kind_of_function_gives_a_result_with_what_is_beside_it(made: Any) -> None:
    outcome = await worked(made)
    assert json.loads(outcome.result.data) == ROWS
    assert not outcome.result.content
    assert beside(outcome) == BESIDE
    schema = {"type": "object", "additionalProperties": {"type": "integer"}}
    assert made.output_schema == {"type": "array", "items": schema}


@pytest.mark.parametrize("made", KINDS, ids=lambda each: each.name)
async def test_the_data_is_validated_as_if_it_stood_alone(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROWS", [{"id": "one"}])
    with pytest.raises(errors.ToolFailed, match=f"The tool {made.name} returned what it does not declare: 0.id: "):
        await worked(made)


LINK = ResourceLink("https://example.com/report", name="report")


@pytest.mark.parametrize(
    ("result", "sent"),
    [
        (Result(1), None),
        (Result(1, text=None, content=(), meta=None), None),
        (Result(1, content=[], meta={}), None),
        (Result(1, text=""), {"text": ""}),
        (Result(1, text="half \ud800"), {"text": "half \ufffd"}),
        (Result(1, content=Image(PNG)), {"content": [IMAGE]}),
        (Result(1, content=("a", "b")), {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}),
        (
            Result(1, content=[Text("a", Annotations(audience=["user"]))]),
            {"content": [{"type": "text", "text": "a", "annotations": {"audience": ["user"]}}]},
        ),
        (
            Result(1, content=[LINK]),
            {"content": [{"type": "resource_link", "uri": "https://example.com/report", "name": "report"}]},
        ),
        (Result(1, meta=MappingProxyType({"plain": [1, None]})), {"meta": {"plain": [1, None]}}),
        (Result(1, meta={"com.example/nan": float("nan")}), {"meta": {"com.example/nan": None}}),
    ],
    ids=repr,
)
async def test_what_is_beside_it(result: Result[int], sent: Any) -> None:
    @tool
    async def gives() -> Result[int]:
        return result

    outcome = await worked(gives)
    assert (outcome.result.data, beside(outcome)) == (b"1", sent)


class Odd:
    pass


WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: Result(1, text=5), "gave a Result with a text of type int, not str"),  # type: ignore[arg-type]
    (lambda: Result(1, text=b"x"), "gave a Result with a text of type bytes, not str"),  # type: ignore[arg-type]
    (lambda: Result(1, content="a text"), "gave a Result with content of type str: give a list of Image, "),
    (lambda: Result(1, content=[1, 2]), "gave a Result with content of type list: give a list of Image, "),  # type: ignore[list-item]
    (lambda: Result(1, content={"a": 1}), "gave a Result with content of type dict"),  # type: ignore[arg-type]
    (lambda: Result(1, content=None), "gave a Result with content of type NoneType"),  # type: ignore[arg-type]
    (lambda: Result(1, content=[LINK, 5]), "gave a Result with what is no content: item 1 of the list is of type int"),  # type: ignore[list-item]
    (lambda: Result(1, meta=[("a", 1)]), "gave a Result with a meta that is no dict with str as keys"),  # type: ignore[arg-type]
    (lambda: Result(1, meta={1: 2}), "gave a Result with a meta that is no dict with str as keys"),  # type: ignore[dict-item]
    (
        lambda: Result(1, meta={"io.modelcontextprotocol/x": 1}),
        "gave a Result with the key 'io.modelcontextprotocol/x' in meta, which is none of _meta: expected another",
    ),
    (lambda: Result(1, meta={"mcp.mcp/x": 1}), ".*expected another prefix"),
    (lambda: Result(1, meta={"-x-": 1}), ".*expected a name that begins and ends with a letter or digit"),
    (lambda: Result(1, meta={"com.example/x": Odd()}), "gave a Result that cannot be sent as JSON: .*Odd"),
    (lambda: Result(1, meta={"com.example/x": "\ud800"}), "gave a Result that cannot be sent as JSON: "),
    (lambda: Result(Result(1)), "gave a Result of a Result: return the inner one"),
    (lambda: [Result(1)], "what cannot be sent as JSON: .*Result"),
    (lambda: {"a": Result(1)}, "what cannot be sent as JSON: .*Result"),
]


@pytest.mark.parametrize(("make", "said"), WRONG, ids=[said[:60] for _, said in WRONG])
async def test_what_cannot_be_beside_it_says_so_and_names_the_tool(make: Callable[[], Any], said: str) -> None:
    @tool
    async def async_wrong():  # type: ignore[no-untyped-def]
        return make()

    @tool
    def wrong():  # type: ignore[no-untyped-def]
        return make()

    @tool
    def yields_wrong() -> Iterator[Any]:
        yield Result(make()) if isinstance(make(), list | dict) else make()

    for each in (async_wrong, wrong, yields_wrong):
        with pytest.raises(errors.ToolFailed, match=f"^The tool {each.name} (returned )?{said}"):
            await worked(each)


# --- what works only when it is read ---------------------------------------------------------------------------------


async def test_on_the_loop_nothing_lazy_stands_in_any_part() -> None:
    for make in (
        lambda: Result(iter([1])),
        lambda: Result(1, content=(each for each in [LINK])),  # type: ignore[arg-type]
        lambda: Result(1, meta={"com.example/x": map(str, [1])}),
    ):

        @tool
        async def lazy():  # type: ignore[no-untyped-def]
            return make()  # noqa: B023 - called in this turn

        with pytest.raises(errors.ToolFailed, match="The tool lazy is async and gave a "):
            await worked(lazy)


async def test_in_a_thread_what_is_lazy_is_read() -> None:
    @tool
    def lazy():  # type: ignore[no-untyped-def]
        images: Iterator[Any] = (each for each in [LINK, "a"])
        return Result(iter([1]), content=images, meta={"com.example/x": map(str, [1])})  # type: ignore[arg-type]

    outcome = await worked(lazy)
    assert outcome.result.data == b"[1]"
    assert [each["type"] for each in beside(outcome)["content"]] == ["resource_link", "text"]
    assert beside(outcome)["meta"] == {"com.example/x": ["1"]}


# --- who else ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("annotation", [Result, Result[str], Result[str] | None, "Result[str]"])
def test_a_prompt_or_a_resource_that_declares_one_is_refused(annotation: Any) -> None:
    def gives():  # type: ignore[no-untyped-def]
        return Result("x")

    gives.__annotations__ = {"return": annotation}
    for decorate in (prompt, resource("test://x")):
        with pytest.raises(ToolDefinitionError, match=r"gives: only a tool gives a Result\. Return, and declare, what"):
            decorate(gives)  # type: ignore[operator]


async def test_a_prompt_or_a_resource_that_returns_one_fails() -> None:
    def gives():  # type: ignore[no-untyped-def]
        return Result("x")

    made = Prompts([prompt(gives)]).get("gives", ANONYMOUS)
    with pytest.raises(errors.ToolFailed, match="The prompt gives returned a Result, which only tools give: return"):
        await worked(made)
    reading, _ = resource("test://x")(gives).reading("test://x", {})
    with pytest.raises(errors.ToolFailed, match="The resource gives returned what cannot be read: a Result is given"):
        await worked(reading)


# --- the value itself -------------------------------------------------------------------------------------------------


def test_a_result_is_what_it_holds() -> None:
    assert rich() == rich()
    assert rich() != Result(ROWS)
    assert Result(1) != 1
    assert repr(Result(1)) == "Result(1)"
    assert repr(Result([1], text="one", meta={"a": 1})) == "Result([1], text='one', meta={'a': 1})"
    with pytest.raises(TypeError, match="unhashable"):
        hash(Result(1))
    with pytest.raises(TypeError):
        Result(1, "text")  # type: ignore[misc]


def test_meta_may_be_any_mapping() -> None:
    given: Mapping[str, Any] = MappingProxyType({"a": 1})
    assert Result(1, meta=given).parts == (1, (), given)
