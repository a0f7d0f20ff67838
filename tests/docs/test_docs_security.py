"""Each threat in docs/security.md has tests that exist, and a defence that tests/proofs/test_defences.py can remove."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
from doc_page import ROOT
from threats import DEFENCES, Defence, Threat, defences, threats


@cache
def functions(file: Path) -> frozenset[str]:
    return frozenset(
        each.name
        for each in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    )


@pytest.mark.parametrize("threat", threats(), ids=lambda threat: threat.name)
def test_a_threat_has_tests_that_exist(threat: Threat) -> None:
    assert threat.tests
    assert threat.defence
    assert threat.left
    for test in threat.tests:
        file, _, name = test.partition("::")
        assert name in functions(ROOT / file), test
        assert name.startswith("test_"), test


def test_each_threat_has_a_defence_that_can_be_removed_and_none_is_another() -> None:
    names = [threat.name for threat in threats()]
    assert len(names) == len(set(names)) > 30
    assert {each.threat for each in defences()} == set(names), DEFENCES


@pytest.mark.parametrize("defence", defences(), ids=lambda defence: defence.name)
def test_what_is_removed_is_there(defence: Defence) -> None:
    for edit in defence.edits:
        assert (ROOT / edit.file).read_text(encoding="utf-8").count(edit.old) == 1, edit
        assert edit.new != edit.old
