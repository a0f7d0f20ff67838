"""Methods, partials and other callables: what callers see of those that work, and what is said of the rest."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import types
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import pytest
from author_calls import called

from mcp_app import Context, ToolDefinitionError, complete, prompt, resource, tool
from mcp_app.authoring.kind import Kind

HERE = re.escape(__file__)


class Shop:
    """Sells things."""

    def __init__(self, price: int) -> None:
        self.price = price

    def buy(self, count: int) -> int:
        """Buy some.

        Args:
            count: how many
        """
        return self.price * count

    async def order(self, ctx: Context, count: int = 1) -> int:
        """Order some."""
        await ctx.progress(1, 1)
        return self.price * count

    def pieces(self, count: int) -> Iterator[int]:
        """Hand them over one by one."""
        yield from [self.price] * count

    async def ticks(self, count: int) -> AsyncIterator[int]:
        """The same."""
        for _ in range(count):
            yield self.price

    def __call__(self, count: int) -> int:
        """Buy without a name."""
        return self.price * count

    @classmethod
    def twice(cls, count: int) -> int:
        """Double it."""
        return 2 * count

    @staticmethod
    def thrice(count: int) -> int:
        """Treble it."""
        return 3 * count

    def untyped(self, count): ...  # type: ignore[no-untyped-def]

    def typed(self: Shop, count: int) -> int:
        """Annotated, its object too."""
        return count

    @property
    def worth(self) -> int:
        return self.price

    three = functools.partialmethod(buy, 3)

    @contextlib.contextmanager
    def open(self) -> Iterator[int]:
        yield self.price

    @functools.singledispatchmethod
    def either(self, thing: int) -> int:
        return thing


def add(a: int, b: int = 2, *, c: str = "x") -> int:
    """Add.

    Args:
        a: the first
        b: the second
        c: unused
    """
    return a + b


async def wait(a: int, b: int = 2) -> int:
    """Add, later."""
    await asyncio.sleep(0)
    return a + b


async def ticks(count: int) -> AsyncIterator[int]:
    for each in range(count):
        yield each


def untyped(a: Any) -> Any:
    return a


def plain(function: Any) -> Any:
    """A decorator whose wrapper is plain, whatever it is around."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def asynchronous(function: Any) -> Any:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return wrapper


