"""Parts of a function's progress: shares, what an event of a step becomes in the run, names, how deep calls go."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.authoring.parts import MAX_CHILDREN, MAX_DEPTH, Gauge, Part, StepNames, Tree
from mcp_app.protocol.errors import ToolFailed
from mcp_app.protocol.event import Event, EventType, Shape, encode


def reported(done: float | None, total: float | None = None, **more: Any) -> Event:
    numbers = {name: value for name, value in (("progress", done), ("total", total)) if value is not None}
    return Event(EventType.PROGRESS, b'{"message":"m"}', encode({**numbers, **more}) if numbers or more else b"")


def metadata(event: Event) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event.metadata) if event.metadata else {}
    return found


def numbers(part: Part, done: float, total: float | None = 1) -> float:
    found = metadata(part.event(reported(done, total)))
    assert found["total"] == 100
    return float(found["progress"])


# --- shares ----------------------------------------------------------------------------------------------------------


def test_progress_of_a_part_is_its_share_of_the_whole() -> None:
    gauge = Gauge()
    first, second = Part(gauge).part(0, 50, None), Part(gauge).part(50, 100, None)
    assert [numbers(first, done, 4) for done in (0, 1, 4)] == [0, 12.5, 50]
    assert [numbers(second, done, 2) for done in (0, 1, 2)] == [50, 75, 100]


def test_a_part_counts_from_where_it_begins_though_the_one_before_said_nothing() -> None:
    assert numbers(Part(Gauge()).part(50, 100, None), 1, 2) == 75


def test_a_part_of_a_part() -> None:
    part = Part(Gauge()).part(50, 100, None).part(50, 100, None)
    assert numbers(part, 0) == 75
    assert numbers(part, 1) == 100


def test_parts_that_are_worked_on_at_once_add_up() -> None:
    gauge = Gauge()
    first, second = Part(gauge).part(0, 50, None).call("a"), Part(gauge).part(50, 100, None).call("b")
    first.begin()
    second.begin()
    assert numbers(second, 1, 2) == 25
    assert numbers(first, 1, 2) == 50
    assert (rest := second.finished()) is not None
    assert metadata(rest)["progress"] == 75
    second.close()
    assert (rest := first.finished()) is not None
    assert metadata(rest)["progress"] == 100
    first.close()


def test_a_call_that_reported_all_has_nothing_more_to_report() -> None:
    part = Part(Gauge()).part(0, 50, None).call("a")
    numbers(part, 3, 3)
    assert part.finished() is None
    assert Part(Gauge()).part(20, 20, None).call("a").finished() is None
    assert Part(None).call("a").finished() is None


@pytest.mark.parametrize(("done", "total"), [(1, None), (5, 0), (5, -1)])
def test_without_a_total_a_part_is_where_it_was(done: float, total: float | None) -> None:
    part = Part(Gauge()).part(20, 60, None)
    assert numbers(part, 1, 4) == 30
    assert numbers(part, done, total) == 30


@pytest.mark.parametrize(("done", "at"), [(-3, 20), (7, 60)])
def test_what_is_beyond_a_part_is_its_end(done: float, at: float) -> None:
    assert numbers(Part(Gauge()).part(20, 60, None), done, 4) == at


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1), st.sampled_from(["report", "begin", "close"])), max_size=60),
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=4, max_size=4),
)
def test_the_whole_never_goes_back_and_never_beyond_its_end(
    steps: list[tuple[int, float, str]], shares: list[tuple[float, float]]
) -> None:
    gauge = Gauge()
    parts = [Part(gauge).part(min(each), max(each), None).call("a") for each in shares]
    working: set[int] = set()
    last = 0.0
    for which, done, what in steps:
        if what == "begin" and which not in working:
            working.add(which)
            parts[which].begin()
        elif what == "close" and which in working:
            working.remove(which)
            parts[which].close()
        else:
            found = numbers(parts[which], done)
            assert last <= found <= 100
            last = found


@pytest.mark.parametrize(
    ("start", "end"), [(-1, 50), (0, 101), (60, 50), (float("nan"), 50), (0, float("inf")), ("0", 50)]
)
def test_what_is_no_part_is_refused(start: Any, end: Any) -> None:
    with pytest.raises(ValueError, match="a part is from 0 to 100 percent, not from"):
        Part(Gauge()).part(start, end, None)


@pytest.mark.parametrize("name", ["", "n" * 129, 5])
def test_what_is_no_name_of_a_part_is_refused(name: Any) -> None:
    with pytest.raises(ValueError, match="a part's name is a text of 1 to 128 characters"):
        Part(Gauge()).part(0, 50, name)


# --- events ----------------------------------------------------------------------------------------------------------


def test_an_event_of_a_named_part_has_its_path_and_the_numbers_of_both() -> None:
    found = Part(Gauge()).part(0, 50, "fetch").event(reported(1, 4))
    assert metadata(found) == {"progress": 12.5, "total": 100, "path": ["fetch"], "step": {"progress": 1, "total": 4}}
    assert (found.type, found.data) == (EventType.PROGRESS, b'{"message":"m"}')


def test_an_event_of_a_step_of_a_step_has_both_names_and_the_innermost_numbers() -> None:
    inner = Part(Gauge()).part(50, 100, "parse").call("parse").event(reported(1, 2))
    outer = Part(Gauge()).part(0, 10, None).call("fetch").event(inner)
    assert metadata(outer) == {
        "progress": 7.5,
        "total": 100,
        "path": ["fetch", "parse"],
        "step": {"progress": 1, "total": 2},
    }


def test_a_call_that_is_no_part_moves_nothing() -> None:
    found = Part(None).call("fetch").event(reported(1, 4))
    assert metadata(found) == {"path": ["fetch"], "step": {"progress": 1, "total": 4}}
    silent = Part(None).call("fetch").event(Event(EventType.LOG, b"{}"))
    assert (silent.type, metadata(silent)) == (EventType.LOG, {"path": ["fetch"]})
    through_a_part = Part(Gauge()).part(0, 50, None).call("a").event(found)
    assert metadata(through_a_part) == {"path": ["a", "fetch"], "step": {"progress": 1, "total": 4}}


def test_a_part_of_the_other_tools_result_is_none_of_this_ones() -> None:
    item = Event(EventType.PARTIAL, b"[]", b'{"content":true}', Shape.CONTENT)
    step = Part(None).call("fetch").event(item)
    assert (step.type, step.shape, metadata(step)) == (
        EventType.STEP,
        Shape.CONTENT,
        {"path": ["fetch"], "content": True},
    )
    own = Part(Gauge()).part(0, 50, "fetch").event(item)
    assert (own.type, metadata(own)) == (EventType.PARTIAL, {"path": ["fetch"], "content": True})


def test_what_is_between_the_run_and_its_client_is_left_alone() -> None:
    event = Event(EventType.ASK, b"{}", shape=Shape.PRIVATE)
    assert Part(None).call("fetch").event(event) is event


def test_an_event_of_a_part_without_a_name_is_the_functions_own() -> None:
    found = Part(Gauge()).part(0, 50, None).event(reported(1, 2))
    assert metadata(found) == {"progress": 25, "total": 100}
    assert Part(Gauge()).part(0, 50, None).event(Event(EventType.LOG, b"{}")).metadata == b""


@pytest.mark.parametrize(
    ("part", "path"),
    [
        (Part(None), ("x",)),
        (Part(Gauge()).part(0, 50, None), ("x",)),
        (Part(Gauge()).part(0, 50, "a"), ("x",)),
        (Part(Gauge()).part(0, 50, "a").part(0, 50, None), ("a", "x")),
        (Part(Gauge()).part(0, 50, "a").part(0, 50, "b"), ("a", "x")),
    ],
)
def test_a_call_in_a_part_with_a_name_takes_that_names_place(part: Part, path: tuple[str, ...]) -> None:
    assert part.call("x").path == path


# --- names and numbers -----------------------------------------------------------------------------------------------


def test_each_step_has_a_name_of_its_own() -> None:
    names = StepNames()
    given = ["a", "a", "b", "a-2", "a", "a-2"]
    assert [names.next(each) for each in given] == ["a", "a-2", "b", "a-2-2", "a-3", "a-2-3"]


@given(st.lists(st.sampled_from(["a", "a-2", "a-2-2", "b"]), max_size=40))
def test_names_are_unique_and_the_same_each_time(given: list[str]) -> None:
    names, again = StepNames(), StepNames()
    found = [names.next(each) for each in given]
    assert len(set(found)) == len(found)
    assert [again.next(each) for each in given] == found


def test_calls_are_so_deep_and_so_many_at_most() -> None:
    tree = Tree()
    tree.enter("last", ["a"] * MAX_DEPTH)
    with pytest.raises(ToolFailed, match=r"The tool b was not called: .* 8 deep at most.* below root > a"):
        tree.enter("b", ["root"] + ["a"] * MAX_DEPTH)
    for _ in range(MAX_CHILDREN - 1):
        tree.enter("b", ["root"])
    with pytest.raises(ToolFailed, match="The tool b was not called: one call of root calls at most 1000 others"):
        tree.enter("b", ["root", "a"])
