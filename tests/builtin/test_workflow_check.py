"""A workflow is checked whole: every mistake is named with its place, all of them at once."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Mapping
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError, model_validator
from workflow_stage import BY_NAME, of, step, steps, when

from mcp_app import Tool, tool
from mcp_app.builtin.run_workflow import schemas
from mcp_app.builtin.run_workflow.arguments import MAX_UNKNOWN, Listed, Looks
from mcp_app.builtin.run_workflow.checking import MAX_REFERENCES, Suggestions, check
from mcp_app.builtin.run_workflow.graph import circles
from mcp_app.builtin.run_workflow.steps import MAX_STEPS, Selection, Step
from mcp_app.builtin.run_workflow.tool import run_workflow


def mistakes(*written: dict[str, Any], **more: Any) -> dict[str, str]:
    """Each problem by its place."""
    found = check(steps(*written), BY_NAME, {"run_workflow"}, **more)
    return {".".join(map(str, place)): problem for place, problem in found}


def test_what_is_right_has_no_mistakes() -> None:
    assert not mistakes(
        step("loud", "shout", params={"text": of("shop", "/rows/0/name"), "times": 2}, needs=["sum"]),
        step("shop", "shop"),
        step("sum", "total", params={"prices": [of("shop", "/rows/1/price"), 4], "rows": of("shop", "/rows")}),
        step("any", params={"value": {"a": [of("loud"), {"$literal": {"$from": 1}}]}}, needs=["loud", "shop"]),
        step("n", "counts", params={"to": 3}),
        step("first", params={"value": of("n", "/0")}, **{"if": when("n", "/1", equals=1)}),
    )


def test_all_mistakes_are_named_at_once() -> None:
    found = mistakes(
        step("a", "shuot", params={"text": of("b"), "more": of("nobody")}),
        step("a", "shop", needs=["c"]),
        step("c", "shout", params={"text": 7, "size": 1, "times": of("d", "/rows/0/name")}, needs=["c", "x"]),
        step("d", "shop", params={"rows": of("e", "/~")}, **{"if": when("a", "x", exists=True)}),
        step("e", "run_workflow", retry={"attempts": 2}),
        step("f", "fails", retry={"attempts": 2}, params={"message": {"$from": "d", "pionter": "/x"}}),
        step("g", "total", params={"prices": ["a", of("d", "/rows")], "rows": [{"name": of("d", "/rows/0/price")}]}),
    )
    assert found == {
        "steps.0.tool": 'there is no tool named "shuot": did you mean shout or shop?',
        "steps.0.params.text": 'there is no step "b"',
        "steps.0.params.more": 'there is no step "nobody"',
        "steps.1.id": 'the id "a" is that of steps.0, too: each step has its own',
        "steps.2.needs.1": 'there is no step "x"',
        "steps.2.params.size": "the tool shout has no parameter of this name; it has text, times",
        "steps.2.params.text": found["steps.2.params.text"],
        "steps.2.params.times": 'the result of "d" has string where the tool shout takes integer',
        "steps.2.needs.0": 'a cycle, in which no step can be the first: "c" needs "c"',
        "steps.3.params.rows.pointer": found["steps.3.params.rows.pointer"],
        "steps.3.if.pointer": found["steps.3.if.pointer"],
        "steps.4.tool": "run_workflow does not call itself: write its steps here",
        "steps.5.params.message": found["steps.5.params.message"],
        "steps.5.retry": found["steps.5.retry"],
        "steps.6.params.prices.0": "this is string, and the tool takes number",
        "steps.6.params.prices.1": 'the result of "d" has array where the tool total takes number',
        "steps.6.params.rows.0.name": 'the result of "d" has number where the tool total takes string',
    }
    assert "valid string" in found["steps.2.params.text"]
    assert '"~" is written "~0"' in found["steps.3.params.rows.pointer"]
    assert 'begins with "/"' in found["steps.3.if.pointer"]
    assert 'not "pionter"' in found["steps.5.params.message"]
    assert "neither read-only nor idempotent" in found["steps.5.retry"]


@pytest.mark.parametrize(
    ("params", "place", "problem"),
    [
        ({}, "steps.0.params.text", "the tool shout requires this parameter (string), which is missing"),
        ({"text": "a", "times": "many"}, "steps.0.params.times", "valid integer"),
        ({"text": None}, "steps.0.params.text", "valid string"),
        ({"text": of("s", "/rows/0")}, "steps.0.params.text", "has object where the tool shout takes string"),
        ({"text": of("s", "/note", default=3)}, "steps.0.params.text.default", "the default is integer"),
        ({"text": of("s", "/rows/0/nam")}, "steps.0.params.text.pointer", "at '/rows/0' has name, price"),
        ({"text": of("s", "/rows/first")}, "steps.0.params.text.pointer", "at '/rows' is array"),
        ({"text": of("s", "/note/0")}, "steps.0.params.text.pointer", "at '/note' is null or string"),
        ({"text": {"$literal": 3}}, "steps.0.params.text", "valid string"),
        ({"text": [of("s")]}, "steps.0.params.text", "this is array, and the tool takes string"),
        ({"text": "a", "times": {"n": of("s", "/rows")}}, "steps.0.params.times", "this is object, and the tool takes"),
        ({"$from": "s"}, "steps.0.params", "params has the parameters by their names"),
        ({"$literal": {"text": "a"}}, "steps.0.params", "params has the parameters by their names"),
    ],
)
def test_each_mistake_in_arguments(params: dict[str, Any], place: str, problem: str) -> None:
    found = mistakes(step("a", "shout", params=params), step("s", "shop"))
    assert list(found) == [place]
    assert problem in found[place]


def test_a_literal_is_checked_as_what_is_in_it() -> None:
    assert not mistakes(step("a", "shout", params={"text": {"$literal": "x"}, "times": {"$literal": 2}}))


def test_what_a_call_repairs_is_no_mistake() -> None:
    assert not mistakes(
        step("a", "shout", params={"text": "x", "times": "3"}),
        step("b", "total", params={"prices": ["2.5", of("c")]}),
        step("c", "total", params={"prices": "[1]"}),
        step("d", "shout", params={"text": "x", "times": of("n", "/0", default="7")}),
        step("n", "counts", params={"to": 1}),
    )
    found = mistakes(
        step("b", "total", params={"prices": ["2.5x", "true", of("c")]}),
        step("c", "total", params={"prices": []}),
        step("d", "shout", params={"text": "x", "times": of("n", "/0", default="seven")}),
        step("n", "counts", params={"to": 1}),
    )
    assert list(found) == ["steps.0.params.prices.0", "steps.0.params.prices.1", "steps.2.params.times.default"]


@tool(strict=True)
async def strict(n: int) -> int:
    return n


@tool
async def even(n: Annotated[int, Field(ge=0, multiple_of=2)], note: str = "") -> None: ...


def test_the_tools_own_rules_hold_for_literals() -> None:
    tools = {"strict": strict, "even": even}
    found = check(
        steps(
            step("a", "strict", params={"n": "3"}),
            step("b", "even", params={"n": 3, "note": of("a")}),
            step("c", "even", params={"n": -2}),
        ),
        tools,
    )
    assert [".".join(map(str, each.place)) for each in found] == [
        "steps.0.params.n",
        "steps.1.params.note",
        "steps.1.params.n",
        "steps.2.params.n",
    ]


class Range(BaseModel):
    low: int
    high: int

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if self.low > self.high:
            raise ValueError("the high is below the low")
        return self


@tool(parameters=Range)
async def between(range: Range) -> int:  # noqa: A002 - as an author names it
    return range.low


def test_what_holds_for_all_arguments_together_is_checked_where_all_are_known() -> None:
    found = check(
        steps(
            step("a", "between", params={"low": 2, "high": 1}),
            step("b", "between", params={"low": 2, "high": of("a")}),
        ),
        {"between": between},
    )
    assert [each.place for each in found] == [("steps", 0, "params")]
    assert "the high is below the low" in found[0].problem


def test_where_in_a_value_two_types_differ_is_said() -> None:
    @tool
    async def takes(rows: list[dict[str, int]], pairs: list[Range] | None = None) -> None: ...

    tools = {**BY_NAME, "takes": takes}
    [found] = check(steps(step("s", "shop"), step("a", "takes", params={"rows": [{"x": of("s", "/rows")}]})), tools)
    assert found.place == ("steps", 1, "params", "rows", 0, "x")
    [found] = check(
        steps(step("e"), step("a", "takes", params={"rows": [], "pairs": [{"low": of("e"), "hihg": 1}]})), tools
    )
    assert found.place == ("steps", 1, "params", "pairs", 0, "hihg")
    assert found.problem == "nothing of this name can stand here; there are low, high"

    @tool
    async def words(of_each: list[list[str]]) -> None: ...

    @tool
    async def numbers() -> list[list[int]]: ...

    [found] = check(
        steps(step("n", "numbers"), step("w", "words", params={"of_each": of("n")})),
        {"words": words, "numbers": numbers},
    )
    assert found.problem == "the result of \"n\" has integer where the tool words takes string (at '/0/0' in it)"


def test_a_tool_without_an_output_schema_may_return_anything() -> None:
    assert not mistakes(step("a"), step("b", "shout", params={"text": of("a", "/what/ever/0")}))


def test_conditions_are_checked_as_references_are() -> None:
    found = mistakes(
        step("s", "shop"),
        step("a", **{"if": when("s", "/row", exists=True)}),
        step("b", **{"if": when("nobody", exists=True)}),
        step("c", **{"if": when("s", "/note", equals=of("nothing"))}),
        step("d", **{"if": when("d", exists=True)}),
        step("e", **{"if": {"from": "s", "not": {"$from": 1}}}),
    )
    assert list(found) == ["steps.1.if.pointer", "steps.2.if", "steps.3.if.equals", "steps.5.if.not", "steps.4.if"]


@pytest.mark.parametrize(
    "condition", [when("a"), when("a", exists=True, equals=1), when("a", equals=None, **{"not": 1})]
)
def test_a_condition_has_one_comparison(condition: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="exactly one of exists, equals, not"):
        Step.model_validate(step("b", **{"if": condition}))
    assert Step.model_validate(step("b", **{"if": when("a", equals=None)})).if_ is not None


def test_no_name_that_is_listed_keeps_the_tool_from_a_model() -> None:
    """APIs of models take letters, digits, `_`, `.` and `-`, and refuse all tools of a request for one other name."""
    ahead: list[Any] = [run_workflow.input_schema, run_workflow.output_schema]
    names = set()
    while ahead:
        each = ahead.pop()
        if isinstance(each, Mapping):
            names |= each.get("properties", {}).keys()
            ahead += each.values()
        elif isinstance(each, list):
            ahead += each
    assert {"from", "not", "if", "left_out"} <= names
    assert not [name for name in names if not re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", name)]


def test_retries_are_for_what_may_be_called_twice() -> None:
    assert not mistakes(step("a", "shout", params={"text": "a"}, retry={"attempts": 5}))
    assert not mistakes(step("a", "fails", retry={"attempts": 2, "on": ["queue_full"]}))
    assert list(mistakes(step("a", "fails", retry={"on": ["queue_full", "gone"]}))) == ["steps.0.retry"]


def test_what_is_selected_is_checked() -> None:
    chosen = [
        Selection(**{"from": "s", "pointer": "/rows/0/nam"}),
        Selection(**{"from": "s"}),
        Selection(**{"from": "x"}),
        Selection(**{"from": "e", "pointer": "no"}),
    ]
    found = mistakes(step("s", "shop"), step("e"), results=chosen)
    assert list(found) == ["results.0.pointer", "results.1", "results.2", "results.3.pointer"]


def test_a_bound_that_not_even_the_steps_fit_in() -> None:
    found = mistakes(*(step(f"s{n}") for n in range(100)), max_characters=20_000)
    assert list(found) == ["max_characters"]
    assert not mistakes(*(step(f"s{n}") for n in range(100)), max_characters=100_000)


# --- cycles ----------------------------------------------------------------------------------------------------------


def test_a_cycle_is_named_by_its_steps_whatever_it_is_made_of() -> None:
    found = mistakes(
        step("a", params={"value": of("c", default=0)}),
        step("b", needs=["a"]),
        step("c", **{"if": when("b", exists=True)}),
        step("alone"),
        step("d", needs=["e"]),
        step("e", needs=["d", "a"]),
    )
    assert found == {
        "steps.0.params.value": 'a cycle, in which no step can be the first: "a" needs "c" needs "b" needs "a"',
        "steps.4.needs.0": 'a cycle, in which no step can be the first: "d" needs "e" needs "d"',
    }


GRAPHS = st.integers(1, 12).flatmap(
    lambda size: st.lists(
        st.sets(st.integers(0, size - 1), max_size=3).map(lambda those: dict.fromkeys(sorted(those), ())),
        min_size=size,
        max_size=size,
    )
)


@given(GRAPHS)
def test_every_cycle_is_found_and_named(after: list[dict[int, Any]]) -> None:
    found = circles(after)
    for circle in found:
        for one, other in itertools.pairwise([*circle, circle[0]]):
            assert other in after[one]
        assert len(set(circle)) == len(circle)
    # Without the steps of a group that waits for itself there is an order; with one of them there is none.
    groups = [
        {other for other in range(len(after)) if reaches(after, one, other) and reaches(after, other, one)}
        for one in range(len(after))
    ]
    cyclic = {frozenset(group) for one, group in enumerate(groups) if one in group}
    assert len(found) == len(cyclic)
    assert all(any(set(circle) <= group for group in cyclic) for circle in found)
    assert bool(found) is not has_order(after)


def reaches(after: list[dict[int, Any]], one: int, other: int) -> bool:
    seen: set[int] = set()
    ahead = list(after[one])
    while ahead:
        each = ahead.pop()
        if each not in seen:
            seen.add(each)
            ahead += after[each]
    return other in seen


def has_order(after: list[dict[int, Any]]) -> bool:
    rest = set(range(len(after)))
    while free := {each for each in rest if not rest & after[each].keys()}:
        rest -= free
    return not rest


def test_a_chain_as_long_as_a_workflow_and_a_circle_of_it() -> None:
    chain = [step(f"s{n}", needs=[f"s{n - 1}"] if n else []) for n in range(MAX_STEPS)]
    random.Random(1).shuffle(chain)
    assert not mistakes(*chain)
    chain = [step(f"s{n}", needs=[f"s{(n - 1) % MAX_STEPS}"]) for n in range(MAX_STEPS)]
    [problem] = mistakes(*chain).values()
    assert problem.count(" needs ") == MAX_STEPS


def test_references_have_a_bound_so_that_the_check_has_one() -> None:
    large = [step("s0"), *(step(f"s{n}", params={"value": [of("s0", "/a")] * 10}) for n in range(1, MAX_STEPS))]
    assert not mistakes(*large)
    large.append(step("x", params={"value": [of("s0")] * 11}, needs=["unknown"]))
    assert mistakes(*large) == {"steps": f"there are {MAX_REFERENCES + 1} references, and may be {MAX_REFERENCES}"}


def test_very_many_unknown_parameters_are_one_mistake() -> None:
    found = mistakes(step("e", "shout", params={"text": "a", **{f"n{n}": n for n in range(50_000)}}))
    assert list(found) == [f"steps.0.params.n{n}" for n in range(MAX_UNKNOWN)]


def test_literals_beside_references_are_looked_at_up_to_a_bound() -> None:
    """What is left the tool itself refuses."""
    written = [step("e"), step("t", "total", params={"prices": [of("e"), *[1] * Looks.MOST, "x"]})]
    assert not mistakes(*written)
    written[1]["params"]["prices"].insert(2, "y")
    assert list(mistakes(*written)) == ["steps.1.params.prices.2"]


def test_only_the_first_mistakes_have_suggestions_as_these_take_time() -> None:
    known = [step(f"{'s' * 60}{n}") for n in range(99)]
    unknown = step("x", params={"value": [of("s" * 59 + "é" * 10_000)] * MAX_REFERENCES})
    found = check(steps(*known, unknown), BY_NAME)
    assert len(found) == MAX_REFERENCES
    assert sum("did you mean" in each.problem for each in found) == Suggestions.MOST


def test_places_are_read_once_however_many_references_lead_there() -> None:
    source = Listed(BY_NAME["shop"])
    assert source.gives is not None
    first = schemas.within(source.gives, ["rows", "3", "name"])
    assert first is schemas.within(source.gives, ["rows", "77", "name"])


def test_tools_of_other_names_are_known_by_what_they_are() -> None:
    tools: dict[str, Tool] = {"other": BY_NAME["shout"]}
    [found] = check(steps(step("a", "shout")), tools)
    assert found.place == ("steps", 0, "tool")
