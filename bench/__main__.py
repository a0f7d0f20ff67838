"""`python -m bench`, which is `make bench`: install the peers, measure, write docs/performance.md. Options: --help."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import environments, report
from .measuring import Plan, measured
from .results import Results
from .servers import SERVERS, named
from .works import FULL, QUICK
from .works.table import named as named_works

DOCUMENT = environments.ROOT / "docs" / "performance.md"
PART = environments.BUILT / "last"
"""Where a run goes that is not the whole one: it must not replace the document's figures by accident."""
PLOT_SECONDS = 120
PROGRAMS = {
    "h2load": "apt-get install nghttp2-client",
    "taskset": "apt-get install util-linux",
    "npm": "apt-get install npm",
}


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status: 1 when something could not be measured."""
    asked = _parser().parse_args(arguments)
    try:
        servers, works = named(_listed(asked.servers)), named_works(_listed(asked.only))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if lacking := [f"{name} ({how})" for name, how in PROGRAMS.items() if shutil.which(name) is None]:
        print(f"needed, and not installed: {', '.join(lacking)}", file=sys.stderr)
        return 2
    used = dict.fromkeys(each.environment for each in servers)
    node = ["node"] if any(environments.is_npm(each) for each in used) else []
    environments.ensure([*used, *node, "mcp_app", "plots"])
    if asked.quick and not asked.only:
        works.remove("idle, 4,000")  # the same code as a thousand, and long
    plan = Plan(servers, works, 1 if asked.quick else asked.rounds, QUICK if asked.quick else FULL)
    results = measured(plan, lambda line: print(line, file=sys.stderr, flush=True))
    whole = len(servers) == len(SERVERS) and not asked.only and not asked.quick
    write(results, whole or asked.write)
    return 1 if results.failures else 0


def write(results: Results, into_document: bool) -> None:
    """The document, its plots and its numbers; or the same beside the environments."""
    document = DOCUMENT if into_document else PART / "performance.md"
    directory = document.with_suffix("")
    directory.mkdir(parents=True, exist_ok=True)
    numbers = directory / "results.json"
    numbers.write_text(_json(results))
    plotting = [environments.interpreter("plots"), Path(__file__).parent / "plots.py", numbers, directory]
    subprocess.run(plotting, check=True, timeout=PLOT_SECONDS)
    text = report.rendered(results)
    print(text)
    written = report.inserted(DOCUMENT.read_text(encoding="utf-8"), text) if into_document else text + "\n"
    document.write_text(written, encoding="utf-8")
    print(f"written: {document.relative_to(environments.ROOT)}", file=sys.stderr)


def _json(results: Results) -> str:
    """One sample a line, so that a diff shows what changed."""
    data = results.as_json()
    rows = ",\n  ".join(json.dumps(each, ensure_ascii=False) for each in data.pop("samples"))
    head = json.dumps(data, indent=1, ensure_ascii=False).removesuffix("\n}")
    return f'{head},\n "samples": [\n  {rows}\n ]\n}}\n'


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured (5)")
    parser.add_argument("--quick", action="store_true", help="one round of moments: shows that all works, no figures")
    parser.add_argument("--only", default="", help="works, by the beginning of their names, with commas between")
    parser.add_argument("--servers", default="", help="servers, with commas between")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md also for a part of it all")
    return parser


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
