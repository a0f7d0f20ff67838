"""What CI runs is what a checkout has: it installs each program that a test may need, so that none is skipped."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
RUN = ROOT / ".ci" / "run"


def test_ci_installs_every_program_a_test_may_need(needed: Mapping[str, Any]) -> None:
    installed = dict(re.findall(r"\b([\w-]+):([a-z][\w-]+)(?=[ ;\\\n])", RUN.read_text()))
    assert len(installed) > 5
    for name, need in needed.items():
        if need.programs:
            assert f"apt-get install {installed.get(name)}" == need.how, name


def test_the_script_can_be_run_and_parsed() -> None:
    assert os.access(RUN, os.X_OK)
    subprocess.run(["bash", "-n", RUN], timeout=50, check=True)


def test_make_says_what_it_can_do() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=50, check=True)
    assert re.findall(r"^make (\w+) +\S", done.stdout, re.MULTILINE) == [
        *("help", "serve", "test", "lint", "conformance", "clients", "bench", "cost", "proof", "format", "clean")
    ]


def test_make_without_a_python_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", "serve", f"VENV={tmp_path}/venv", "PYTHON=python2.7-is-not-there"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode != 0
    assert "mcp-app needs Python 3.11 or newer; tried: python2.7-is-not-there." in done.stderr
    assert not (tmp_path / "venv").exists()
