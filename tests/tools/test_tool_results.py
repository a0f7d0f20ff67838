"""What a tool yields and returns: read from its annotations, validated, encoded; and the errors when it is not."""

from __future__ import annotations

import datetime
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from mcp_app import Result, Tool, ToolDefinitionError, errors, tool
from mcp_app.authoring.kind import Encoded, Kind


class Answer(BaseModel):
    number: int = Field(alias="theNumber")


@dataclass
class Point:
    x: int


def typed(annotation: Any, *, generates: bool = False) -> Tool:
    def function(): ...  # type: ignore[no-untyped-def]

    def generator():  # type: ignore[no-untyped-def]
        yield

    chosen = generator if generates else function
    chosen.__annotations__ = {"return": annotation}
    return tool(name="t")(chosen)


# --- the four kinds --------------------------------------------------------------------------------------------------


async def coroutine() -> int:
    return 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


def function() -> int:
    return 1


def generator() -> Iterator[int]:
    yield 1


class Callables:
    """An object per kind, called as one calls a function."""

    class Coroutine:
        async def __call__(self) -> int:
            return 1

    class AsyncGenerator:
        async def __call__(self) -> AsyncIterator[int]:
            yield 1

    class Function:
        def __call__(self) -> int:
            return 1

    class Generator:
        def __call__(self) -> Iterator[int]:
            yield 1


@pytest.mark.parametrize(
    ("plain", "made", "kind"),
    [
        (coroutine, Callables.Coroutine, Kind.COROUTINE),
        (async_generator, Callables.AsyncGenerator, Kind.ASYNC_GENERATOR),
        (function, Callables.Function, Kind.FUNCTION),
        (generator, Callables.Generator, Kind.GENERATOR),
    ],
)
def test_a_kind_is_seen_through_whatever_is_around(plain: Callable[..., Any], made: type, kind: Kind) -> None:
    callable_ = made()
    for each in (
        plain,
        functools.partial(plain),
        functools.partial(functools.partial(plain)),
        callable_,
        functools.partial(callable_),
        callable_.__call__,
        staticmethod(plain),
    ):
        assert tool(name="t")(each).kind is kind, each


# --- what is declared ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (int, {"type": "integer"}),
        (None, {"type": "null"}),
        (list[int] | None, {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]}),
        (Result[int], {"type": "integer"}),
        (Annotated[Result[int], "documented"], {"type": "integer"}),
        (Result[int] | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (Annotated[int, Field(gt=0)], {"type": "integer", "exclusiveMinimum": 0}),
        (Any, None),
        (Result, None),
        (Result | int, None),
        (dict[str, datetime.date], {"type": "object", "additionalProperties": {"type": "string", "format": "date"}}),
    ],
)
def test_the_output_schema_of_a_function(annotation: Any, schema: Any) -> None:
    made = typed(annotation).output_schema
    if schema is None:
        assert made is None
        return
    assert made is not None
    Draft202012Validator.check_schema(dict(made))
    assert dict(made) == schema


@pytest.mark.parametrize(
    ("annotation", "item", "result"),
    [
        (Iterator[int], int, None),
        (Iterable[int], int, None),
        (AsyncIterator[int], int, None),
        (AsyncGenerator[int, None], int, None),
        (Generator[int, None, None], int, None),
        (Iterator[int | str], int | str, None),
        (Iterator[int | Result[str]], int, str),
        (Iterator[Result[str]], None, str),
        (Iterator[int | Result], int, None),
        (Iterator[int | Result[str] | Result[bool]], int, str | bool),
        (Generator[int, None, str], int, str),
        (Generator[int, None, Result[str]], int, str),
        (Generator[int, None, Result[str] | None], int, str | None),
        (Generator[int | Result[str], None, bool], int, str | bool),
        (Generator[int, None, Annotated[str, {"unhashable": 1}]], int, str),
        (Iterator[Any], None, None),
        (Iterator, None, None),
        (Any, None, None),
    ],
)
def test_what_a_generator_declares(annotation: Any, item: Any, result: Any) -> None:
    made = typed(annotation, generates=True)
    for adapter, expected in ((made.signature.item, item), (made.signature.result, result)):
        if expected is None:
            assert adapter is None
        else:
            assert adapter is not None
            reference = typed(expected).signature.result
            assert reference is not None
            assert adapter.json_schema() == reference.json_schema()


@pytest.mark.parametrize("annotation", [list[Result[int]], dict[str, Result], Result[Result[int]]])
def test_a_result_is_no_part_of_another_value(annotation: Any) -> None:
    with pytest.raises(ToolDefinitionError, match=r"function: .*Result is what a tool returns or yields last, never a"):
        typed(annotation)


@pytest.mark.parametrize("annotation", [object(), Tool, Callable[[], int]])
def test_what_cannot_be_returned_is_refused_at_registration(annotation: Any) -> None:
    with pytest.raises(ToolDefinitionError, match="function"):
        typed(annotation)


# --- what is sent ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "value", "encoded"),
    [
        (int, 5, b"5"),
        (Answer, Answer(theNumber=5), b'{"theNumber":5}'),
        (Any, Answer(theNumber=5), b'{"theNumber":5}'),
        (list[Answer], [{"theNumber": 5}], b'[{"theNumber":5}]'),
        (Any, Point(5), b'{"x":5}'),
        (Any, Result(5), b"5"),
        (Any, float("nan"), b"null"),
        (Any, {"a": {1}}, b'{"a":[1]}'),
        (datetime.date, datetime.date(2026, 1, 2), b'"2026-01-02"'),
        (Any, None, b"null"),
        (None, None, b"null"),
    ],
)
def test_what_a_result_is_encoded_to(annotation: Any, value: Any, encoded: bytes) -> None:
    assert typed(annotation).encode_result(value) == Encoded(encoded)


def test_the_encoded_result_fits_the_output_schema() -> None:
    made = typed(Answer)
    assert made.output_schema is not None
    Draft202012Validator(dict(made.output_schema)).validate({"theNumber": 5})
    assert made.encode_result(Answer(theNumber=5)) == Encoded(b'{"theNumber":5}')


CYCLE: list[Any] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("annotation", "value", "says"),
    [
        (int, "x", "value: Input should be a valid integer"),
        (Answer, {"theNumber": "x"}, "theNumber: Input should be a valid integer"),
        (None, 5, "value: Input should be None"),
        (Any, object(), "Unable to serialize unknown type: <class 'object'>"),
        (Any, b"\xff", "invalid utf-8"),
        (Any, "\ud800", "surrogates not allowed"),
        (Any, CYCLE, "Circular reference"),
        (Any, functools.reduce(lambda inner, _: [inner], range(5000), 1), "depth"),
        (list[Any], [object()], "object"),
    ],
)
def test_what_cannot_be_sent_names_the_tool_and_why(annotation: Any, value: Any, says: str) -> None:
    made = typed(annotation)
    with pytest.raises(errors.ToolFailed) as raised:
        made.encode_result(value)
    assert raised.value.message.startswith("The tool t returned what ")
    assert says in raised.value.message
    with pytest.raises(errors.ToolFailed, match="The tool t yielded what "):
        typed(Iterator[annotation], generates=True).encode_item(value)
