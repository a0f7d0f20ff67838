"""What `make conformance` calls a failure: what does not pass and is not on the list, and a suite that checks less."""

from __future__ import annotations

from pathlib import Path

import pytest
import run
from suite import Check, Scenario

GOOD, WARNED, SKIPPED = Check("a", "SUCCESS"), Check("b", "WARNING", "hm"), Check("c", "SKIPPED")


def known(tmp_path: Path, more: str = "") -> run.Known:
    file = tmp_path / "list.toml"
    file.write_text(f"[scenarios]\nnow = {{ required = 1, not_scored = 0 }}\n{more}")
    return run.Known.read(file)


def listed(table: str, check: str) -> str:
    return f'[[{table}]]\nrevision = "now"\nscenario = "s"\nchecks = ["{check}"]\nreason = "r"\n'


def report(of: run.Known, *checks: Check) -> run.Report:
    made = run.Report(of, verbose=False)
    scenario = Scenario("now", "s", True, checks)
    made.add(scenario)
    made.count([scenario])
    return made


def test_all_is_well(tmp_path: Path) -> None:
    assert report(known(tmp_path), GOOD, Check("i", "INFO")).regressions == []


@pytest.mark.parametrize("missed", [WARNED, SKIPPED, Check("d", "FAILURE", "no")], ids=lambda each: each.status)
def test_what_does_not_pass_is_a_regression(tmp_path: Path, missed: Check) -> None:
    [line] = report(known(tmp_path), GOOD, missed).regressions
    assert line == f"now s: {missed.id}: {missed.status}: {missed.message}"


@pytest.mark.parametrize("checks", [(), (Check("i", "INFO"),)], ids=["none", "remarks"])
def test_a_scenario_that_checks_nothing_has_not_passed(tmp_path: Path, checks: tuple[Check, ...]) -> None:
    assert len(report(known(tmp_path), *checks).regressions) == 1


def test_what_is_listed_is_pending_and_said_when_it_passes(tmp_path: Path) -> None:
    pending = report(known(tmp_path, listed("not_passing", "b")), GOOD, WARNED)
    assert (pending.regressions, len(pending.pending)) == ([], 1)
    passing = report(known(tmp_path, listed("not_passing", "b")), GOOD)
    assert passing.passing_now() == ["now s b"]


def test_what_is_listed_for_one_check_excuses_no_other(tmp_path: Path) -> None:
    assert len(report(known(tmp_path, listed("not_passing", "b")), GOOD, WARNED, SKIPPED).regressions) == 1


def test_what_is_about_http_is_excused_over_standard_input_alone(tmp_path: Path) -> None:
    file = tmp_path / "list.toml"
    known(tmp_path, listed("about_http", "b"))
    assert len(report(run.Known.read(file), GOOD, WARNED).regressions) == 1
    assert report(run.Known.read(file, stdio=True), GOOD, WARNED).regressions == []


def test_what_the_suite_skips_by_itself_counts_as_passed(tmp_path: Path) -> None:
    made = report(known(tmp_path, listed("skipped_by_the_suite", "c")), GOOD, SKIPPED)
    assert (made.regressions, made.pending) == ([], [])


def test_a_suite_with_fewer_scenarios_is_a_regression(tmp_path: Path) -> None:
    made = run.Report(known(tmp_path), verbose=False)
    made.count([])
    assert made.regressions == ["now: (0, 0) scenarios ran (required, not scored), not (1, 0)"]
