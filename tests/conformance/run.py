"""`make conformance`: the official MCP suite against fixture.py, and whether everything passed.

    run.py [--verbose] [--url URL]      --url: a server that runs already
    run.py [--verbose] --stdio          over standard input and output, by bridge.py

Exit status 0: no check of any scenario failed, warned or was skipped, but for those that not_passing.toml lists. That
list is for work in progress: whatever is on it is printed as not passing, and without it empty nobody may say that this
server conforms.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from suite import Check, Scenario, SuiteError, install

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
INSTALLED = ROOT / ".conformance"
START_SECONDS = 60.0
STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Known:
    """not_passing.toml: the scenarios there must be, and the checks that do not pass yet."""

    counts: dict[str, tuple[int, int]]
    """revision -> how many scenarios are required, how many are not scored"""
    reasons: dict[tuple[str, str, str], str]
    """(revision, scenario, check id) -> why it does not pass yet"""
    never: dict[tuple[str, str, str], str]
    """The same for what no server can pass: what the suite skips by itself, and over stdio what is about HTTP."""

    @classmethod
    def read(cls, file: Path, *, stdio: bool = False) -> Known:
        data = tomllib.loads(file.read_text())
        never = _by_check(data.get("skipped_by_the_suite", []))
        if stdio:
            never |= _by_check(data.get("about_http", []))
        return cls(
            {revision: (each["required"], each["not_scored"]) for revision, each in data["scenarios"].items()},
            _by_check(data.get("not_passing", [])),
            never,
        )


def _by_check(entries: list[dict[str, str | list[str]]]) -> dict[tuple[str, str, str], str]:
    return {
        (str(each["revision"]), str(each["scenario"]), check): str(each["reason"])
        for each in entries
        for check in each["checks"]
    }


@contextmanager
def serving(*, stdio: bool = False) -> Iterator[str]:
    """The fixture, served as its author would; the URL of its MCP endpoint over http. `stdio`: that of a bridge."""
    with tempfile.TemporaryDirectory(prefix="mcp-app-conformance-") as home:
        command = [sys.executable, "-m", "mcp_app", "serve"]
        command += ["--bind", "127.0.0.1:0", "--insecure-bind", "127.0.0.1:0", str(HERE / "fixture.py")]
        if stdio:
            command = [sys.executable, str(HERE / "bridge.py")]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "XDG_STATE_HOME": home}
        child = subprocess.Popen(
            command, cwd=home, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        said: list[str] = []
        started = threading.Event()
        reader = threading.Thread(target=_listen, args=(child, said, started), daemon=True)
        reader.start()
        try:
            started.wait(START_SECONDS)
            port = next((found[1] for line in said if (found := re.search(r"http://[^\s/]+:(\d+)", line))), None)
            if port is None:
                raise SuiteError("the server did not start; it said:\n" + "\n".join(said))
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(STOP_SECONDS)
            reader.join(STOP_SECONDS)
            (INSTALLED / "server.txt").write_text("\n".join(said) + "\n")


def _listen(child: subprocess.Popen[str], said: list[str], started: threading.Event) -> None:
    """To the end: a full pipe would stop the server."""
    assert child.stdout is not None
    for line in child.stdout:
        said.append(line.rstrip("\n"))
        if "http://" in line:
            started.set()
    started.set()


def run(url: str | None, revisions: Sequence[str], *, stdio: bool = False) -> list[Scenario]:
    """Raises SuiteError when it cannot be run."""
    suite = install(INSTALLED)
    if url is not None:
        return [each for revision in revisions for each in suite.run(url, revision, INSTALLED / revision)]
    with serving(stdio=stdio) as served:
        return [each for revision in revisions for each in suite.run(served, revision, INSTALLED / revision)]


class Report:
    """The table, and what is wrong in it."""

    def __init__(self, known: Known, *, verbose: bool) -> None:
        self._known = known
        self._verbose = verbose
        self.regressions: list[str] = []
        self.pending: list[str] = []
        self._seen: set[tuple[str, str, str]] = set()

    def add(self, scenario: Scenario) -> None:
        """Print its line, and one for each check that did not pass."""
        missed = self._wrong(scenario)
        wrong = [check for check in missed if self._key(scenario, check) not in self._known.reasons]
        self._seen.update(self._key(scenario, check) for check in missed)
        passed = sum(check.passed for check in scenario.checks)
        word = "FAIL" if wrong else "not yet" if missed else "skipped" if scenario.missed else "pass"
        kind = "" if scenario.scored else "  (not scored)"
        print(f"{scenario.revision}  {word:8}{passed:3}/{len(scenario.checks):<3} {scenario.name}{kind}")
        for check in missed:
            line = f"{scenario.revision} {scenario.name}: {check.id}: {check.status}: {check.message}"
            (self.regressions if check in wrong else self.pending).append(line)
            if self._verbose or check in wrong:
                print(f"{'':12}{check.status} {check.id}: {check.message}")

    def count(self, scenarios: list[Scenario]) -> None:
        """That as many scenarios ran as there are: a suite that runs fewer shows less."""
        for revision, counts in self._known.counts.items():
            ran = [each for each in scenarios if each.revision == revision]
            found = sum(each.scored for each in ran), sum(not each.scored for each in ran)
            good = [each for each in ran if not each.missed]
            skipped = [each for each in ran if each.missed and not self._wrong(each)]
            print(
                f"{revision}: {sum(each.scored for each in good)}/{counts[0]} required, "
                f"{sum(not each.scored for each in good)}/{counts[1]} not scored"
                + (f" and {len(skipped)} of which no server passes all" if skipped else "")
            )
            if found != counts:
                self.regressions.append(f"{revision}: {found} scenarios ran (required, not scored), not {counts}")

    def passing_now(self) -> list[str]:
        """What is on the list and passes: to be taken off it."""
        return [" ".join(key) for key in self._known.reasons if key not in self._seen]

    def _wrong(self, scenario: Scenario) -> list[Check]:
        """What did not pass, but for what no server can pass."""
        return [check for check in scenario.missed if self._key(scenario, check) not in self._known.never]

    @staticmethod
    def _key(scenario: Scenario, check: Check) -> tuple[str, str, str]:
        return scenario.revision, scenario.name, check.id


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="a server that runs already")
    parser.add_argument("--stdio", action="store_true", help="over standard input and output, by a bridge")
    parser.add_argument("--verbose", action="store_true", help="explain what is on the list, too")
    options = parser.parse_args(arguments)
    known = Known.read(HERE / "not_passing.toml", stdio=options.stdio)
    try:
        scenarios = run(options.url, list(known.counts), stdio=options.stdio)
    except SuiteError as error:
        print(error, file=sys.stderr)
        return 2
    report = Report(known, verbose=options.verbose)
    for scenario in scenarios:
        report.add(scenario)
    report.count(scenarios)
    for line in report.passing_now():
        print(f"passes now, take it off not_passing.toml: {line}")
    if report.pending:
        print(f"\nNot conforming yet: {len(report.pending)} checks are on the list of not_passing.toml.")
    if report.regressions:
        print(f"\n{len(report.regressions)} failures that are not on the list:", *report.regressions, sep="\n  ")
    return 1 if report.regressions else 0


if __name__ == "__main__":
    sys.exit(main())
