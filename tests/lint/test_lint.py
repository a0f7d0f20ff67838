"""What `make lint` adds to ruff and mypy finds what it is there for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from . import insecure, known

PLANTED = """
import subprocess, pickle
subprocess.run("ls " + input(), shell=True)
subprocess.run("ls " + input(), shell=True)  # noqa: S602 - the reason
subprocess.run("ls " + input(), shell=True)  # noqa: S602
pickle.loads(b"")  # noqa: S602 - another rule
subprocess.run("ls " + input(), shell=True)  # noqa: S602, S603
subprocess.run("ls " + input(), shell=True)  # noqa: S602, S603 - the reason
"""


def test_our_code_has_no_finding_without_a_reason() -> None:
    assert insecure.findings(insecure.ROOT, insecure.CODE) == []


def test_what_is_planted_is_found_unless_its_reason_is_beside_it(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "planted.py").write_text(PLANTED)
    found = insecure.findings(tmp_path, "code")
    assert [(each.rule, each.line) for each in found] == [
        ("B403", 2),
        ("B602", 3),
        ("B602", 5),
        ("B301", 6),
        ("B602", 7),
    ]
    assert str(found[1]).startswith("code/planted.py:3: B602 ")


def test_what_cannot_be_read_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "planted.py").write_text("def (:")
    with pytest.raises(SystemExit, match="syntax error"):
        insecure.findings(tmp_path, ".")


def said(*packages: dict[str, object]) -> str:
    return json.dumps({"dependencies": list(packages), "fixes": []})


SAFE = {"name": "h2", "version": "4.4.0", "vulns": []}
UNKNOWN = {"name": "h11", "skip_reason": "Dependency not found on PyPI"}
HIT = {
    "name": "quart",
    "version": "0.1",
    "vulns": [{"id": "PYSEC-2024-1", "fix_versions": ["0.2"], "aliases": ["CVE-2024-1"], "description": "…"}],
}


def test_a_known_vulnerability_is_named() -> None:
    assert known.read(said(SAFE, HIT, UNKNOWN)) == (2, ["quart 0.1: PYSEC-2024-1, fixed in 0.2"])
    assert known.read(said(UNKNOWN)) == (0, [])


def test_one_is_accepted_by_any_of_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "ACCEPTED", {"CVE-2024-1": "we do not call it"})
    assert known.read(said(HIT)) == (1, [])


@pytest.mark.parametrize(
    ("answers", "status", "line"),
    [
        ({"pypi": (2, ["quart 0.1: X"]), "osv": (0, [])}, 1, "1 known vulnerabilities in 2 packages, by pypi"),
        ({"pypi": (0, []), "osv": (9, [])}, 0, "0 known vulnerabilities in 9 packages, by osv"),
        ({"pypi": (0, []), "osv": (0, [])}, 0, "NOTHING WAS LOOKED UP"),
    ],
)
def test_the_services_are_asked_one_after_the_other(
    answers: dict[str, tuple[int, list[str]]],
    status: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(known, "audited", lambda service: known.Audited(*answers[service]))
    assert known.main() == status
    assert line in capsys.readouterr().out


def test_every_exception_has_a_reason() -> None:
    for reasons in (insecure.EVERYWHERE, known.ACCEPTED):
        assert all(len(reason) > 20 for reason in reasons.values())


def test_make_lint_runs_both() -> None:
    makefile = (insecure.ROOT / "Makefile").read_text()
    for name in ("insecure", "known"):
        assert f"$(IN)/python -m tests.lint.{name}\n" in makefile
