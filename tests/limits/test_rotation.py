"""Turns: each caller's in order, and one of each caller before anybody's next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mcp_app.limits.rotation import Rotation

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from("abc")),
        st.tuples(st.just("discard"), st.integers(0, 60)),
        st.tuples(st.just("pop"), st.just(0)),
    ),
    max_size=60,
)


def rotation(callers: str) -> Rotation[str, str]:
    """One item for each letter: a0, a1, b2, ..."""
    made: Rotation[str, str] = Rotation()
    for number, caller in enumerate(callers):
        made.add(f"{caller}{number}", caller)
    return made


def drained(waiting: Rotation[str, str]) -> list[str]:
    return [item for _ in range(len(waiting)) if (item := waiting.pop()) is not None]


def test_one_caller_is_first_come_first_served() -> None:
    assert drained(rotation("aaa")) == ["a0", "a1", "a2"]


def test_who_has_many_waits_as_long_as_who_has_one() -> None:
    assert drained(rotation("aaaabbc")) == ["a0", "b4", "c6", "a1", "b5", "a2", "a3"]


def test_who_comes_later_is_behind_one_of_each() -> None:
    waiting = rotation("aaaabb")
    assert waiting.pop() == "a0"
    waiting.add("c", "c")
    assert drained(waiting) == ["b4", "a1", "c", "b5", "a2", "a3"]


def test_who_leaves_is_forgotten() -> None:
    waiting = rotation("aab")
    waiting.discard("a0")
    waiting.discard("a0")
    waiting.discard("unknown")
    assert "a0" not in waiting
    assert list(waiting) == ["a1", "b2"]
    waiting.discard("b2")
    assert drained(waiting) == ["a1"]
    assert not len(waiting)
    assert waiting.pop() is None


def test_the_last_of_who_has_most() -> None:
    assert rotation("aabbbc").last_of_most() == ("b4", 3)
    assert rotation("aabb").last_of_most() == ("b3", 2), "of two with as many, whose turn is later"
    assert rotation("ab").of("a") == 1
    assert rotation("ab").of("c") == 0


def test_the_oldest_is_the_callers_own_before_anybody_elses() -> None:
    waiting = rotation("abab")
    assert waiting.oldest("b") == "b1"
    assert waiting.oldest("c") == "a0"
    assert rotation("").oldest("a") is None


def test_who_may_not_is_passed_over_and_keeps_its_turn() -> None:
    waiting = rotation("aab")
    assert waiting.pop_if(lambda caller: caller != "a") == ("b", "b2")
    assert waiting.pop_if(lambda caller: caller != "a") is None
    assert drained(waiting) == ["a0", "a1"]


@given(OPERATIONS)
def test_before_is_what_happens(operations: list[tuple[str, str | int]]) -> None:
    waiting: Rotation[str, str] = Rotation()
    for number, (operation, argument) in enumerate(operations):
        if operation == "add":
            waiting.add(str(number), str(argument))
        elif operation == "discard":
            waiting.discard(str(argument))
        elif len(waiting):
            waiting.pop()
    places = {item: waiting.before(item) for item in waiting}
    assert {item: place for place, item in enumerate(drained(waiting))} == places
