"""What is due when: by hand, and by workflows that are drawn, without a loop."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workflow_stage import of, step, steps, when

from mcp_app import Declined, MissingCapability, NoAnswer, ToolError, errors
from mcp_app.builtin.run_workflow.outcome import StepError
from mcp_app.builtin.run_workflow.plan import (
    MAX_AT_ONCE,
    MAX_GIVEN_CHARACTERS,
    MAX_GIVEN_VALUES,
    Course,
    Ended,
    Start,
    Stop,
    is_equal,
)
from mcp_app.builtin.run_workflow.retrying import is_retried, may_be_retried, wait_seconds
from mcp_app.builtin.run_workflow.rounds import ended_of, kept_of
from mcp_app.builtin.run_workflow.steps import MAX_WAIT_SECONDS, Retry, Step

FAILED = Ended("failed", 1, error=StepError(code="gone", message="It is gone."))


def ok(result: Any = None) -> Ended:
    return Ended("ok", 1, 0.5, result=result)


def play(written: list[Step], outcomes: dict[str, Ended], **more: Any) -> tuple[list[str], dict[str, Ended | None]]:
    """The ids in the order in which they began, and what became of all."""
    course, began = Course(written, **more), []
    while True:
        moves = course.due()
        began += [written[each.at].id for each in moves if isinstance(each, Start)]
        if course.failed is not None or not course.working:
            return began, {each.id: ended for each, ended in zip(written, course.ended, strict=True)}
        at = min(course.working)
        course.end(at, outcomes.get(written[at].id, ok(written[at].id)))


def statuses(written: list[Step], outcomes: dict[str, Ended]) -> dict[str, str | None]:
    return {name: ended and ended.status for name, ended in play(written, outcomes)[1].items()}


def test_a_step_begins_when_what_it_needs_has_ended() -> None:
    course = Course(
        steps(step("b", params={"value": [of("a", "/x"), of("c", default=1)]}), step("a"), step("c", needs=["a"]))
    )
    [first] = course.due()
    assert first == Start(1, {}, 0)
    assert course.due() == []
    course.end(1, ok({"x": 5}))
    [second] = course.due()
    assert second == Start(2, {}, 1)
    course.end(2, ok())
    [third] = course.due()
    assert third == Start(0, {"value": [5, None]}, 2)
    course.end(0, ok())
    assert (course.due(), course.working, course.failed) == ([], set(), None)


@pytest.mark.parametrize(
    ("on_error", "expected"),
    [
        ("fail", {"a": "failed", "named": None, "taken": None, "else": None, "later": None, "asked": None}),
        (
            "skip_dependants",
            {"a": "failed", "named": "skipped", "taken": "skipped", "else": "ok", "later": "skipped", "asked": "ok"},
        ),
        (
            "continue",
            {"a": "failed", "named": "ok", "taken": "skipped", "else": "ok", "later": "skipped", "asked": "ok"},
        ),
    ],
)
def test_what_on_error_means(on_error: str, expected: dict[str, Any]) -> None:
    written = steps(
        step("a", on_error=on_error),
        step("named", needs=["a"]),
        step("taken", params={"value": of("a")}),
        step("else", params={"value": of("a", default=None)}),
        step("later", needs=["taken"]),
        step("asked", **{"if": when("a", exists=False)}),
    )
    assert statuses(written, {"a": FAILED}) == expected


def test_a_step_that_was_skipped_has_not_failed_whatever_its_failure_would_mean() -> None:
    written = steps(
        step("a"),
        step("b", on_error="continue", **{"if": when("a", exists=False)}),
        step("c", needs=["b"]),
    )
    assert statuses(written, {}) == {"a": "ok", "b": "skipped", "c": "skipped"}


def test_nothing_begins_once_a_step_has_failed_by_its_arguments() -> None:
    written = steps(step("a"), step("b", params={"value": of("a", "/no")}), step("c", needs=["a"]), step("d"))
    course = Course(written, ended={"a": ok({}), "d": ok()})
    assert [move.at for move in course.due()] == [1]
    assert course.failed == 1
    assert course.ended[2] is None


def test_who_only_comes_after_needs_no_result() -> None:
    course = Course(steps(step("a"), step("b", needs=["a"]), step("c", **{"if": when("b", exists=True)})))
    assert not course.is_needed(0)
    assert course.is_needed(1)


def test_why_a_step_is_skipped_is_said() -> None:
    written = steps(
        step("a", on_error="continue"),
        step("b", params={"value": of("a")}),
        step("c", needs=["b"]),
        step("d", **{"if": when("a", exists=True)}),
    )
    _, ended = play(written, {"a": FAILED})
    assert {name: each and each.reason for name, each in ended.items()} == {
        "a": "",
        "b": 'the step "a", which it needs, has failed',
        "c": 'the step "b", which it needs, was skipped',
        "d": 'its condition on the step "a" does not hold',
    }


def test_a_join_after_two_branches() -> None:
    """Whichever branch was taken, what waits for both goes on, by a default."""
    written = steps(
        step("look"),
        step("small", **{"if": when("look", "/n", equals=1)}),
        step("large", **{"if": when("look", "/n", **{"not": 1})}),
        step("end", params={"value": [of("small", default=None), of("large", default=None)]}),
    )
    for n, values in ((1, ["small", None]), (2, [None, "large"])):
        course = Course(written, ended={"look": ok({"n": n})})
        [branch, *skipped] = sorted(course.due(), key=lambda move: isinstance(move, Stop))
        assert isinstance(branch, Start)
        assert len(skipped) == 1
        course.end(branch.at, ok(written[branch.at].id))
        [last] = course.due()
        assert isinstance(last, Start)
        assert last.arguments == {"value": values}


@pytest.mark.parametrize(
    ("result", "condition", "holds"),
    [
        ({"a": None}, when("a", "/a", exists=True), True),
        ({"a": None}, when("a", "/a", exists=False), False),
        ({}, when("a", "/a", exists=False), True),
        ({"a": None}, when("a", "/a", equals=None), True),
        ({}, when("a", "/a", equals=None), False),
        ({}, when("a", "/a", **{"not": 1}), True),
        ([1], when("a", "/0", equals=1.0), True),
        ([True], when("a", "/0", equals=1), False),
        ([0], when("a", "/0", **{"not": False}), True),
        ({"a": [1, {"b": 2}]}, when("a", equals={"a": [1.0, {"b": 2}]}), True),
        ({"x": {"$from": "b"}}, when("a", "/x", equals={"$literal": {"$from": "b"}}), True),
        (["same"], when("a", "/0", equals=of("b")), True),
        (["other"], when("a", "/0", equals=of("b")), False),
        (["other"], when("a", "/0", **{"not": of("b", "/nothing")}), True),
        (["other"], when("a", "/0", equals=of("b", "/nothing")), False),
    ],
)
def test_conditions(result: Any, condition: dict[str, Any], holds: bool) -> None:
    written = steps(step("a"), step("b"), step("c", **{"if": condition}))
    assert statuses(written, {"a": ok(result), "b": ok("same")})["c"] == ("ok" if holds else "skipped")


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (0, False), (None, 0), ("1", 1), ([], {}), ({"a": 1}, {"a": 1, "b": 1})]
)
def test_what_is_not_equal(one: Any, other: Any) -> None:
    assert not is_equal(one, other)
    assert not is_equal([one], [other])
    assert is_equal(one, one)


def test_a_reference_to_what_is_not_there_is_a_failure_of_its_own_step() -> None:
    written = steps(step("a"), step("b", params={"value": of("a", "/rows/7")}, on_error="skip_dependants"), step("c"))
    began, ended = play(written, {"a": ok({"rows": []})})
    assert began == ["a", "c"]
    failed = ended["b"]
    assert failed is not None
    assert failed.error is not None
    assert (failed.status, failed.attempts, failed.error.code) == ("failed", 0, "no_value")
    assert "'/rows/7'" in failed.error.message


def test_a_long_pointer_that_leads_to_nothing_is_cut() -> None:
    long = steps(step("a"), step("b", params={"value": of("a", "/0" * 5000)}))
    failed = play(long, {"a": ok([])})[1]["b"]
    assert failed is not None
    assert failed.error is not None
    assert failed.error.message.startswith('The result of the step "a" has nothing at \'/0/0')
    assert len(failed.error.message) < 150


def test_references_stand_for_no_more_than_a_call_may_have() -> None:
    """A thousand references to a megabyte would be a gigabyte of arguments."""
    twice = steps(step("a"), step("b", params={"value": [of("a"), of("a")]}))
    for long in (ok("x" * (MAX_GIVEN_CHARACTERS // 2 - 2)), ok([{"n": 1}] * (MAX_GIVEN_VALUES // 4 - 1))):
        assert statuses(twice, {"a": long}) == {"a": "ok", "b": "ok"}
        for value in ([of("a")] * 3, [of("a"), {"x": of("a")}, of("a", "")], [of("a", "")] * 1000):
            written = steps(step("a"), step("b", on_error="continue", params={"value": value}))
            failed = play(written, {"a": long})[1]["b"]
            assert failed is not None
            assert failed.error is not None
            assert (failed.status, failed.attempts, failed.error.code) == ("failed", 0, "arguments_too_large")


def test_no_more_are_at_work_than_may_be() -> None:
    course = Course(steps(*(step(f"s{n}") for n in range(100))))
    assert len(course.due()) == MAX_AT_ONCE
    assert course.due() == []
    course.end(3, ok())
    [move] = course.due()
    assert move.at == MAX_AT_ONCE


def test_steps_that_would_wait_for_their_tool_leave_their_places_to_others() -> None:
    written = steps(*(step(f"s{n}", "shop" if n < 50 else "echo") for n in range(60)))
    course = Course(written, widths={"shop": 2})
    assert [move.at for move in course.due()] == [0, 1, *range(50, 58)]
    course.end(0, ok())
    assert [move.at for move in course.due()] == [2]


def test_a_cut_workflow_goes_on_with_what_had_ended() -> None:
    written = steps(step("a"), step("b", params={"value": of("a")}), step("c", params={"value": of("b")}))
    first = Course(written)
    first.due()
    first.end(0, ok("once"))
    kept = {"a": kept_of(first.ended[0] or FAILED)}
    second = Course(written, ended={name: ended_of(each) for name, each in kept.items()})
    assert second.due() == [Start(1, {"value": "once"}, 1)]


@pytest.mark.parametrize("ended", [ok({"a": [1]}), FAILED, Ended("skipped", reason="because")])
def test_what_is_kept_of_a_step_is_what_became_of_it(ended: Ended) -> None:
    assert ended_of(kept_of(ended)) == ended


def test_results_are_kept_as_long_as_somebody_needs_them() -> None:
    course = Course(
        steps(step("a"), step("b", params={"value": of("a")}), step("c", **{"if": when("a", exists=True)}, needs=["b"]))
    )
    course.due()
    assert course.is_needed(0)
    course.end(0, ok("x"))
    course.due()
    assert course.is_needed(0)  # b has it, c looks at it
    course.end(1, ok("y"))
    course.due()
    assert not course.is_needed(0)
    course.forget(0)
    assert course.ended[0] == ok(None)


# --- drawn -----------------------------------------------------------------------------------------------------------


@st.composite
def workflows(draw: st.DrawFn) -> tuple[list[Step], dict[str, Ended], list[int]]:
    """Steps without a cycle, in any order; what becomes of each call; and an order in which calls end."""
    size = draw(st.integers(1, 15))
    written = []
    for n in range(size):
        earlier = st.sampled_from([f"s{m}" for m in range(n)]) if n else st.nothing()
        more: dict[str, Any] = {"on_error": draw(st.sampled_from(["fail", "skip_dependants", "continue"]))}
        if n:
            more["needs"] = draw(st.lists(earlier, max_size=2))
            values = draw(st.lists(st.tuples(earlier, st.booleans()), max_size=2))
            more["params"] = {"value": [of(name, **({"default": 0} if soft else {})) for name, soft in values]}
            if draw(st.booleans()):
                more["if"] = when(
                    draw(earlier), **draw(st.sampled_from([{"exists": True}, {"exists": False}, {"equals": 1}]))
                )
        written.append(step(f"s{n}", **more))
    outcomes = {f"s{n}": draw(st.sampled_from([ok(1), ok(2), FAILED])) for n in range(size)}
    return (
        steps(*draw(st.permutations(written))),
        outcomes,
        draw(st.lists(st.integers(0, 20), min_size=size, max_size=size)),
    )


@given(workflows())
def test_every_step_begins_once_at_most_and_after_what_it_needs(
    drawn: tuple[list[Step], dict[str, Ended], list[int]],
) -> None:
    written, outcomes, order = drawn
    course = Course(written)
    began: list[str] = []
    while True:
        for move in course.due():
            each = written[move.at]
            waits_for = {*each.needs, *(value["$from"] for value in each.params.get("value", []))}
            waits_for |= {each.if_.step} if each.if_ else set()
            ended = {one.id: course.ended[at] for at, one in enumerate(written)}
            assert all(ended[name] is not None for name in waits_for)
            if isinstance(move, Start):
                assert each.id not in began
                began.append(each.id)
                taken = [value["$from"] for value in each.params.get("value", []) if "default" not in value]
                assert all(ended[name].status == "ok" for name in taken)  # type: ignore[union-attr]
        assert len(course.working) <= MAX_AT_ONCE
        if course.failed is not None or not course.working:
            break
        at = sorted(course.working)[order[len(began) - 1] % len(course.working)]
        course.end(at, outcomes[written[at].id])
    if course.failed is None:
        assert all(ended is not None for ended in course.ended)
        assert all(course.ended[at] == outcomes[one.id] for at, one in enumerate(written) if one.id in began)
    else:
        assert written[course.failed].on_error == "fail"


@given(workflows())
def test_what_becomes_of_a_workflow_does_not_depend_on_what_ends_first(
    drawn: tuple[list[Step], dict[str, Ended], list[int]],
) -> None:
    written, outcomes, order = drawn
    written = [each.model_copy(update={"on_error": "continue"}) for each in written]
    _, expected = play(written, outcomes)
    course = Course(written)
    for turn in range(1000):
        course.due()
        if not course.working:
            break
        at = sorted(course.working)[order[turn % len(order)] % len(course.working)]
        course.end(at, outcomes[written[at].id])
    assert {each.id: ended for each, ended in zip(written, course.ended, strict=True)} == expected


# --- retries ---------------------------------------------------------------------------------------------------------


class Busy(ToolError):
    code = "queue_full"


@pytest.mark.parametrize(
    ("error", "once", "twice"),
    [
        (errors.QueueFull("full"), True, True),
        (errors.Overloaded("no thread"), False, True),
        (ToolError("no"), False, True),
        (Busy("an author's own code, of a tool that has begun"), False, True),
        (errors.ToolFailed("masked"), False, True),
        (errors.TimeCap("late"), False, True),
        (errors.InvalidParams("wrong"), False, False),
        (errors.UnknownTool("gone"), False, False),
        (errors.EventTooLarge("large"), False, False),
        (errors.Cancelled("stop"), False, False),
        (errors.Shutdown("stop"), False, False),
        (Declined("decline", "no"), False, False),
        (NoAnswer("no"), False, False),
    ],
)
def test_what_may_be_called_again(error: errors.McpAppError, once: bool, twice: bool) -> None:
    assert may_be_retried(error, repeatable=False) is once
    assert may_be_retried(error, repeatable=True) is twice


def test_a_missing_capability_is_not_asked_for_again() -> None:
    assert issubclass(MissingCapability, ToolError)
    assert not may_be_retried(MissingCapability.__new__(MissingCapability), repeatable=True)


def test_how_often_and_for_which_codes() -> None:
    error = ToolError("no")
    assert [is_retried(Retry(), error, n, repeatable=True) for n in (1, 2, 3)] == [True, True, False]
    assert not is_retried(None, error, 1, repeatable=True)
    assert not is_retried(Retry(on=["gone"]), error, 1, repeatable=True)
    assert is_retried(Retry(on=["gone", "tool_failed"]), error, 1, repeatable=True)


@given(st.floats(0, MAX_WAIT_SECONDS), st.integers(1, 5), st.floats(0, 1), st.floats(0, 1000))
def test_the_wait_doubles_within_its_bounds(seconds: float, attempt: int, chance: float, least: float) -> None:
    waited = wait_seconds(Retry(seconds=seconds), attempt, chance, least)
    whole = min(MAX_WAIT_SECONDS, seconds * 2 ** (attempt - 1))
    assert min(least, MAX_WAIT_SECONDS) <= waited <= MAX_WAIT_SECONDS
    assert waited >= whole / 2
    assert waited <= max(whole, least)
    assert waited == wait_seconds(Retry(seconds=seconds), attempt, chance, least)


def test_the_wait_by_its_numbers() -> None:
    assert [wait_seconds(Retry(seconds=2), n, 1.0) for n in (1, 2, 3)] == [2, 4, 8]
    assert [wait_seconds(Retry(seconds=2), n, 0.0) for n in (1, 2, 3)] == [1, 2, 4]
    assert wait_seconds(Retry(seconds=0), 1, 1.0, least=7) == 7
