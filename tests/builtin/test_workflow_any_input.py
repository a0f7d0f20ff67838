"""Whatever is sent is refused with its place, or checked with names, or runs: nothing else comes of it."""

from __future__ import annotations

from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st
from workflow_stage import BY_NAME

from mcp_app import errors
from mcp_app.builtin.run_workflow.checking import check
from mcp_app.builtin.run_workflow.outcome import StepError, Workflow
from mcp_app.builtin.run_workflow.plan import Course, Ended, Stop, characters
from mcp_app.builtin.run_workflow.report import Report
from mcp_app.builtin.run_workflow.steps import selected
from mcp_app.builtin.run_workflow.tool import run_workflow

IDS = st.sampled_from([*"aaaabbbbccdd", "x y", ""])
POINTERS = st.sampled_from(["", "/rows", "/rows/0/name", "/rows/0/price", "/0", "/no", "no", "/~", "/note", "/~1"])
SCALARS: st.SearchStrategy[Any] = st.sampled_from([None, True, 0, 1, 2.5, "a", "3", "null"])
REFERENCES = st.fixed_dictionaries({"$from": IDS}, optional={"pointer": POINTERS, "default": SCALARS})
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS | REFERENCES | st.just({"$from": "a"}) | st.just({"$from": 1, "odd": 2}),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["name", "price", "$from", "$literal"]), inner, max_size=2)
    ),
    max_leaves=4,
)
PARAMS: st.SearchStrategy[Any] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"value": VALUES}),
    st.fixed_dictionaries({"text": VALUES}, optional={"times": VALUES}),
    st.dictionaries(st.sampled_from(["rows", "prices", "to", "$from", "no"]), VALUES, max_size=2),
)
COMPARISONS = st.sampled_from(["exists", "equals", "not"])
CONDITIONS = st.builds(
    lambda before, pointer, comparison, value: {"from": before, "pointer": pointer, comparison: value},
    IDS,
    POINTERS,
    COMPARISONS,
    VALUES | st.booleans(),
)
STEPS = st.fixed_dictionaries(
    {
        "id": st.sampled_from("abcd"),
        "tool": st.sampled_from(["echo", "echo", "shop", "shout", "total", "fails", "none"]),
    },
    optional={
        "params": PARAMS,
        "needs": st.lists(IDS, max_size=2),
        "if": CONDITIONS,
        "retry": st.just({"on": ["queue_full"]}) | st.just({"attempts": 7}),
        "on_error": st.sampled_from(["fail", "continue", "skip_dependants"]),
        "time_limit": st.sampled_from([None, 1, "2", -1]),
    },
)
RESULTS: dict[str, Any] = {
    "shop": {"rows": [{"name": "tea", "price": 1.5}], "note": None},
    "shout": "TEA",
    "total": 3.5,
    "echo": [{"rows": 1}],
    "fails": "",
}


@settings(max_examples=400)
@given(
    st.lists(STEPS, min_size=1, max_size=4, unique_by=lambda each: each["id"])
    | st.lists(STEPS, min_size=1, max_size=3),
    st.none() | st.lists(IDS | st.fixed_dictionaries({"from": IDS}, optional={"pointer": POINTERS}), max_size=2),
    st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_any_workflow_is_refused_or_named_or_runs(steps: Any, results: Any, failing: list[bool]) -> None:
    try:
        arguments = run_workflow.arguments({"steps": steps, "results": results})
    except errors.InvalidParams:
        event("refused")
        return
    written, wanted = arguments["steps"], selected(arguments["results"])
    problems = check(written, BY_NAME, {"run_workflow"}, wanted, 100_000)
    if problems:
        event("named")
        assert all(each.problem and each.place[0] in ("steps", "results") for each in problems)
        return
    course, report = Course(written), Report(written, wanted, 100_000)
    for _ in range(10):
        for move in course.due():
            if isinstance(move, Stop):
                report.add(move.at, move.ended)
        if not course.working or course.failed is not None:
            break
        at = min(course.working)
        value = RESULTS[written[at].tool]
        ended = Ended("ok", 1, 0.1, value, characters(value))
        if failing[at]:
            ended = Ended("failed", 1, 0.1, error=StepError(code="gone", message="It is gone."))
        course.end(at, ended)
        report.add(at, ended)
    if course.failed is None:
        event("ran")
        assert len(report.workflow().steps) == len(written)
        Workflow.model_validate_json(report.workflow().model_dump_json())
    else:
        event("failed")
        assert len(report.failure(course.failed, course.working, 20_000)) == len(written)
