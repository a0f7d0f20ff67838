"""What a run comes to: medians, ratios round by round, verdicts, tables; and the numbers as JSON."""

from __future__ import annotations

import json

import pytest

from bench import report
from bench.results import Ratio, Results, Sample, Subject
from bench.targets import GROWTH_NOISE, H1, SDK_JSON, TARGETS, Target, Verdict, verdicts, worst_decade

CELL = "32 at once"


def run_of(ours: list[float], theirs: list[float]) -> Results:
    """Echo, one number a round."""
    results = Results(about={"Python": "3"})
    for subject, values in ((H1, ours), (SDK_JSON, theirs)):
        results.samples += [
            Sample(
                number,
                "echo",
                CELL,
                subject,
                {"cpu_us": value, "per_s": 1e6 / value, "p50_ms": 1.0, "p99_ms": 2.0, "logging_us": value + 10},
            )
            for number, value in enumerate(values, 1)
        ]
    return results


def verdict(results: Results, what: str) -> Verdict:
    [found] = [each for each in verdicts(results) if each.what == what]
    return found


def test_a_ratio_is_taken_within_a_round_and_then_the_median() -> None:
    results = run_of([100, 300, 90], [200, 300, 100])
    assert results.ratio("echo", CELL, H1, SDK_JSON, "cpu_us") == Ratio(0.9, 0.5, 1.0)
    assert results.value("echo", CELL, H1, "cpu_us") == 100
    assert results.ratio("echo", CELL, H1, Subject("nobody", "h1"), "cpu_us") is None
    assert results.ratio("echo", CELL, H1, SDK_JSON, "mib") is None


def test_a_round_that_only_one_of_them_has_is_not_compared() -> None:
    assert str(run_of([100, 900], [200]).ratio("echo", CELL, H1, SDK_JSON, "cpu_us")) == "0.50"


@pytest.mark.parametrize(("ours", "met"), [(160, True), (161, False)])
def test_a_target_is_met_up_to_its_bound(ours: float, met: bool) -> None:
    found = verdict(run_of([ours], [200]), TARGETS[0].what)
    assert (found.met, found.bound, found.against) == (met, "≤ 0.8 x", "mcp-json h1")


def test_a_target_may_be_a_least() -> None:
    target = Target("", "", "", "", H1, 15, SDK_JSON, at_least=True)
    assert [target.met(each) for each in (14.9, 15)] == [False, True]


def test_what_was_not_measured_is_neither_met_nor_not() -> None:
    found = verdicts(Results())
    assert len(found) == len(TARGETS)
    assert {each.met for each in found} == {None}


def test_growth_is_the_worst_tenfold_step_of_the_whole_cost() -> None:
    assert worst_decade([(1, 5.0), (10, 2.0), (100, 2.4)]) == pytest.approx(12.0)
    assert worst_decade([(1, 5.0)]) is None
    results = Results(growth={"memory": {"runs": [(1, 1.0), (10, GROWTH_NOISE + 0.01)], "events": [(1, 1.0), (10, 1)]}})
    assert [each.met for each in verdicts(results)[-2:]] == [False, True]


def test_the_numbers_survive_their_json() -> None:
    results = run_of([100, 125], [200, 160])
    results.growth = {"memory": {"runs": [(1, 1.5), (10, 1.25)]}}
    results.failures = ["echo: lost"]
    again = Results.from_json(json.loads(json.dumps(results.as_json())))
    assert again.samples == results.samples
    assert (again.about, again.growth, again.failures) == (results.about, results.growth, results.failures)
    with pytest.raises(ValueError, match="format 0"):
        Results.from_json({"format": 0})


def test_a_run_as_a_page() -> None:
    results = run_of([100], [200])
    results.failures = ["Echo, 1 at once, ts-v1 h1: WrongAnswer"]
    text = report.rendered(results)
    assert "| mcp_app h1 | 100 (0.50) | 10,000 (2.00) | 1.00 (1.00) | 2.00 (1.00) | 110 (0.52) | 0.50 |" in text
    assert "| mcp-json h1 | 200 (1.00) | 5,000 (1.00) | 1.00 (1.00) | 2.00 (1.00) | 210 (1.00) | 1 |" in text
    assert "2 of 2 are met" in text
    assert "- Echo, 1 at once, ts-v1 h1: WrongAnswer" in text
    assert "÷ bare" not in text


def test_the_measured_part_is_replaced_and_the_written_one_kept() -> None:
    document = f"above\n{report.BEGIN}\nold\n{report.END}\nbelow\n"
    new = report.inserted(document, "new\n")
    assert new == f"above\n{report.BEGIN}\nnew\n{report.END}\nbelow\n"
    assert report.inserted(new, "new") == new
    with pytest.raises(ValueError, match="not both"):
        report.inserted("no markers", "new")


def test_a_table_is_rectangular() -> None:
    assert report.table(["a", "b"], [["1", "x|y"]]) == "| a | b |\n| --- | --- |\n| 1 | x\\|y |"
    with pytest.raises(ValueError, match="does not fit"):
        report.table(["a", "b"], [["1"]])
