"""Decorators that are classes, set a `__signature__` or hide a generator; and what of it cannot be a tool."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import re
import sys
import threading
import types
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Optional

import pytest
from author_calls import called
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field
from typing_extensions import TypeAliasType

from mcp_app import Context, Image, Result, Text, Tool, ToolDefinitionError, errors, tool
from mcp_app.authoring.kind import Kind
from mcp_app.protocol.event import Event, EventType


class Wrapped:
    """A decorator as a class, without `__get__`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def asynchronous(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def parts(events: list[Event]) -> list[bytes]:
    return [event.data for event in events if event.type is EventType.PARTIAL]


def double(n: int) -> int:
    """Double it."""
    return n * 2


async def wait(n: int) -> int:
    await asyncio.sleep(0)
    return n * 2


def count(n: int) -> Iterator[int | Result[str]]:
    yield from range(n)
    yield Result("done")


async def tick(n: int) -> AsyncIterator[int]:
    for each in range(n):
        yield each


# --- decorators ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [double, wait])
async def test_a_decorator_that_is_a_class(function: Any) -> None:
    made = tool(Wrapped(function))
    assert made.name == function.__name__
    assert made.description == (function.__doc__ or "")
    assert made.input_schema["properties"] == {"n": {"type": "integer"}}
    assert made.output_schema == {"type": "integer"}
    assert (await called(made, made.arguments({"n": 2})))[0] == 4
    with pytest.raises(errors.ToolFailed, match="does not declare"):
        made.encode_result("not int")


async def test_a_class_around_a_coroutine_may_answer_by_itself() -> None:
    class Cached(Wrapped):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return 7

    made = tool(Cached(wait))
    assert (await called(made, made.arguments({"n": 2})))[0] == 7


async def test_a_class_around_generators() -> None:
    for function, kind in ((count, Kind.GENERATOR), (tick, Kind.ASYNC_GENERATOR)):
        made = tool(Wrapped(function))
        assert made.kind is kind
        assert parts((await called(made, made.arguments({"n": 2})))[1]) == [b"0", b"1"]


async def test_a_signature_of_its_own_is_what_callers_see() -> None:
    @functools.wraps(double)
    def more(*args: Any, retries: int = 3, **kwargs: Any) -> int:
        return double(*args, **kwargs) + retries

    own = inspect.signature(double)
    retries = inspect.Parameter("retries", inspect.Parameter.KEYWORD_ONLY, default=3, annotation=int)
    more.__signature__ = own.replace(parameters=[*own.parameters.values(), retries])  # type: ignore[attr-defined]
    made = tool(more)
    assert set(made.input_schema["properties"]) == {"n", "retries"}
    assert (await called(made, made.arguments({"n": 2, "retries": 1})))[0] == 5


def test_a_signature_that_changes_a_type_is_believed() -> None:
    @functools.wraps(double)
    def texts(**kwargs: Any) -> Any:
        return kwargs["n"]

    n = inspect.Parameter("n", inspect.Parameter.KEYWORD_ONLY, annotation="list[str]")
    texts.__signature__ = inspect.Signature([n], return_annotation=str)  # type: ignore[attr-defined]
    made = tool(texts)
    assert made.input_schema["properties"] == {"n": {"type": "array", "items": {"type": "string"}}}
    assert made.output_schema == {"type": "string"}


@pytest.mark.parametrize("annotation", ["Decimal", "list[Decimal]", "typo.Decimal", "list["])
def test_an_annotation_that_is_only_there_for_type_checkers(annotation: str) -> None:
    def function(a: int, b: Any) -> None: ...

    function.__annotations__["b"] = annotation
    with pytest.raises(ToolDefinitionError, match=r"function: an annotation cannot be resolved: .*the parameter b"):
        tool(function)
    function.__annotations__ = {"a": int, "b": int, "return": annotation}
    with pytest.raises(ToolDefinitionError, match=r"cannot be resolved: .*of its result"):
        tool(function)


async def test_a_context_manager_around_a_function_is_none() -> None:
    entered: list[int] = []

    @contextlib.contextmanager
    def manager() -> Iterator[None]:
        entered.append(1)
        yield

    made = tool(manager()(double))
    assert (await called(made, made.arguments({"n": 2})))[0] == 4
    assert entered == [1]


# --- generators that come out of what is none ------------------------------------------------------------------------


def bare(n: int):  # type: ignore[no-untyped-def]
    yield from range(n)


def annotated_as_list(n: int) -> Iterable[int]:
    yield from range(n)


@pytest.mark.parametrize("function", [bare, annotated_as_list, count])
async def test_a_generator_that_a_plain_function_returns_is_streamed(function: Any) -> None:
    made = tool(plain(function))
    assert made.kind is Kind.FUNCTION
    data, events = await called(made, made.arguments({"n": 3}))
    assert parts(events) == [b"0", b"1", b"2"]
    assert data == ("done" if function is count else None)


async def test_its_items_are_what_is_declared() -> None:
    def wrong() -> Iterator[int]:
        yield "a"  # type: ignore[misc]

    made = tool(plain(wrong))
    assert made.output_schema is None
    with pytest.raises(errors.ToolFailed, match="yielded what it does not declare"):
        await called(made, {})


async def test_an_async_generator_that_a_coroutine_returns_is_streamed() -> None:
    made = tool(asynchronous(tick))
    assert parts((await called(made, made.arguments({"n": 2})))[1]) == [b"0", b"1"]


async def test_a_list_that_is_declared_is_one_whatever_it_is_made_of() -> None:
    @tool
    def squares(n: int) -> Iterable[int]:
        return (each * each for each in range(n))

    assert squares.output_schema == {"type": "array", "items": {"type": "integer"}}
    assert await called(squares, squares.arguments({"n": 3})) == ([0, 1, 4], [])


READ_IN: list[str] = []


def read() -> Iterator[int]:
    READ_IN.append(threading.current_thread().name)
    yield 1


@pytest.mark.parametrize(
    "give",
    [
        read,
        lambda: (each for each in read()),
        lambda: {"a": map(str, read())},
        lambda: [[{"a": zip(read(), read(), strict=True)}]],
        lambda: Result({"a": (read(),)}),
        lambda: {"many": [[n] for n in range(500)], "last": read()},
    ],
)
async def test_what_is_lazy_is_never_read_on_the_loop(give: Callable[[], Any]) -> None:
    async def coroutine() -> Any:
        return give()

    async def generator() -> AsyncIterator[Any]:
        yield give()
        yield 1

    async def part(ctx: Context) -> None:
        await ctx.partial(give())

    READ_IN.clear()
    for function in (coroutine, generator):
        with pytest.raises(errors.ToolFailed, match=r"is async and gave a \w+, which would work on the event loop"):
            await called(tool(function), {})
    with pytest.raises(ValueError, match="would work on the event loop"):
        if isinstance(give(), Result):
            raise ValueError("a Result is no part: would work on the event loop")
        await called(tool(part), {})
    assert READ_IN == []


async def test_in_a_plain_function_it_is_read_in_its_thread() -> None:
    def function() -> Any:
        return {"a": map(str, read())}

    READ_IN.clear()
    assert (await called(tool(function), {}))[0] == {"a": ["1"]}
    assert READ_IN[0].startswith("tool-")


async def test_an_async_generator_out_of_a_plain_function_gets_the_advice_that_a_coroutine_gets() -> None:
    def function() -> Any:
        return tick(1)

    with pytest.raises(errors.ToolFailed, match="with async def"):
        await called(tool(function), {})


def test_what_is_declared_to_be_iterated_the_other_way_is_refused() -> None:
    with pytest.raises(ToolDefinitionError, match="both with async def, or both with def"):
        tool(asynchronous(count))


@pytest.mark.parametrize("annotation", [str, list[int], int | None, None])
def test_a_generator_that_is_annotated_as_none(annotation: Any) -> None:
    def function() -> Any:
        yield 1

    function.__annotations__ = {"return": annotation}
    with pytest.raises(ToolDefinitionError, match=r"function: it yields, and is annotated `-> .*Iterator\[str\]"):
        tool(function)


@pytest.mark.parametrize(
    "annotation",
    [Optional[Iterator[int]], Annotated[Iterator[int], "text"], TypeAliasType("Ints", Iterator[int])],  # noqa: UP045
)
def test_what_is_yielded_is_found_in_whatever_is_around(annotation: Any) -> None:
    def function() -> Any:
        yield 1

    function.__annotations__ = {"return": annotation}
    made = tool(function)
    assert made.signature.item is not None
    assert made.signature.item.json_schema() == {"type": "integer"}


# --- aliases with a name (PEP 695) -----------------------------------------------------------------------------------

Picture = TypeAliasType("Picture", Image)
Ctx = TypeAliasType("Ctx", Context)
Answer = TypeAliasType("Answer", Result[int])
Either = TypeAliasType("Either", int | Answer)


def test_an_alias_is_what_it_stands_for() -> None:
    def picture(ctx: Ctx) -> Picture: ...
    def maybe(ctx: Ctx | None = None) -> Picture | Text | None: ...
    def answers() -> Iterator[Either]:
        yield 1

    for function in (picture, maybe):
        made: Tool = tool(function)
        assert made.context == "ctx"
        assert (made.signature.content, made.output_schema) == (True, None)
    made = tool(answers)
    assert made.output_schema == {"type": "integer"}
    assert made.signature.item is not None
    assert made.signature.item.json_schema() == {"type": "integer"}


if sys.version_info >= (3, 12):

    def test_the_statement_makes_the_same() -> None:
        module = types.ModuleType("aliases")
        exec(ALIASES, module.__dict__)
        assert (module.picture.context, module.picture.signature.content) == ("ctx", True)
        assert module.items.signature.item.json_schema() == {"type": "integer"}
        assert module.items.output_schema == {"type": "string"}
        assert module.anything.input_schema["properties"]["x"] == {"$ref": "#/$defs/Json"}
        assert module.anything.arguments({"x": [{"a": 1}]}) == {"x": [{"a": 1}]}


ALIASES = """
from collections.abc import Iterator
from mcp_app import Context, Image, Result, tool
type Pic = Image
type Ctx = Context
type Items[T] = Iterator[T | Result[str]]
type Json = dict[str, Json] | list[Json] | int
@tool
def picture(ctx: Ctx) -> Pic: ...
@tool
def items() -> Items[int]:
    yield 1
@tool
def anything(x: Json) -> Json: ...
"""


# --- what was not awaited --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("say", "said"),
    [
        (lambda ctx: ctx.progress(1, 2), r"ctx\.progress\(…\) without await, 2 times"),
        (lambda ctx: ctx.partial(1), r"ctx\.partial\(…\) without await, 2 times"),
        (lambda ctx: ctx.log("info", "x"), r"ctx\.log\(…\) without await, 2 times"),
    ],
)
async def test_a_forgotten_await_is_an_error_of_the_run(say: Callable[[Context], Any], said: str) -> None:
    async def coroutine(ctx: Context) -> str:
        await say(ctx)
        say(ctx)
        await say(ctx)
        say(ctx)
        return "done"

    async def generator(ctx: Context) -> AsyncIterator[int]:
        yield 1
        say(ctx)
        yield 2
        say(ctx)

    for function in (coroutine, generator):
        with pytest.raises(errors.ToolFailed, match=f"The tool {function.__name__} called {said}"):
            await called(tool(function), {})


