"""Drawn: whatever makers need each other, each is called once, behind what it needs, and closed before that."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from runs_stage import Stage, read_to_end, shown

from mcp_app import Depends, Shared, tool

BOUND = 20.0
KINDS = ("coroutine", "async generator", "function", "generator")


@dataclass(frozen=True)
class Drawn:
    """A maker: what it needs are numbers of those before it. `fails`: it raises when it is called."""

    kind: str
    shared: bool
    needs: tuple[int, ...]
    fails: bool


@st.composite
def graphs(draw: st.DrawFn) -> list[Drawn]:
    makers: list[Drawn] = []
    for number in range(draw(st.integers(1, 6))):
        shared = draw(st.booleans())
        before = [each for each in range(number) if not shared or makers[each].shared]
        needs = draw(st.lists(st.sampled_from(before), unique=True, max_size=3)) if before else []
        fails = not shared and draw(st.integers(0, 9)) == 0
        makers.append(Drawn(draw(st.sampled_from(KINDS)), shared, tuple(needs), fails))
    return makers


def with_needs(function: Callable[..., Any], needs: dict[str, Any]) -> Callable[..., Any]:
    """The function as one that has these parameters."""
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
        for name, annotation in needs.items()
    ]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return function


class Book:
    """Makers of a graph that write down what is done to them."""

    def __init__(self, graph: list[Drawn]) -> None:
        self.taken: list[int] = []
        self.closed: list[int] = []
        self.markers: list[Any] = []
        for number, drawn in enumerate(graph):
            needs = {f"n{each}": Annotated[int, self.markers[each]] for each in drawn.needs}
            make = with_needs(self._maker(number, drawn), needs)
            self.markers.append(Shared(make) if drawn.shared else Depends(make))

    def _maker(self, number: int, drawn: Drawn) -> Callable[..., Any]:
        def begin(needs: dict[str, int]) -> int:
            assert needs == {f"n{each}": each for each in drawn.needs}
            if drawn.fails:
                raise ValueError("drawn to fail")
            self.taken.append(number)
            return number

        async def coroutine(**needs: int) -> int:
            return begin(needs)

        async def async_generator(**needs: int) -> AsyncIterator[int]:
            value = begin(needs)
            try:
                yield value
            finally:
                await asyncio.sleep(0)
                self.closed.append(number)

        def function(**needs: int) -> int:
            return begin(needs)

        def generator(**needs: int) -> Iterator[int]:
            value = begin(needs)
            try:
                yield value
            finally:
                self.closed.append(number)

        return {
            "coroutine": coroutine,
            "async generator": async_generator,
            "function": function,
            "generator": generator,
        }[drawn.kind]


@settings(max_examples=60)
@given(graph=graphs(), plain=st.booleans(), raises=st.booleans())
def test_whatever_needs_what(graph: list[Drawn], plain: bool, raises: bool) -> None:
    async def scene() -> None:
        book = Book(graph)
        needs = {f"n{number}": Annotated[int, marker] for number, marker in enumerate(book.markers)}

        async def coroutine(**values: int) -> list[int]:
            return function(**values)

        def function(**values: int) -> list[int]:
            if raises:
                raise LookupError("no such row")
            return list(values.values())

        made = tool(with_needs(function if plain else coroutine, needs))
        fails = any(drawn.fails for drawn in graph)
        generators = [number for number, drawn in enumerate(graph) if "generator" in drawn.kind]
        of_calls = {number for number, drawn in enumerate(graph) if not drawn.shared}
        async with Stage() as stage:
            for _ in range(2):
                before = len(book.taken)
                run = await stage.start(made)
                reader = run.attach()
                last = shown((await read_to_end(reader))[-1])
                reader.close()
                async with asyncio.timeout(BOUND):
                    await stage.runs.dependencies.closings.ended()
                    await stage.runs.threads.ended()
                if fails or raises:
                    assert last["data"]["code"] == "tool_failed"
                else:
                    assert last["data"] == list(range(len(graph)))
                taken = [each for each in book.taken[before:] if each in of_calls]
                assert len(set(taken)) == len(taken)
                assert book.closed == [each for each in reversed(taken) if each in generators]
                book.closed.clear()
                if not fails:
                    assert set(taken) == of_calls
        shared = [each for each in book.taken if each not in of_calls]
        assert len(set(shared)) == len(shared)
        assert book.closed == [each for each in reversed(shared) if each in generators]
        assert (stage.runs.threads.working, stage.runs.dependencies.closings.abandoned) == (0, 0)

    asyncio.run(scene())
