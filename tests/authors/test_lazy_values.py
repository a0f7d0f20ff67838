"""What is lazy is found wherever pydantic would read it: refused on the event loop, read within bounds in a thread."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import threading
import time
import types
from collections import OrderedDict, UserDict, UserList, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import IPv4Network, ip_network
from typing import Any, NamedTuple

import pydantic.dataclasses
import pytest
from author_calls import called
from pydantic import BaseModel, ConfigDict, Field, RootModel, computed_field, field_serializer, model_serializer

from mcp_app import Context, Image, Result, errors, tool
from mcp_app.aio.in_thread import in_thread
from mcp_app.authoring import lazy as module
from mcp_app.authoring.context import Caller
from mcp_app.authoring.lazy import lazy, read
from mcp_app.protocol.access import Access
from mcp_app.protocol.event import NotJson
from mcp_app.runs.execution import work
from mcp_app.runs.threads import Threads

BOUND = 4096


class M(BaseModel):
    xs: Any


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Root(RootModel[Any]):
    pass


class Computed(BaseModel):
    @computed_field
    def xs(self) -> Any:
        return itertools.count()


class Serialised(BaseModel):
    @model_serializer
    def xs(self) -> dict[str, Any]:
        return {"xs": itertools.count()}


class FieldSerialised(BaseModel):
    n: int = 1

    @field_serializer("n")
    def xs(self, n: int) -> Any:
        return itertools.count()


@dataclasses.dataclass
class Data:
    xs: Any


@dataclasses.dataclass(slots=True, frozen=True)
class Slots:
    xs: Any


@pydantic.dataclasses.dataclass
class Checked:
    xs: Any


class Named(NamedTuple):
    xs: Any


class Cursor:
    """As one of a database: it can be iterated, and has no length."""

    def __iter__(self) -> Iterator[int]:
        return itertools.count()


Endless = Callable[[], Any]
ENDLESS: dict[str, Endless] = {
    "count": itertools.count,
    "generator": lambda: (each for each in itertools.count()),
    "map": lambda: map(str, itertools.count()),
    "cursor": Cursor,
}
ELSEWHERE: dict[str, Callable[[Any], Any]] = {
    "model": lambda xs: M(xs=xs),
    "model in a list": lambda xs: [1, M(xs=1), M(xs=xs)],
    "model made without validation": lambda xs: M.model_construct(xs=xs),
    "model in a model": lambda xs: M(xs=M(xs={"a": [xs]})),
    "root": lambda xs: Root([xs]),
    "extra": lambda xs: Open.model_validate({"xs": xs}),
    "computed": lambda xs: Computed(),
    "serialised": lambda xs: [Serialised()],
    "field": lambda xs: M(xs=FieldSerialised()),
    "dataclass": Data,
    "slots": Slots,
    "pydantic's": Checked,
    "set": lambda xs: {xs},
    "frozenset": lambda xs: frozenset([xs]),
    "deque": lambda xs: deque([xs]),
    "named tuple": Named,
    "ordered dict": lambda xs: OrderedDict(a=xs),
    "mapping": lambda xs: types.MappingProxyType({"a": xs}),
    "UserDict": lambda xs: UserDict(a=xs),
    "UserList": lambda xs: UserList([xs]),
    "values": lambda xs: {"a": xs}.values(),
}
WITHIN: dict[str, Callable[[Any], Any]] = {
    "itself": lambda xs: xs,
    "dict": lambda xs: {"a": xs},
    "list": lambda xs: [[xs]],
    "tuple": lambda xs: ({"a": 1}, {"a": (1, xs)}),
    "the last of many": lambda xs: [*({"a": {"n": n}} for n in range(5000)), {"a": {"n": xs}}],
}


@pytest.mark.parametrize("endless", ENDLESS.values(), ids=ENDLESS)
@pytest.mark.parametrize("holding", [*WITHIN.values(), *ELSEWHERE.values()], ids=[*WITHIN, *ELSEWHERE])
async def test_on_the_loop_it_is_refused_wherever_it_is(holding: Callable[[Any], Any], endless: Endless) -> None:
    async def returned() -> Any:
        return holding(endless())

    async def part(ctx: Context) -> None:
        await ctx.partial(holding(endless()))

    async def line(ctx: Context) -> None:
        await ctx.log("info", "m", {"a": holding(endless())})

    with pytest.raises(errors.ToolFailed, match=r"is async and gave a \w+, which would work on the event loop"):
        await called(tool(returned), {})
    for function in (part, line):
        with pytest.raises(NotJson, match=r"a \w+ would work on the event loop: send a list"):
            await called(tool(function), {})


@pytest.mark.parametrize("holding", [*WITHIN.values(), *ELSEWHERE.values()], ids=[*WITHIN, *ELSEWHERE])
def test_it_is_named(holding: Callable[[Any], Any]) -> None:
    """What a model computes has no name but pydantic's; no other model is serialised to be looked into."""
    computes = holding in [ELSEWHERE[each] for each in ("computed", "serialised", "field")]
    found = lazy(holding(itertools.count()))
    assert found is not None
    assert found.__name__ == ("SerializationIterator" if computes else "count")