class Form(BaseModel):
    name: str


QUESTIONS: list[tuple[Callable[[Context], Any], str]] = [
    (lambda ctx: ctx.ask(Form, "Name?"), "ask"),
    (lambda ctx: ctx.ask_url("https://example.com/", "Open"), "ask_url"),
    (lambda ctx: ctx.sample("x", max_tokens=5), "sample"),
    (lambda ctx: ctx.roots(), "roots"),
    (lambda ctx: ctx.once("k", lambda: 5), "once"),
]


@pytest.mark.parametrize(("ask", "method"), QUESTIONS)
async def test_a_question_without_await_is_an_error_of_the_run(ask: Callable[[Context], Any], method: str) -> None:
    async def coroutine(ctx: Context) -> str:
        ask(ctx)
        return "done"

    async def misused(ctx: Context) -> str:
        answer: str = ask(ctx).name
        return answer

    async def generator(ctx: Context) -> AsyncIterator[int]:
        ask(ctx)
        yield 1

    def plain(ctx: Context) -> str:
        ask(ctx)
        return "done"

    def plain_misused(ctx: Context) -> str:
        answer: str = ask(ctx).name
        return answer

    def yielding(ctx: Context) -> Iterator[int]:
        ask(ctx)
        yield 1

    for function in (coroutine, misused, generator):
        said = f"The tool {function.__name__} called ctx.{method}(…) without await, once"
        with pytest.raises(errors.ToolFailed, match=re.escape(said)):
            await called(tool(function), {})
    for function in (plain, plain_misused, yielding):
        said = f"The tool {function.__name__} called ctx.{method}(…) without ctx.wait, once"
        with pytest.raises(errors.ToolFailed, match=re.escape(said)):
            await called(tool(function), {})


