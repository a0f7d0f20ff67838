"""pip-audit over what is installed: `python -m tests.lint.known`, a part of `make lint`.

It asks PyPI, then OSV. pip-audit itself is content when neither knows a package, which behind a mirror of PyPI is every
one: here it is said how many were looked up, and that none were. That is no failure, for a change must be possible
without these services; a vulnerability that is known is one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

ACCEPTED: Mapping[str, str] = {}
"""The id of a vulnerability -> why it does not touch us."""

SERVICES = ("pypi", "osv")
SECONDS = 120


class Audited(NamedTuple):
    """How many packages were looked up, and what is known of them: `PACKAGE VERSION: ID, fixed in …`."""

    packages: int
    known: Sequence[str]


def read(text: str) -> Audited:
    """From the JSON of pip-audit."""
    packages, known = 0, []
    for each in json.loads(text)["dependencies"]:
        if "skip_reason" in each:
            continue
        packages += 1
        known += [_said(each, found) for found in each["vulns"] if not {found["id"], *found["aliases"]} & set(ACCEPTED)]
    return Audited(packages, known)


def _said(package: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    fixed = ", ".join(found["fix_versions"]) or "no version yet"
    return f"{package['name']} {package['version']}: {found['id']}, fixed in {fixed}"


def audited(service: str) -> Audited:
    """What a service says; nothing, and why on stderr, where it cannot be reached."""
    command = [sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--progress-spinner", "off"]
    command += ["--format", "json", "--vulnerability-service", service, "--timeout", "15"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        return read(done.stdout)
    except subprocess.TimeoutExpired as error:
        print(f"pip-audit: {service}: {error}", file=sys.stderr)
    except json.JSONDecodeError:
        print(f"pip-audit: {service}: {done.stderr.strip().rpartition(chr(10))[2]}", file=sys.stderr)
    return Audited(0, ())


def main() -> int:
    for service in SERVICES:
        found = audited(service)
        if found.packages:
            for each in found.known:
                print(each)
            print(f"pip-audit: {len(found.known)} known vulnerabilities in {found.packages} packages, by {service}")
            return bool(found.known)
    print("pip-audit: NOTHING WAS LOOKED UP: neither PyPI's JSON nor OSV answers here. Run make lint where they do.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
