"""The official MCP conformance suite: installing it, running it, reading its results. What must pass is run.py's.

The suite is the npm package @modelcontextprotocol/conformance. It needs Node.js 22 or newer, which comes by npm as
well, so that only npm itself has to be there. Versions are pinned: another suite asks for other things.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SUITE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
NODE = "24.21.0"

INSTALL_SECONDS = 300
"""240 MB from a mirror that may be slow."""
RUN_SECONDS = 180
"""A set takes some 5 s; a scenario that hangs is ended by the suite after 30 s."""

_STAMP = re.compile(r"-\d{4}-\d{2}-\d{2}T[\d-]+Z$")
_NOT_SCORED = re.compile(r"^\s+\S\s+(\S+) \([a-z-]+\)$", re.MULTILINE)  # in the section of that name


class SuiteError(Exception):
    """The suite could not be installed or did not run."""


@dataclass(frozen=True, order=True, slots=True)
class Check:
    """One thing that a scenario looked at. `status` is SUCCESS, FAILURE, WARNING, SKIPPED or INFO."""

    id: str
    status: str
    message: str = ""

    @property
    def passed(self) -> bool:
        """INFO is a remark, which nothing can be wrong with."""
        return self.status in {"SUCCESS", "INFO"}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario of the suite, after it has run for one revision."""

    revision: str
    name: str
    scored: bool
    checks: tuple[Check, ...]

    @property
    def missed(self) -> tuple[Check, ...]:
        """The checks that failed, warned or were skipped. A scenario that only remarks on things has shown nothing."""
        found = tuple(each for each in self.checks if not each.passed)
        if found or any(each.status == "SUCCESS" for each in self.checks):
            return found
        return (Check("(nothing checked)", "FAILURE", "the scenario has made remarks only"),)


@dataclass(frozen=True, slots=True)
class Suite:
    """The installed suite: the path of its Node.js and of its script."""

    node: Path
    script: Path

    def run(self, url: str, revision: str, results: Path) -> list[Scenario]:
        """Every scenario of `revision`, required and not scored, against the server at `url`.

        The suite's own files go to `results`. Raises SuiteError when there are no results.
        """
        shutil.rmtree(results, ignore_errors=True)
        results.mkdir(parents=True)
        command = [self.node, self.script, "server", "--url", url, "--requirements", revision, "-o", results]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise SuiteError(f"{revision}: the suite did not end within {RUN_SECONDS} s") from error
        said = ended.stdout + ended.stderr
        (results / "output.txt").write_text(said)
        not_scored = set(_NOT_SCORED.findall(said.partition("\nNot scored for ")[2]))
        found = [Scenario(revision, name, name not in not_scored, checks) for name, checks in _read(results)]
        if not found:
            raise SuiteError(f"{revision}: the suite left no results; it said:\n{said[-2000:]}")
        return found


def install(directory: Path) -> Suite:
    """Install the pinned suite into `directory`, unless it is there. Raises SuiteError."""
    modules = directory / "node_modules"
    node_package = f"node-{_platform()}"
    suite = Suite(
        modules / node_package / "bin" / "node", modules / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    )
    wanted = [f"{node_package}@{NODE}", SUITE]
    stamp = directory / "installed.json"
    if stamp.is_file() and json.loads(stamp.read_text()) == wanted and suite.node.is_file():
        return suite
    npm = shutil.which("npm")
    if npm is None:
        raise SuiteError("npm is missing, which brings the suite: apt-get install npm")
    directory.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(directory), *wanted]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise SuiteError(f"npm install took more than {INSTALL_SECONDS} s") from error
    if ended.returncode != 0:
        raise SuiteError(f"npm install failed:\n{ended.stderr[-2000:]}")
    stamp.write_text(json.dumps(wanted))
    return suite


def _platform() -> str:
    """As npm names it in the packages that carry Node.js."""
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(platform.machine().lower())
    return f"{platform.system().lower()}-{machine or platform.machine().lower()}"


def _read(results: Path) -> Iterator[tuple[str, tuple[Check, ...]]]:
    """(scenario, its checks), in the order in which they ran."""
    for file in sorted(results.glob("*/checks.json"), key=lambda each: _STAMP.search(each.parent.name)[0]):  # type: ignore[index]
        checks = json.loads(file.read_text())
        name = _STAMP.sub("", file.parent.name).removeprefix("server-")
        yield name, tuple(Check(each["id"], each["status"], each.get("errorMessage") or "") for each in checks)
