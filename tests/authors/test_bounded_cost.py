"""Whatever a caller sends, validating it has a bound: wide values, deep ones, and patterns.

Nothing is timed. Each of the values would hold the loop for minutes or hours if its bound were gone, so that the test's
own bound in time fails; what is seen to be counted is compared.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

import mcp_app
from mcp_app import ToolDefinitionError
from mcp_app.authoring.bounded_cost import MAX_TRIES, Branching
from mcp_app.protocol.errors import InvalidParams
from mcp_app.protocol.patterns import may_match
from mcp_app.testing import client


class And(BaseModel):
    op: Literal["and"]
    terms: list[And | Or | Leaf]


class Or(BaseModel):
    op: Literal["or"]
    terms: list[And | Or | Leaf]


class Leaf(BaseModel):
    op: Literal["leaf"]
    name: str


class Branch(BaseModel):
    kind: Literal["branch"] = "branch"
    inner: Annotated[Branch | Twig, Field(discriminator="kind")] | None = None


class Twig(BaseModel):
    kind: Literal["twig"] = "twig"
    inner: Annotated[Branch | Twig, Field(discriminator="kind")] | None = None


class Tree(BaseModel):
    children: list[Tree] = []


def nested(levels: int, op: str = "or", leaf: Any = None) -> Any:
    value = {"op": "leaf", "name": "x"} if leaf is None else leaf
    for _ in range(levels):
        value = {"op": op, "terms": [value]}
    return value


@mcp_app.tool
def select(where: And | Or | Leaf) -> str:
    """Select."""
    return type(where).__name__


@mcp_app.tool
def grow(tree: Branch) -> str:
    """Grow."""
    return tree.kind


@mcp_app.tool
def walk(tree: Tree) -> int:
    """Walk."""
    return len(tree.children)


@mcp_app.tool
def plus(numbers: list[int], names: dict[str, int] | None = None) -> int:
    """Add."""
    return sum(numbers)


async def refused(tool: mcp_app.Tool, **params: Any) -> InvalidParams:
    async with client(tool) as c:
        with pytest.raises(InvalidParams) as caught:
            await c.run(tool.name, **params)
    return caught.value


# --- deep ------------------------------------------------------------------------------------------------------------


async def test_a_union_that_contains_itself_is_tried_so_often_and_no_more() -> None:
    assert select.signature.branching == Branching(2, objects=True, arrays=False)
    async with client(select) as c:
        assert await c.run("select", where=nested(10)) == "Or"
        # 28 levels of two choices: 5 minutes, if each were tried.
        for leaf in (None, {"op": "leaf"}):
            with pytest.raises(InvalidParams, match="nests too deep"):
                await c.run("select", where=nested(28, leaf=leaf))


async def test_what_has_one_choice_at_each_level_is_not_bounded_but_by_the_body() -> None:
    assert (grow.signature.branching, walk.signature.branching) == (None, None)
    tree: Any = {"kind": "twig"}
    for number in range(55):
        tree = {"kind": ("branch", "twig")[number % 2], "inner": tree}
    async with client(grow) as c:
        assert await c.run("grow", tree={"kind": "branch", "inner": tree}) == "branch"


@pytest.mark.parametrize(
    ("value", "tries"),
    [
        ({}, 1),
        ({"a": {}, "b": {}}, 1 + 2 * 3),
        ({"a": {"b": {"c": {}}}}, 1 + 3 + 9 + 27),
        ({"a": [[{}]]}, 1 + 3 + 3 + 3),
    ],
)
def test_tries_are_counted(value: dict[str, Any], tries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    branching = Branching(3, objects=True, arrays=False)
    monkeypatch.setattr("mcp_app.authoring.bounded_cost.MAX_TRIES", tries)
    branching.check(value)
    monkeypatch.setattr("mcp_app.authoring.bounded_cost.MAX_TRIES", tries - 1)
    with pytest.raises(ValueError, match="nests too deep"):
        branching.check(value)


def test_unions_within_unions_and_around_functions_are_counted() -> None:
    @mcp_app.tool
    def mixed(value: Mixed) -> int:
        """Mix."""
        return 1

    assert mixed.signature.branching == Branching(4, objects=True, arrays=True)


class Mixed(BaseModel):
    inner: Annotated[list[Mixed] | tuple[Mixed, int], Field(description="x")] | dict[str, Mixed] | Mixed | None = None


# --- wide ------------------------------------------------------------------------------------------------------------


async def test_a_megabyte_of_wrong_items_is_left_at_the_first() -> None:
    error = await refused(plus, numbers=[[]] * 250_000)
    assert [each["field"] for each in error.details] == ["params.numbers.0"]


async def test_a_few_wrong_items_are_all_told() -> None:
    error = await refused(plus, numbers=[1, [], 2, [], []])
    assert [each["field"] for each in error.details] == ["params.numbers.1", "params.numbers.3", "params.numbers.4"]


async def test_many_names_that_are_wrong_are_counted_and_not_listed() -> None:
    error = await refused(plus, numbers=[], names={str(number): [] for number in range(50_000)})
    assert error.message == "params: 50000 values in it are wrong, or have no field."
    error = await refused(plus, numbers=[], **{f"n{number}": 1 for number in range(50_000)})
    assert error.message == "params: 50000 values in it are wrong, or have no field."


async def test_a_large_value_is_taken_and_repaired_as_a_small_one() -> None:
    async with client(plus) as c:
        assert await c.run("plus", numbers=list(range(100_000))) == 4_999_950_000
        assert await c.run("plus", numbers=["1"] * 9_000) == 9_000


# --- patterns --------------------------------------------------------------------------------------------------------

HOSTILE = "a" * 60 + "!"
"""Over which `^(a+)+$` takes Python's re some centuries."""


