"""The metrics of several processes of one server, as one page: each number with the worker that it is of.

Pure: pages in Prometheus' text format, as `metrics` writes it, in and out. Sums are Prometheus' to make: a worker that
is restarted begins at 0, which it knows of each by itself, and of no sum.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_FAMILY = re.compile(r"# (?:HELP|TYPE) (\S+) ")
_SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")


def labelled(pages: Mapping[int, str]) -> str:
    """The page of all, from that of each worker, by its number. A metric's lines stay together."""
    heads: dict[str, dict[str, None]] = {}
    samples: dict[str, list[str]] = {}
    for worker, page in sorted(pages.items()):
        for line in page.splitlines():
            if family := _FAMILY.match(line):
                heads.setdefault(family[1], {})[line] = None
            elif sample := _SAMPLE.fullmatch(line):
                name, labels, value = sample.groups()
                more = f",{labels}" if labels else ""
                samples.setdefault(name, []).append(f'{name}{{worker="{worker}"{more}}} {value}')
    workers = ["# HELP mcp_app_workers Workers that serve.", "# TYPE mcp_app_workers gauge"]
    lines = [*workers, f"mcp_app_workers {len(pages)}"]
    for name, head in heads.items():
        lines += [*list(head)[:2], *samples.get(name, ())]
    return "\n".join(lines) + "\n"
