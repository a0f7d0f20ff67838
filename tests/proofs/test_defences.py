"""Each defence in docs/security.md is removed, once: then the tests of its row fail. In a copy of the checkout.

`make proof ARGS=defences`. The suite removes the first.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from threats import Defence, defences, threats

from .examples import RANDOM, VARIABLE, count

IN_SUITE = 1

SECONDS = 120.0

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = (
    ".git",
    ".venv*",
    "node_modules",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
)

pytestmark = pytest.mark.time_bound(2 * SECONDS + 60)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    target = tmp_path_factory.mktemp("copy") / "checkout"
    shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
    yield target
    shutil.rmtree(target)


def run(copy: Path, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """The tests in the copy, with the package that stands there. What does not end in time has failed."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = {name: value for name, value in os.environ.items() if name not in {VARIABLE, RANDOM}}
    environment |= {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        return subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, f"1 failed: not over after {SECONDS:g} s", "")


def named(defence: Defence) -> tuple[str, ...]:
    return next(threat.tests for threat in threats() if threat.name == defence.threat)


@pytest.mark.parametrize("defence", defences()[: count(IN_SUITE)], ids=lambda each: each.name)
def test_without_it_a_test_fails(copy: Path, defence: Defence) -> None:
    before = {edit.file: (copy / edit.file).read_text(encoding="utf-8") for edit in defence.edits}
    try:
        for edit in defence.edits:
            text = (copy / edit.file).read_text(encoding="utf-8")
            (copy / edit.file).write_text(text.replace(edit.old, edit.new), encoding="utf-8")
        done = run(copy, named(defence))
    finally:
        for file, text in before.items():
            (copy / file).write_text(text, encoding="utf-8")
    assert done.returncode == 1, done.stdout[-5000:] + done.stderr[-2000:]
    assert " failed" in done.stdout.splitlines()[-1], done.stdout[-5000:]  # an error alone may be a missing service's


def test_with_all_of_them_none_fails(copy: Path) -> None:
    """Otherwise the test above could say nothing."""
    some = dict.fromkeys(test for defence in defences()[: count(IN_SUITE)] for test in named(defence))
    for start in range(0, len(some), 20):
        done = run(copy, tuple(some)[start : start + 20])
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