def bare(function: Any) -> Any:
    """A decorator that forgot functools.wraps."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


# --- what works ------------------------------------------------------------------------------------------------------

SHOP = Shop(7)


@pytest.mark.parametrize(
    ("callable_", "name", "description", "kind", "result"),
    [
        (SHOP.buy, "buy", "Buy some.", Kind.FUNCTION, 14),
        (SHOP.order, "order", "Order some.", Kind.COROUTINE, 14),
        (SHOP.pieces, "pieces", "Hand them over one by one.", Kind.GENERATOR, None),
        (SHOP.ticks, "ticks", "The same.", Kind.ASYNC_GENERATOR, None),
        (SHOP.typed, "typed", "Annotated, its object too.", Kind.FUNCTION, 2),
        (SHOP.twice, "twice", "Double it.", Kind.FUNCTION, 4),
        (Shop.twice, "twice", "Double it.", Kind.FUNCTION, 4),
        (SHOP.thrice, "thrice", "Treble it.", Kind.FUNCTION, 6),
        (Shop.__dict__["thrice"], "thrice", "Treble it.", Kind.FUNCTION, 6),
        (plain(SHOP.buy), "buy", "Buy some.", Kind.FUNCTION, 14),
        (asynchronous(SHOP.order), "order", "Order some.", Kind.COROUTINE, 14),
    ],
    ids=lambda each: getattr(each, "__qualname__", None) if callable(each) else "",
)
async def test_a_method_is_a_tool_without_its_object(
    callable_: Any, name: str, description: str, kind: Kind, result: int | None
) -> None:
    made = tool(callable_)
    assert (made.name, made.description, made.kind) == (name, description, kind)
    assert list(made.input_schema["properties"]) == ["count"]
    assert made.where.startswith(f"{__name__}.Shop.{name} (line ")
    assert (await called(made, made.arguments({"count": 2})))[0] == result


def test_of_two_objects_each_has_its_tool() -> None:
    cheap, dear = tool(name="cheap")(Shop(1).buy), tool(name="dear")(Shop(9).buy)
    assert (cheap(2), dear(2)) == (2, 18)


@pytest.mark.parametrize(
    ("partial", "listed", "required", "given", "result"),
    [
        (functools.partial(add), ["a", "b", "c"], ["a"], {"a": 1}, 3),
        (functools.partial(add, 1), ["b", "c"], None, {"b": 4}, 5),
        (functools.partial(add, b=5), ["a", "c"], ["a"], {"a": 1}, 6),
        (functools.partial(add, 1, 2, c="y"), [], None, {}, 3),
        (functools.partial(functools.partial(add, b=5), c="y"), ["a"], ["a"], {"a": 1}, 6),
        (functools.partial(functools.partial(add, b=5), b=6), ["a", "c"], ["a"], {"a": 1}, 7),
        (functools.partial(wait, b=5), ["a"], ["a"], {"a": 1}, 6),
        (functools.partial(SHOP.buy, 3), [], None, {}, 21),
        (functools.partial(Shop.buy, SHOP), ["count"], ["count"], {"count": 2}, 14),
        (functools.partial(SHOP, count=4), [], None, {}, 28),
        (SHOP.three, [], None, {}, 21),
        (functools.partial(plain(add), b=5), ["a", "c"], ["a"], {"a": 1}, 6),
    ],
)
async def test_what_a_partial_fills_is_hidden_and_the_rest_listed(
    partial: Any, listed: list[str], required: list[str] | None, given: dict[str, Any], result: int
) -> None:
    made = tool(name="made")(partial)
    assert list(made.input_schema["properties"]) == listed
    assert made.input_schema.get("required") == required
    assert "second" not in made.description
    assert (await called(made, made.arguments(given)))[0] == result
    for hidden in {"a", "b", "c"} - set(listed):
        with pytest.raises(Exception, match=hidden):
            made.arguments({**given, hidden: 1})


async def test_a_context_may_be_filled_or_left_to_the_run() -> None:
    made = tool(name="made")(functools.partial(SHOP.order, count=3))
    assert (made.context, made.input_schema["properties"]) == ("ctx", {})
    assert (await called(made, {}))[0] == 21


async def test_a_callable_object_has_the_name_it_is_given() -> None:
    made = tool(name="shop")(SHOP)
    assert (made.description, list(made.input_schema["properties"])) == ("Buy without a name.", ["count"])
    assert (await called(made, made.arguments({"count": 2})))[0] == 14


@pytest.mark.parametrize("callable_", [SHOP.buy, functools.partial(add, b=5, c="x"), SHOP])
def test_prompts_and_resources_take_the_same(callable_: Any) -> None:
    (parameter,) = tool(name="made")(callable_).input_schema["properties"]
    made = prompt(name="made")(callable_)
    assert made.name == "made"
    assert [each["name"] for each in made.wire()["arguments"]] == [parameter]
    read = resource(f"test://{{{parameter}}}", name="made")(callable_)
    assert (read.name, read.title) == ("made", "Made")
    assert read.reading("test://2", {parameter: "2"})[1] == {parameter: 2}


def test_a_function_that_completes_may_be_any_of_these() -> None:
    class Names:
        def starting(self, prefix: str, chosen: Mapping[str, str]) -> list[str]:
            return [prefix]

        def __call__(self, prefix: str, chosen: Mapping[str, str]) -> list[str]:
            return [prefix]

    def counted(count: int, prefix: str, chosen: Mapping[str, str]) -> list[str]:
        return [prefix] * count

    async def later(prefix: str, chosen: Mapping[str, str]) -> list[str]:
        return [prefix]

    for function in (Names().starting, Names(), functools.partial(counted, 2), later, asynchronous(later)):

        @prompt
        def ask(name: Annotated[str, complete(function)]) -> str:
            return name

        assert list(ask.typed.parameters) == ["name"]


# --- what does not ----------------------------------------------------------------------------------------------------

EVERY = ("tool", "prompt", "resource")


def decorated(noun: str, function: Any, *, name: str | None = "made") -> Any:
    if noun == "resource":
        return resource("test://x", name=name)(function)
    return (tool if noun == "tool" else prompt)(name=name)(function)


async def coroutine() -> int:
    return 1


def generator(n: int) -> Iterator[int]:
    yield n


@contextlib.contextmanager
def manager(x: int) -> Iterator[int]:
    yield x


@contextlib.asynccontextmanager
async def async_manager(x: int) -> AsyncIterator[int]:
    yield x


@functools.singledispatch
def dispatched(x: int) -> int:
    return x


REFUSED: dict[str, tuple[Any, str]] = {
    "a class": (Shop, r"Shop: a class is not a function: @NOUN goes on a function, once.*METHOD"),
    "a type": (int, "int: a class is not a function"),
    "a partial of a class": (functools.partial(Shop, 3), r"functools.partial of Shop: a class is not a function"),
    "a method of a class": (
        Shop.buy,
        rf"Shop.buy \({HERE}:\d+\): no caller can send self, the object.*`.*object.buy\)`",
    ),
    "with its type": (Shop.typed, r"Shop.typed \(.*\): no caller can send self, .*@NOUN cannot stand inside a class"),
    "without any type": (Shop.untyped, r"no caller can send self.*`.*\(object.untyped\)`"),
    "a property": (Shop.worth, "Shop.worth: a property is not a function: it is read, not called.*METHOD"),
    "a cached property": (functools.cached_property(Shop.buy), "Shop.buy: a property is not a function"),
    "a classmethod's object": (
        Shop.__dict__["twice"],
        "Shop.twice: a classmethod is not a function before it is taken from its class: after that write METHOD",
    ),
    "a partialmethod's object": (Shop.__dict__["three"], "Shop.buy: a partialmethod is not a function before"),
    "a singledispatchmethod's object": (
        Shop.__dict__["either"],
        "Shop.either: a singledispatchmethod is not a function",
    ),
    "a singledispatchmethod": (SHOP.either, r"Shop.either \(.*\): singledispatch chooses by the first positional"),
    "singledispatch": (
        dispatched,
        rf"dispatched \({HERE}:\d+\): singledispatch chooses by .* Write a function of a union",
    ),
    "a context manager": (manager, rf"manager \({HERE}:\d+\): a context manager is entered, not returned. Write a"),
    "an async context manager": (async_manager, rf"async_manager \({HERE}:\d+\): a context manager is entered"),
    "a method that is a context manager": (SHOP.open, r"Shop.open \(.*\): a context manager is entered"),
    "a partial of a context manager": (
        functools.partial(manager, 1),
        rf"functools.partial of manager \({HERE}:\d+\): a context manager is entered",
    ),
    "a plain decorator of a coroutine": (
        plain(wait),
        rf"wait \({HERE}:\d+\): it is async, and what decorates it \({HERE}:\d+\) is not: .*async def and await",
    ),
    "a plain decorator of an async generator": (plain(ticks), r"ticks \(.*\): it is async, and what decorates it"),
    "a plain decorator of an async one": (
        plain(asynchronous(wait)),
        r"wait \(.*\): it is async, and what decorates it",
    ),
    "a plain decorator of an async method": (plain(SHOP.order), r"Shop.order \(.*\): it is async, and what decorates"),
    "a partial of such a one": (
        functools.partial(plain(wait), 1),
        r"functools.partial of wait \(.*\): it is async, and",
    ),
    "a cached coroutine": (functools.lru_cache(wait), r"wait \(.*\): functools.lru_cache keeps the coroutine that it"),
    "a cached async generator": (
        functools.cache(ticks),
        r"ticks \(.*\): functools.lru_cache keeps the generator that it",
    ),
    "a cached generator": (functools.cache(generator), r"generator \(.*\): functools.lru_cache keeps the generator"),
    "a builtin of any parameters": (max, "max: its parameters are not known. Write a function that calls it"),
    "a builtin": (len, "len: the parameter obj cannot be filled by name, .*: write a function that calls it"),
    "a builtin with *args": (print, r"print: the parameter \*args cannot be filled by name, .*: write a function that"),
    "a builtin's method": ({}.get, r"dict.get: the parameter key cannot be filled by name, .*: write a function that"),
    "a method of a type": (str.upper, r"str.upper: the parameter self cannot be filled by name, .*: write a function"),
    "a decorator that hides the parameters": (bare(add), r"the parameter \*args cannot be .*with functools.wraps"),
    "a partial of too much": (
        functools.partial(add, 1, 2, 3),
        "functools.partial of add: it fills parameters that there",
    ),
    "a partial of what there is not": (functools.partial(add, z=3), "functools.partial of add: it fills parameters"),
    "a partial of a builtin": (functools.partial(max, 1), "functools.partial of max: its parameters are not known"),
    "a tool": (tool(add), "add: this is not a function but a tool already: @NOUN goes on a function, once"),
    "a prompt": (prompt(untyped), "untyped: this is not a function but a prompt already"),
    "a resource": (resource("test://x/{a}")(untyped), "untyped: this is not a function but a resource already"),
    "a partial of a tool": (
        functools.partial(tool(add), 1),
        "functools.partial of add: this is not a function but a tool",
    ),
    "a value": (17, "17: this is not a function: @NOUN goes on a function, once"),
    "a text": ("x" * 1000, r"'x+\.\.\.x+': this is not a function"),
    "a module": (types, "types: this is not a function"),
    "a generator that was called": (
        generator(1),
        "generator: this is not a function, but what one returned. Leave the",
    ),
}


@pytest.mark.parametrize("noun", EVERY)
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_work_is_refused_where_it_is_defined(noun: str, case: str) -> None:
    function, said = REFUSED[case]
    method = re.escape(f"`{'resource(uri)' if noun == 'resource' else noun}(object.method)`")
    with pytest.raises(ToolDefinitionError, match=said.replace("NOUN", noun).replace("METHOD", method)) as refused:
        decorated(noun, function)
    assert " at 0x" not in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_a_coroutine_that_was_called_is_refused() -> None:
    awaited = coroutine()
    for noun in EVERY:
        with pytest.raises(ToolDefinitionError, match=r"coroutine: this is not a function, but what one returned\."):
            decorated(noun, awaited)
    assert await awaited == 1


@pytest.mark.parametrize("noun", EVERY)
@pytest.mark.parametrize(
    ("function", "shown"),
    [
        (functools.partial(add, 1), "functools.partial of add"),
        (SHOP, "an object of type Shop"),
        (SHOP.three, "functools.partial of Shop.buy"),
        (lambda: 1, r"test_odd_callables\.<lambda>|<lambda>"),
    ],
)
def test_what_has_no_name_is_to_be_given_one(noun: str, function: Any, shown: str) -> None:
    option = re.escape("resource(uri, name=…)(…)" if noun == "resource" else f"{noun}(name=…)(…)")
    said = rf"^({shown}) \({HERE}:\d+\): it has no name of its own\. Give it one: `{option}`"
    with pytest.raises(ToolDefinitionError, match=said):
        decorated(noun, function, name=None)


@pytest.mark.parametrize("noun", EVERY)
def test_inside_a_class_it_is_said_how_a_method_becomes_one(noun: str) -> None:
    decorate: Callable[[Any], Any] = functools.partial(decorated, noun, name=None)
    method = re.escape(f"{'resource(uri)' if noun == 'resource' else noun}(object.")
    said = rf"@{noun} cannot stand inside a class: after it, make an object and write `{method}"
    for body in (
        "def m(self, a: int) -> int: ...",
        "def m(self: int) -> int: ...",
        "def m(this, a: int): ...",
        "def m(cls): ...",
    ):
        with pytest.raises(ToolDefinitionError, match=said):
            exec(f"class Inside:\n  @decorate\n  {body}", {"decorate": decorate})


def test_inside_a_class_a_function_without_its_object_is_one() -> None:
    class Inside:
        @tool
        @staticmethod
        def static(count: int) -> int:
            """Without an object."""
            return count

    assert Inside.static(3) == 3
    assert list(Inside.static.input_schema["properties"]) == ["count"]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (17, "17 cannot complete an argument: it cannot be called"),
        (manager, r"manager \(.*\) cannot complete an argument: a context manager is entered"),
        (plain(wait), r"wait \(.*\) cannot complete an argument: it is async, and what decorates it"),
        (
            functools.lru_cache(wait),
            r"wait \(.*\) cannot complete an argument: functools.lru_cache keeps the coroutine",
        ),
        (ticks, r"ticks \(.*\) cannot complete an argument: it is called with what was typed"),
        (Shop.__dict__["twice"], "Shop.twice cannot complete an argument: it cannot be called"),
    ],
)
def test_what_cannot_complete_is_refused(function: Any, said: str) -> None:
    with pytest.raises(ToolDefinitionError, match=said):
        complete(function)


def test_the_command_line_says_where_it_stands(tmp_path: Path) -> None:
    from mcp_app.loading.toolfile import ToolFileError, import_named

    file = tmp_path / "shop.py"
    file.write_text("from mcp_app import tool\n\nclass Shop:\n    @tool\n    def buy(self, count: int) -> int: ...\n")
    with pytest.raises(
        ToolFileError, match=r"shop.py:4: ToolDefinitionError: Shop.buy \(.*shop.py:4\): no caller can send"
    ):
        import_named(str(file))