async def test_a_question_that_waits_in_a_task_or_for_ctx_wait_is_asked() -> None:
    async def coroutine(ctx: Context) -> int:
        first, second = await asyncio.gather(ctx.once("a", lambda: 1), asyncio.create_task(ctx.once("b", lambda: 2)))
        return int(first + second)

    def plain(ctx: Context) -> int:
        return int(ctx.wait(ctx.once("a", lambda: 3)))

    async def other_error(ctx: Context) -> None:
        await ctx.once("a", lambda: 1)
        raise TypeError("mine")

    assert (await called(tool(coroutine), {}))[0] == 3
    assert (await called(tool(plain), {}))[0] == 3
    with pytest.raises(TypeError, match="mine"):
        await called(tool(other_error), {})


async def test_the_context_of_a_coroutine_in_a_thread() -> None:
    async def wrong(ctx: Context) -> None:
        with ThreadPoolExecutor() as pool:
            await asyncio.get_running_loop().run_in_executor(pool, lambda: ctx.progress(1, 2))

    async def right(ctx: Context) -> None:
        loop = asyncio.get_running_loop()

        def say() -> None:
            asyncio.run_coroutine_threadsafe(ctx.progress(1, 2), loop).result(5)  # type: ignore[arg-type]

        with ThreadPoolExecutor() as pool:
            await loop.run_in_executor(pool, say)

    with pytest.raises(errors.ToolFailed, match=r"in a thread, `asyncio.run_coroutine_threadsafe"):
        await called(tool(wrong), {})
    assert [event.type for event in (await called(tool(right), {}))[1]] == [EventType.PROGRESS]


