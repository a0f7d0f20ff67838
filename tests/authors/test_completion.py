"""Completion: by the type of an argument, by its author's function, within the bounds that MCP sets."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator, Mapping
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal

import pytest
from author_calls import valid

from mcp_app import Context, ToolDefinitionError
from mcp_app.authoring.completion import complete
from mcp_app.authoring.prompt import prompt
from mcp_app.authoring.resource_decorator import resource
from mcp_app.dialects.mcp.completion import MAX_COUNTED, THREADS, Completions, completion
from mcp_app.protocol.errors import InvalidParams, Overloaded, TimeCap, ToolError, ToolFailed, UnknownTool
from mcp_app.protocol.payer import payer_of
from mcp_app.runs.dependencies import Dependencies
from mcp_app.runs.threads import NoThread, Threads


class Colour(Enum):
    RED = "red"
    ROSE = "Rose"
    BLUE = "blue"


class Size(IntEnum):
    SMALL = 1
    LARGE = 10


async def values(subject: Any, argument: str, prefix: str = "", **chosen: str) -> list[str]:
    return list((await whole(subject, argument, prefix, **chosen))["values"])


async def whole(subject: Any, argument: str, prefix: str = "", **chosen: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        found = await completion(subject.signature, argument, prefix, chosen, Threads(2), Dependencies(10))
    valid("completion/complete", {"completion": found})
    return found


# --- by the type -----------------------------------------------------------------------------------------------------


@prompt
def typed(
    ctx: Context,
    language: Literal["python", "Pascal", "go"],
    colour: Colour,
    size: Size | None = None,
    exact: bool = False,
    colours: list[Colour] = [],  # noqa: B006 - nobody changes it
    either: Literal["a"] | Literal["b", 3] | bool = "a",
    text: str = "",
    number: int = 0,
    only: Literal["one"] = "one",
) -> str:
    return ""


@pytest.mark.parametrize(
    ("argument", "prefix", "expected"),
    [
        ("language", "", ["python", "Pascal", "go"]),
        ("language", "p", ["python", "Pascal"]),
        ("language", "PY", ["python"]),
        ("language", "x", []),
        ("colour", "r", ["red", "Rose"]),
        ("size", "", ["1", "10"]),
        ("size", "10", ["10"]),
        ("exact", "", ["true", "false"]),
        ("exact", "T", ["true"]),
        ("colours", "b", ["blue"]),
        ("either", "", ["a", "b", "3", "true", "false"]),
        ("text", "a", []),
        ("number", "1", []),
        ("only", "", ["one"]),
    ],
)
async def test_by_the_type(argument: str, prefix: str, expected: list[str]) -> None:
    assert await values(typed, argument, prefix) == expected


async def test_what_is_offered_is_taken() -> None:
    for argument in ("language", "colour", "size", "exact", "either"):
        for value in await values(typed, argument):
            typed.arguments({"language": "go", "colour": "red", argument: value})


async def test_one_by_the_type_in_full() -> None:
    assert await whole(typed, "language", "p") == {"values": ["python", "Pascal"], "total": 2, "hasMore": False}


@pytest.mark.parametrize("argument", ["ctx", "nothing", "", "p_language", "x" * 10_000])
async def test_no_such_argument(argument: str) -> None:
    with pytest.raises(InvalidParams, match="There is no argument named") as refused:
        await Completions(10, Dependencies(10)).complete(typed.signature, argument, "", {})
    assert "The arguments are: language, colour" in refused.value.message
    assert len(refused.value.message) < 300


# --- by a function ---------------------------------------------------------------------------------------------------

FRAMEWORKS = {"python": ["flask", "fastapi", "quart"], "go": ["gin"]}


def frameworks(prefix: str, chosen: Mapping[str, str]) -> list[str]:
    return [each for each in FRAMEWORKS.get(chosen.get("language", ""), []) if each.startswith(prefix)]


async def slowly(prefix: str, chosen: Mapping[str, str]) -> list[str]:
    await asyncio.sleep(0)
    return [f"{prefix}!", *chosen]


@resource("x://{language}/{framework}/{word}")
def read(
    language: Literal["python", "go"],
    framework: Annotated[str, complete(frameworks)],
    word: Annotated[str, "a note", complete(slowly)] | None,
) -> str:
    return ""


async def test_by_a_function_that_knows_the_other_arguments() -> None:
    assert await values(read, "framework", "fl", language="python") == ["flask"]
    assert await values(read, "framework", "", language="go") == ["gin"]
    assert await values(read, "framework", "g") == []


async def test_by_a_coroutine_within_a_union() -> None:
    assert await values(read, "word", "a", language="go") == ["a!", "language"]


def offering(function: Any) -> Any:
    @prompt
    def offers(a: Annotated[str, complete(function)]) -> str:
        return a

    return offers


async def test_a_plain_function_works_in_a_thread() -> None:
    where = await values(offering(lambda prefix, chosen: [threading.current_thread().name]), "a")
    assert where != [threading.main_thread().name]


class Named(StrEnum):
    A = "first"


class WithCall:
    async def __call__(self, prefix: str, chosen: Mapping[str, str]) -> tuple[str, ...]:
        return (prefix, Named.A)


async def test_other_callables_and_other_iterables() -> None:
    assert await values(offering(WithCall()), "a", "x") == ["x", "first"]
    assert await values(offering(lambda prefix, chosen: (each for each in "ab")), "a") == ["a", "b"]
    assert await values(offering(lambda prefix, chosen: dict.fromkeys("ab")), "a") == ["a", "b"]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (100, {"total": 100, "hasMore": False}),
        (101, {"total": 101, "hasMore": True}),
        (MAX_COUNTED, {"total": MAX_COUNTED, "hasMore": True}),
        (MAX_COUNTED + 1, {"hasMore": True}),
    ],
)
async def test_at_most_a_hundred(count: int, expected: dict[str, Any]) -> None:
    found = await whole(offering(lambda prefix, chosen: map(str, range(count))), "a")
    assert found.pop("values") == [str(number) for number in range(min(count, 100))]
    assert found == expected


async def test_a_function_that_goes_on_for_ever() -> None:
    def for_ever(prefix: str, chosen: Mapping[str, str]) -> Iterator[str]:
        yield from map(str, itertools.count())

    assert (await whole(offering(for_ever), "a"))["hasMore"] is True


@pytest.mark.parametrize(
    ("returned", "problem"),
    [("text", "returned str"), (None, "returned NoneType"), ([1], "value of type int"), (["a", None], "NoneType")],
)
async def test_functions_that_return_something_else(returned: Any, problem: str) -> None:
    async def coroutine(prefix: str, chosen: Mapping[str, str]) -> Any:
        return returned

    for function in (coroutine, lambda prefix, chosen: returned):
        with pytest.raises(ToolFailed, match=problem):
            await whole(offering(function), "a")


async def test_a_function_that_returns_what_has_to_be_awaited() -> None:
    with pytest.raises(ToolFailed, match="async def"):
        await whole(offering(lambda prefix, chosen: slowly(prefix, chosen)), "a")


async def test_what_a_function_raises_passes_through() -> None:
    def fails(prefix: str, chosen: Mapping[str, str]) -> list[str]:
        raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing"):
        await whole(offering(fails), "a")


async def yields(prefix: str, chosen: Mapping[str, str]) -> Any:
    yield "a"


@pytest.mark.parametrize("function", [list, lambda prefix: [], lambda a, b, c: [], yields, 17])
def test_functions_that_cannot_complete(function: Any) -> None:
    with pytest.raises(ToolDefinitionError, match="cannot complete an argument"):
        complete(function)


# --- within bounds ---------------------------------------------------------------------------------------------------


async def completed(function: Any, completions: Completions) -> Any:
    async with asyncio.timeout(10):
        return await completions.complete(offering(function).signature, "a", "", {})


RAISED = (
    LookupError("a secret"),
    SystemExit("a secret"),
    KeyboardInterrupt("a secret"),
    GeneratorExit("a secret"),
    asyncio.CancelledError("a secret"),
    BaseException("a secret"),
    BaseExceptionGroup("a secret", [SystemExit("a secret")]),
    TimeoutError("a secret"),
    StopIteration("a secret"),
    InvalidParams("a secret"),
    Overloaded("a secret"),
    UnknownTool("a secret"),
)


@pytest.mark.parametrize("raised", RAISED, ids=lambda raised: type(raised).__name__)
@pytest.mark.parametrize("plain", [True, False])
async def test_whatever_a_function_raises_is_masked_and_in_the_log(
    plain: bool, raised: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def function(prefix: str, chosen: Mapping[str, str]) -> list[str]:
        raise raised

    async def coroutine(prefix: str, chosen: Mapping[str, str]) -> list[str]:
        raise raised

    with pytest.raises(ToolFailed) as failed:
        await completed(function if plain else coroutine, Completions(10, Dependencies(10)))
    error = failed.value.object()
    assert "secret" not in str(error)
    assert error["error_id"] in caplog.text


async def test_the_authors_word_reaches_the_caller_and_so_does_what_was_returned() -> None:
    async def denied(prefix: str, chosen: Mapping[str, str]) -> list[str]:
        raise ToolError("Not for you.")

    with pytest.raises(ToolError, match="Not for you"):
        await completed(denied, Completions(10, Dependencies(10)))
    with pytest.raises(ToolFailed, match="returned int") as failed:
        await completed(lambda prefix, chosen: 5, Completions(10, Dependencies(10)))
    assert failed.value.object()["error_id"]


@pytest.mark.parametrize("values", [["ok\udcff"], ("a", "\ud800")])
async def test_what_no_json_can_carry_is_named(values: Any) -> None:
    async def coroutine(prefix: str, chosen: Mapping[str, str]) -> Any:
        return values

    for function in (coroutine, lambda prefix, chosen: values):
        with pytest.raises(ToolFailed, match="half of a surrogate pair"):
            await completed(function, Completions(10, Dependencies(10)))


async def test_the_authors_word_is_made_sendable_as_that_of_a_tool_is() -> None:
    def denied(prefix: str, chosen: Mapping[str, str]) -> list[str]:
        raise ToolError("mine \udcff", hint="\udcff")

    async def in_a_group(prefix: str, chosen: Mapping[str, str]) -> list[str]:
        async with asyncio.TaskGroup() as group:
            group.create_task(_denies())
        return []

    for function in (denied, in_a_group):
        with pytest.raises(ToolError) as raised:
            await completed(function, Completions(10, Dependencies(10)))
        assert (raised.value.message, raised.value.hint) == ("mine \ufffd", "\ufffd")


async def _denies() -> None:
    raise ToolError("mine \udcff", hint="\udcff")


class Cursor:
    def __iter__(self) -> Iterator[str]:
        raise AssertionError("read on the event loop")


@pytest.mark.parametrize("values", [Cursor(), iter(Cursor, 1), map(str, Cursor.__mro__), itertools.count()])
async def test_what_is_lazy_is_not_read_on_the_loop(values: Any) -> None:
    async def coroutine(prefix: str, chosen: Mapping[str, str]) -> Any:
        return values

    with pytest.raises(ToolFailed, match=r"async returned a \w+, which would work on the event loop: return a list"):
        await completed(coroutine, Completions(10, Dependencies(10)))


async def test_one_that_swallows_its_cancellation_is_answered_at_the_cap() -> None:
    swallowed, go_on = asyncio.Event(), asyncio.Event()

    async def stubborn(prefix: str, chosen: Mapping[str, str]) -> list[str]:
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                swallowed.set()
        return []

    asked = asyncio.create_task(completed(stubborn, Completions(0.01, Dependencies(10))))
    await asyncio.wait({asked}, timeout=5)
    answered = asked.done()
    go_on.set()
    with pytest.raises(TimeCap):
        await asked
    assert (answered, swallowed.is_set()) == (True, True)


async def _exits() -> None:
    raise GeneratorExit


def plain_exit(prefix: str, chosen: Mapping[str, str]) -> list[str]:
    raise GeneratorExit


async def child_exit(prefix: str, chosen: Mapping[str, str]) -> list[str]:
    await asyncio.create_task(_exits())
    return []


@pytest.mark.parametrize("function", [plain_exit, child_exit])
async def test_a_generator_exit_does_not_close_who_asks_for_it(function: Any) -> None:
    async def answering() -> str:
        try:
            await completed(function, Completions(10, Dependencies(10)))
        except ToolFailed:
            return "answered"
        return "not"

    async def sending() -> str:
        return await answering()  # which GeneratorExit would close, whatever it returns

    assert await asyncio.create_task(sending()) == "answered"


async def test_one_that_is_cancelled_is_cancelled() -> None:
    begun = asyncio.Event()

    async def hangs(prefix: str, chosen: Mapping[str, str]) -> list[str]:
        begun.set()
        await asyncio.Event().wait()
        return []

    task = asyncio.create_task(completed(hangs, Completions(10, Dependencies(10))))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_each_is_ended_at_the_cap_and_hanging_ones_leave_tools_their_threads() -> None:
    go_on = threading.Event()

    async def coroutine(prefix: str, chosen: Mapping[str, str]) -> list[str]:
        await asyncio.Event().wait()
        return []

    def function(prefix: str, chosen: Mapping[str, str]) -> list[str]:
        go_on.wait(10)
        return []

    completions = Completions(0.05, Dependencies(10))
    try:
        for function_ in (coroutine, *[function] * THREADS):
            with pytest.raises(TimeCap, match=r"the cap of 0\.05 seconds"):
                await completed(function_, completions)
        with pytest.raises((TimeCap, NoThread)):
            await completed(function, completions)
        assert await completed(slowly, completions) == {"values": ["!"], "total": 1, "hasMore": False}
    finally:
        go_on.set()


async def test_hanging_ones_of_one_caller_leave_another_a_thread() -> None:
    go_on = threading.Event()

    def function(prefix: str, chosen: Mapping[str, str]) -> list[str]:
        if prefix == "hang":
            go_on.wait(10)
        return ["done"]

    offers, completions = offering(function), Completions(10, Dependencies(10))
    anna, ben = payer_of("key:anna", "192.0.2.1"), payer_of("key:ben", "192.0.2.1")
    hanging = [
        asyncio.create_task(completions.complete(offers.signature, "a", "hang", {}, anna)) for _ in range(2 * THREADS)
    ]
    try:
        for _ in range(3):
            found = completions.complete(offers.signature, "a", "", {}, ben)
            assert (await asyncio.wait_for(found, 5))["values"] == ["done"]
    finally:
        go_on.set()
        await asyncio.wait(hanging)