@pytest.mark.parametrize("annotation", [M, list[int], Iterable[int], dict[str, Any], dict[str, list[int]], set[int]])
@pytest.mark.parametrize("endless", ENDLESS.values(), ids=ENDLESS)
async def test_whatever_is_declared(annotation: Any, endless: Endless, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_RESULT_BYTES", BOUND)
    value: Any = M(xs=endless()) if annotation is M else endless()
    if annotation in (dict[str, Any], dict[str, list[int]]):
        value = {"a": value}

    async def returned() -> Any:
        return Result(value)

    def in_thread() -> Any:
        return Result(value)

    returned.__annotations__ = in_thread.__annotations__ = {"return": Result[annotation]}
    with pytest.raises(errors.ToolFailed, match="would work on the event loop"):
        await called(tool(returned), {})
    with pytest.raises(errors.ToolFailed if annotation is M else errors.EventTooLarge):
        await called(tool(in_thread), {})


@pytest.mark.parametrize("endless", ENDLESS.values(), ids=ENDLESS)
@pytest.mark.parametrize("holding", WITHIN.values(), ids=WITHIN)
async def test_in_a_thread_it_is_read_to_the_bound(
    holding: Callable[[Any], Any], endless: Endless, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_RESULT_BYTES", BOUND)

    def returned() -> dict[str, Any]:
        return {"a": holding(endless())}

    def yields() -> Iterator[Any]:
        yield {"a": holding(endless())}

    def result() -> Iterator[Any]:
        yield Result({"a": holding(endless())})

    def part(ctx: Context) -> None:
        ctx.partial(holding(endless()))

    def line(ctx: Context) -> None:
        ctx.log("info", "m", holding(endless()))

    for function in (returned, yields, result, part, line):
        with pytest.raises(errors.EventTooLarge, match=rf"gave more than the {BOUND} bytes that a result may have"):
            await called(tool(function), {})


@pytest.mark.parametrize("holding", ELSEWHERE.values(), ids=ELSEWHERE)
async def test_in_a_thread_it_is_refused_where_it_cannot_be_replaced(holding: Callable[[Any], Any]) -> None:
    def returned() -> Any:
        return {"a": holding(itertools.count())}

    def part(ctx: Context) -> None:
        ctx.partial([holding(itertools.count())])

    problem = r"an? \w+ in an? \w+, where nothing bounds it: make a list of it"
    with pytest.raises(errors.ToolFailed, match=f"cannot be sent as JSON: {problem}"):
        await called(tool(returned), {})
    with pytest.raises(NotJson, match=problem):
        await called(tool(part), {})


async def test_the_bound_is_of_what_the_items_take_and_not_of_their_number() -> None:
    def returned() -> Any:
        return itertools.repeat(["x" * 2**20] * 8)

    with pytest.raises(errors.EventTooLarge, match="A repeat gave more than the 16777216 bytes"):
        await called(tool(returned), {})


@pytest.mark.parametrize("length", [2**24, 10**12, 10**30])
async def test_a_range_is_no_longer_than_a_result(length: int) -> None:
    async def returned() -> dict[str, list[int]]:
        return {"a": range(length)}  # type: ignore[dict-item]

    def in_thread() -> list[int]:
        return range(length)  # type: ignore[return-value]

    async def short() -> list[int]:
        return range(3)  # type: ignore[return-value]

    for function in (returned, in_thread):
        with pytest.raises(errors.EventTooLarge, match=r"range\(0, \d+\) is more than the 16777216 bytes"):
            await called(tool(function), {})
    assert (await called(tool(short), {}))[0] == [0, 1, 2]


async def test_what_is_kept_by_once_and_what_a_model_is_asked() -> None:
    async def made() -> Any:
        return {"a": itertools.count()}

    async def kept(ctx: Context) -> None:
        await ctx.once("a", lambda: {"a": itertools.count()})

    async def awaited(ctx: Context) -> None:
        await ctx.once("a", made)

    def awaited_in_thread(ctx: Context) -> None:
        ctx.wait(ctx.once("a", made))

    async def asked(ctx: Context) -> None:
        await ctx.sample([{"role": "user", "content": itertools.count()}], max_tokens=1)

    def read_in_thread(ctx: Context) -> Any:
        return ctx.wait(ctx.once("a", lambda: map(str, range(2))))

    for function in (kept, awaited, awaited_in_thread, asked):
        with pytest.raises(NotJson, match="a count would work on the event loop"):
            await called(tool(function), {})
    assert (await called(tool(read_in_thread), {}))[0] == ["0", "1"]


async def test_what_ends_is_read_as_before() -> None:
    def returned() -> Any:
        return {"a": (n for n in range(3)), "b": [map(str, [1]), {"c": iter([iter([2])])}], "d": M(xs=[1])}

    def pictures() -> Any:
        return map(Image, [b"\x89PNG\r\n\x1a\n"])

    assert (await called(tool(returned), {}))[0] == {"a": [0, 1, 2], "b": [["1"], {"c": [[2]]}], "d": {"xs": [1]}}
    assert (await called(tool(pictures), {}))[0][0]["type"] == "image"  # type: ignore[index]


def test_it_is_read_until_the_run_is_stopped() -> None:
    given: list[int] = []

    def numbers() -> Iterator[int]:
        for number in itertools.count():
            given.append(number)
            yield number

    with pytest.raises(asyncio.CancelledError):
        read({"a": numbers()}, lambda: len(given) > 9)
    assert given == list(range(10))


async def test_a_run_that_is_cancelled_gets_its_thread_back() -> None:
    begun, threads = threading.Event(), Threads(1)

    def slow() -> Iterator[int]:
        for number in itertools.count():
            begun.set()
            time.sleep(0.001)
            yield number

    @tool
    def returned() -> list[int]:
        return slow()  # type: ignore[return-value]

    async def emit(batch: Any) -> None:
        raise AssertionError

    caller = Caller(access=Access("somebody"), headers={}, deadline=time.monotonic() + 60, clock=time.monotonic)
    task = asyncio.create_task(work(returned, {}, caller, emit, threads))
    async with asyncio.timeout(10):
        await in_thread(lambda: begun.wait(10))
        task.cancel()
        await asyncio.wait({task})
        await threads.ended()
    assert (task.cancelled(), threads.working, threads.abandoned) == (True, 0, 0)


class Secret(BaseModel):
    """A model that sends less than it holds."""

    cursor: Any = Field(exclude=True)
    name: str = "a"


def holding_itself() -> Any:
    value: list[Any] = []
    value += [value, {"a": value}]
    return value


def doubled() -> Any:
    value: list[Any] = [[]]
    for _ in range(100):
        value = [value, value]
    return value


class Failing(BaseModel):
    @computed_field
    def xs(self) -> int:
        raise LookupError


class Plain(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        return iter("a")

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize(
    "value",
    [
        *("text", 1, None, b"", 1.5, {"a": 1}, [1, "a", {"b": (None,)}], range(3), {"a": 1}.keys(), Plain()),
        *(M(xs=[1]), Data({"a": 1}), Secret(cursor=iter([1])), ip_network("10.0.0.0/8"), Failing(), Result, M),
        *(holding_itself(), doubled(), object(), [[[[1]]]] * 1000, Image(b"\x89PNG\r\n\x1a\n")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_lazy(value: Any) -> None:
    assert lazy(value) is None
    assert read(value, lambda: True) is value


async def test_a_network_is_text() -> None:
    async def network() -> IPv4Network:
        return IPv4Network("10.0.0.0/8")

    assert (await called(tool(network), {}))[0] == "10.0.0.0/8"