async def test_what_is_awaited_elsewhere_or_later_is_none() -> None:
    async def function(ctx: Context) -> None:
        await asyncio.gather(ctx.progress(1), ctx.progress(2))
        later = ctx.progress(3)
        await asyncio.sleep(0)
        await later
        function.task = asyncio.create_task(ctx.progress(4))  # type: ignore[attr-defined, arg-type]

    _, events = await called(tool(function), {})
    assert len(events) == 4


# --- schemas ---------------------------------------------------------------------------------------------------------


class Point(BaseModel):
    x: int


class Line(BaseModel):
    """From here to there."""

    start: Point
    end: Annotated[Point, Field(description="Where it ends.")] = Point(x=1)


def test_the_schemas_have_no_definitions() -> None:
    @tool
    def draw(line: Line, lines: list[Line]) -> Generator[Line, None, Line]:
        yield line
        return line

    assert draw.output_schema is not None
    for schema in (dict(draw.input_schema), dict(draw.output_schema)):
        assert "$defs" not in str(schema)
        assert "$ref" not in str(schema)
        Draft202012Validator.check_schema(schema)
    line = draw.input_schema["properties"]["line"]
    assert line["description"] == "From here to there."
    assert line["properties"]["end"]["description"] == "Where it ends."
    assert line["properties"]["end"]["default"] == {"x": 1}
    assert line["properties"]["start"]["properties"] == {"x": {"type": "integer"}}


def test_a_schema_that_would_be_too_large_keeps_them_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    level: Any = Point
    for at in range(20):
        level = type(f"L{at}", (BaseModel,), {"__annotations__": {"a": level, "b": level}})

    def function(x: Any) -> Any: ...

    function.__annotations__ = {"x": level}
    made = tool(function)
    assert made.input_schema["type"] == "object"
    assert "$defs" in made.input_schema
    assert "its input schema would exceed 256 KiB, so it keeps them" in caplog.text
