"""The result within its bound, whatever the steps returned, and what it says of what is left out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workflow_stage import of, step, steps

from mcp_app import ToolError
from mcp_app.builtin.run_workflow.outcome import OkStep, StepError, Workflow
from mcp_app.builtin.run_workflow.plan import Ended, characters
from mcp_app.builtin.run_workflow.report import Report, least_characters, step_error
from mcp_app.builtin.run_workflow.steps import Selection, Step


def reported(written: list[Step], results: list[Any], most: int, selections: list[Selection] | None = None) -> Workflow:
    report = Report(written, selections, most)
    for at, result in enumerate(results):
        ended = result if isinstance(result, Ended) else Ended("ok", 1, 0.25, result, characters(result))
        report.add(at, ended)
    return report.workflow()


def length(workflow: Workflow) -> int:
    return len(workflow.model_dump_json())


def shown(workflow: Workflow) -> list[Any]:
    return [each.result if isinstance(each, OkStep) else None for each in workflow.steps]


def test_what_fits_is_there() -> None:
    written = steps(step("a"), step("b"))
    found = reported(written, [["é" * 100, None], {"x": 1}], 5000)
    assert shown(found) == [["é" * 100, None], {"x": 1}]
    assert (found.truncated, found.notice) == (False, None)


def test_results_that_no_other_step_takes_come_first_then_the_last() -> None:
    written = steps(step("a"), step("b", params={"value": of("a")}), step("c"), step("d", params={"value": of("b")}))
    found = reported(written, ["a" * 1500, "b" * 1500, "c" * 1500, "d" * 1500], 5000)
    assert [each and each[0] for each in shown(found)] == [None, None, "c", "d"]
    assert [each.left_out for each in found.steps if isinstance(each, OkStep)] == [1502, 1502, None, None]
    assert found.truncated
    assert found.notice == (
        'The result has 5000 characters at most, so that those of "a", "b" are left out. To have one, call again with '
        'results ["a"], with a part of it, results [{"from": "a", "pointer": "/…"}], or with larger max_characters: '
        "the steps are run again."
    )
    assert length(found) <= 5000


def test_no_more_is_kept_on_the_way_than_a_few_times_what_is_shown() -> None:
    written = steps(*(step(f"s{n}") for n in range(100)))
    most = least_characters(written) + 10_000
    report = Report(written, None, most)
    for n in range(100):
        result = "x" * 20_000
        told = report.add(n, Ended("ok", 1, 0.1, result, characters(result)))
        assert isinstance(told, OkStep)
        assert told.result == result
    assert sum(isinstance(each, OkStep) and each.result is not None for each in report._entries) <= 4 * most // 20_000
    found = report.workflow()
    assert length(found) <= most
    assert [each.left_out is None for each in found.steps if isinstance(each, OkStep)] == [False] * 98 + [True] * 2


def test_what_another_step_takes_makes_way_for_what_none_does() -> None:
    written = steps(step("a"), step("b"), step("c", params={"value": of("b")}))
    assert [each and each[0] for each in shown(reported(written, ["a" * 2500, "b" * 2500, "c"], 5000))] == [
        "a",
        None,
        "c",
    ]


@pytest.mark.parametrize("size", range(2000, 5000, 40))
def test_the_notice_has_room_as_well(size: int) -> None:
    written = steps(step("a"), step("b"))
    assert length(reported(written, ["a" * 10_000, "b" * size], 5000)) <= 5000


def test_a_small_one_is_there_though_a_larger_one_before_it_is_not() -> None:
    written = steps(step("a"), step("b"))
    assert shown(reported(written, ["small", "b" * 100_000], 4000)) == ["small", None]


def test_a_hundred_errors_are_cut_and_it_is_said() -> None:
    written = steps(*(step(f"s{n}") for n in range(100)))
    error = step_error(ToolError("\x00" * 5000, hint="h" * 5000, details=[{"field": "f", "problem": "p" * 5000}] * 50))
    assert characters(error) < 10_000
    found = reported(written, [Ended("failed", 5, 86400.123, error=error)] * 100, 100_000)
    assert length(found) <= 100_000
    assert found.truncated
    assert found.notice is not None
    assert found.notice.endswith("Messages of errors are cut.")


def test_what_is_selected_may_be_nowhere() -> None:
    written = steps(step("a"), step("b"))
    chosen = [Selection(**{"from": "a", "pointer": "/x/0"}), Selection(**{"from": "b", "pointer": "/y"})]
    found = reported(written, [{"x": ["here"]}, {}], 5000, chosen)
    assert shown(found) == ["here", None]
    assert found.notice == 'What was selected is not in the results of "b".'


ERROR = StepError(code="c" * 64, message="\x00" * 2000, hint="h", error_id="0" * 16)
ENDED = st.one_of(
    st.text('aé\x00\n"\\😀', max_size=300).map(lambda text: text * 7),
    st.just("x" * 40_000),
    st.just(Ended("failed", 5, 86400.123, error=ERROR)),
    st.just(Ended("skipped", reason="r" * 130)),
)


@given(st.lists(ENDED, min_size=1, max_size=100), st.integers(0, 60_000), st.booleans())
def test_it_never_has_more_characters_than_it_may(results: list[Any], more: int, selected: bool) -> None:
    written = steps(*(step(f"{'i' * 60}{n}", "t" * 128) for n in range(len(results))))
    most = least_characters(written) + more
    chosen = [Selection(**{"from": each.id}) for each in written[::2]] if selected else None
    found = reported(written, results, most, chosen)
    assert length(found) <= most
    assert len(found.steps) == len(results)
    assert found.truncated or all(
        not isinstance(each, OkStep) or each.left_out is None or selected for each in found.steps
    )


def test_details_of_a_failure_have_a_bound_of_their_own() -> None:
    written = steps(*(step(f"s{n}") for n in range(100)))
    report = Report(written, None, 100_000)
    for n in range(99):
        result = "x" * 1000
        report.add(n, Ended("ok", 1, 0.1, result, characters(result)) if n % 2 else Ended("failed", 1, error=ERROR))
    details = report.failure(0, [99], 20_000)
    assert len(details) == 100
    assert details[0]["problem"].startswith('"s0" failed in 1 attempt: c')
    assert details[-1]["problem"] == '"s99" was cut while it worked'
    assert sum("is done: " in each["problem"] for each in details) == 19
    assert characters(details) < 100_000


@pytest.mark.parametrize("text", ["", "é" * 2000, "\x00" * 333, "a" * 2000])
def test_a_message_that_fits_is_not_cut(text: str) -> None:
    assert step_error(ToolError(text)).message == text


@given(st.text(max_size=5000))
def test_a_message_is_cut_by_its_length_as_json(text: str) -> None:
    message = step_error(ToolError(text)).message
    assert characters(message) <= 2002 + 1
    assert message == text or (message.endswith("…") and text.startswith(message[:-1]))