async def test_names_by_a_pattern_are_looked_for_in_linear_time() -> None:
    """In the repair and in the error, too, which read the listed schema."""

    @mcp_app.tool
    def named(values: dict[Annotated[str, Field(pattern=r"^(a+)+$")], int]) -> int:
        """Count."""
        return len(values)

    async with client(named) as c:
        assert await c.run("named", values={"aaa": "5"}) == 1
    error = await refused(named, values={HOSTILE: "x"})
    assert error.details


def test_a_pattern_of_another_dialect_may_match() -> None:
    assert may_match("^a", "ba") is False
    assert may_match("a", "ba") is True
    assert may_match("(?=x)y", "nothing") is True


SLOW = [
    r"^(a+)+$",
    r"(a*)*b",
    r"(?:\w+\s?)*$",
    r"((a|b)*c?)*",
    r"(?:x{1,40}){20}",
    r"(?!(a+)+b)c",
    r"(a)?(?(1)(b+)+|c)",
]
QUICK = [r"^[a-z]+$", r"[a-z]+(?:-[a-z]{1,5})?", r"(?=.*\d).{8,}", r"(?:\d{3}-){2}\d{4}", r"(?>a+)+", r"(?:a++)+"]


@pytest.mark.parametrize("pattern", SLOW)
def test_a_pattern_that_pythons_re_could_take_hours_over_is_refused(pattern: str) -> None:
    class Backtracking(BaseModel):
        model_config = ConfigDict(regex_engine="python-re")
        text: str = Field(pattern=pattern)

    for annotation in (Annotated[str, Field(pattern=re.compile(pattern))], list[Backtracking]):

        def taking(text: Any) -> str:
            """Take."""
            return "taken"

        taking.__annotations__["text"] = annotation
        with pytest.raises(ToolDefinitionError, match=r"the parameter text .* it repeats what repeats"):
            mcp_app.tool(taking)


@pytest.mark.parametrize("pattern", QUICK)
def test_others_of_pythons_are_taken(pattern: str) -> None:
    def taking(text: Any) -> str:
        """Take."""
        return "taken"

    taking.__annotations__["text"] = Annotated[str, Field(pattern=re.compile(pattern))]
    assert mcp_app.tool(taking).name == "taking"


@pytest.mark.parametrize("pattern", [each for each in SLOW if "?!" not in each and "?(" not in each])
async def test_as_text_each_is_taken_and_matched_in_linear_time(pattern: str) -> None:
    def taking(text: Any) -> str:
        """Take."""
        return "taken"

    taking.__annotations__["text"] = Annotated[str, Field(pattern=pattern)]
    async with client(mcp_app.tool(taking)) as c:
        run = c.run("taking", text="a" * 100_000 + "!")
        assert await run.until(lambda event: event.type in ("complete", "error"))
    assert run.error is None or "match" in run.error.message


def test_the_bound_is_one_that_real_filters_stay_below() -> None:
    Branching(20, objects=True, arrays=False).check({"where": {"and": [{"or": [{"not": {}}]}]}})
    assert MAX_TRIES >= 20**4
