"""bandit over our code: `python -m tests.lint.insecure`, a part of `make lint`.

An exception has its reason beside it, once for both tools: bandit's B608 is ruff's S608, so that
`# noqa: S608 - reason` in the lines of the finding excuses it, and so does a line of ruff's `per-file-ignores`. What is
excused everywhere stands below. Examples are not looked at: their readers have no linter to be silenced.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
CODE = "mcp_app"

EVERYWHERE = {
    "B404": "that subprocess is imported says nothing: how a program is started is looked at by B602 to B607",
}

_EXCUSE = re.compile(r"# noqa: ([A-Z]+\d+(?:[, ]+[A-Z]+\d+)*+)[ -]+\S")
"""Some rules, and a reason. A second rule is none."""

SECONDS = 120


class Finding(NamedTuple):
    """Something that bandit says. `path` is below the directory that was looked at."""

    rule: str
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule} {self.text}"


def findings(root: Path, *folders: str) -> list[Finding]:
    """What bandit finds and nothing excuses, in the folders below `root`."""
    command = [sys.executable, "-m", "bandit", "-q", "-f", "json", "-r", *folders, "-s", ",".join(EVERYWHERE)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=SECONDS, check=False)
    said = json.loads(done.stdout)
    if said["errors"]:
        raise SystemExit(f"bandit: {said['errors']}")
    ignored = _per_file(ROOT / "pyproject.toml")
    return list(_unexcused(root, said["results"], ignored))


def _unexcused(root: Path, results: list[dict[str, Any]], ignored: dict[str, list[str]]) -> Iterator[Finding]:
    for each in results:
        path = Path(each["filename"])
        rule = "S" + each["test_id"].removeprefix("B")
        if any(path.match(pattern) and rule in _rules(rules) for pattern, rules in ignored.items()):
            continue
        lines = (root / path).read_text(encoding="utf-8").splitlines()
        about = lines[min(each["line_range"]) - 1 : max(each["line_range"])]
        if not any(rule in re.findall(r"\w+", excused[1]) for line in about if (excused := _EXCUSE.search(line))):
            yield Finding(each["test_id"], str(path), each["line_number"], each["issue_text"])


def _rules(rules: list[str]) -> set[str]:
    return {rule for rule in rules if rule != "S"}  # not all of them at once, as for tests


def _per_file(file: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = tomllib.loads(file.read_text())["tool"]["ruff"]["lint"]["per-file-ignores"]
    return found


def main() -> int:
    found = findings(ROOT, CODE)
    for each in found:
        print(each)
    print(f"bandit: {len(found)} findings without a reason")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
