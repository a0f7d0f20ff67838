"""A run as Markdown: the generated part of docs/performance.md. Pure; what was measured is not changed here.

What is written by hand stands in the document itself, outside of the two markers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from . import servers
from .results import Ratio, Results
from .targets import BARE_H1, BARE_H2, SDK_JSON, SDK_SSE, Verdict, verdicts
from .works.table import WORKS, Metric, Work

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PLOTS = ("echo", "ten-events", "long-stream", "idle", "growth")
"""Files of docs/performance/, without .svg."""

HOW_TO_READ = (
    "In the tables below, the numbers in brackets are ratios: first to the official SDK's best on uvicorn, then to "
    "`bare` on the same transport."
)


def inserted(document: str, measured: str, first: str = BEGIN, last: str = END) -> str:
    """The document with this between two markers. Raises ValueError when they are not there."""
    head, begin, rest = document.partition(first)
    _, end, tail = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"the document has not both of {first} and {last}")
    return f"{head}{begin}\n{measured.strip()}\n{end}{tail}"


def rendered(results: Results, plots: bool = True) -> str:
    """All of it."""
    parts = ["## What was measured", *_about(results), *_targets(verdicts(results)), HOW_TO_READ]
    parts += [part for work in WORKS if results.subjects(work.name) for part in _work(results, work, plots)]
    if results.growth:
        parts += _growth(results, plots)
    if results.failures:
        parts += ["## Not measured", "\n".join(f"- {each}" for each in results.failures)]
    return "\n\n".join(parts)


def _about(results: Results) -> Iterator[str]:
    yield table(["", ""], [[name, value] for name, value in results.about.items()])


def _targets(found: list[Verdict]) -> Iterator[str]:
    met = sum(each.met is True for each in found)
    judged = sum(each.met is not None for each in found)
    yield "### Targets"
    yield f"{met} of {judged} are met." + ("" if judged == len(found) else f" {len(found) - judged} were not measured.")
    words = {True: "met", False: "**not met**", None: "not measured"}
    rows = [[each.what, each.bound, each.against, each.shown, words[each.met]] for each in found]
    yield table(["target", "bound", "of", "measured", ""], rows)


def _work(results: Results, work: Work, plots: bool) -> Iterator[str]:
    yield f"### {work.title}"
    yield work.what
    name = work.name.replace(" ", "-")
    if plots and name in PLOTS:
        yield f"![{work.title}](performance/{name}.svg)"
    for cell in results.cells(work.name):
        if len(work.cells) > 1:
            yield f"**{cell}**"
        yield table(*_cell(results, work, cell))


def _cell(results: Results, work: Work, cell: str) -> tuple[list[str], list[list[str]]]:
    """Each number with its ratios to the SDK and to the ceiling; the first metric's once more, with their range."""
    found = results.subjects(work.name, cell)
    sdk = next((each for each in (SDK_JSON, SDK_SSE) if each in found), None)
    has_ceiling = bool({BARE_H1, BARE_H2} & set(found))
    first = work.metrics[0]
    head = ["server", *(each.title for each in work.metrics)]
    head += [f"{first.title} ÷ {sdk}"] if sdk else []
    head += [f"{first.title} ÷ bare"] if has_ceiling else []
    rows = []
    for subject in found:
        others = [sdk] if sdk else []
        others += [BARE_H2 if subject.door.endswith("h2") else BARE_H1] if has_ceiling else []
        ratios = {m.key: [results.ratio(work.name, cell, subject, o, m.key) for o in others] for m in work.metrics}
        numbers = [
            number(results.value(work.name, cell, subject, m.key), m) + _beside(ratios[m.key]) for m in work.metrics
        ]
        ranges = ["1" if o == subject else str(r or "-") for o, r in zip(others, ratios[first.key], strict=True)]
        rows.append([str(subject), *numbers, *ranges])
    return head, rows


def _beside(ratios: Sequence[Ratio | None]) -> str:
    shown = [
        "-" if each is None else f"{each.middle:.2f}" if each.middle < 10 else f"{each.middle:.0f}" for each in ratios
    ]
    return f" ({', '.join(shown)})" if shown else ""


def number(value: float | None, metric: Metric) -> str:
    """As the table shows it."""
    return "-" if value is None else f"{value:,.{metric.digits}f}"


def _growth(results: Results, plots: bool) -> Iterator[str]:
    yield "### As the number grows"
    yield (
        "µs of CPU for one event delivered to one reader, in the event log alone, in one process, the readers waiting. "
        "The last line is the whole life of runs of ten events and a reader each, with their tasks and the garbage "
        "collector: it looks through all there is whenever a quarter has been added, and so begins to count somewhere "
        "between a thousand runs and ten thousand; from there on it grows in proportion."
    )
    if plots:
        yield "![Cost per event as readers, runs and events grow](performance/growth.svg)"
    for log, curves in results.growth.items():
        numbers = sorted({count for points in curves.values() for count, _ in points})
        rows = [
            [f"{log}: {curve}", *(f"{dict(points)[each]:.2f}" if each in dict(points) else "-" for each in numbers)]
            for curve, points in curves.items()
        ]
        yield table(["log", *(f"{each:,}" for each in numbers)], rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table. Raises ValueError for a row that has not as many cells as the head."""
    if wrong := [row for row in rows if len(row) != len(head)]:
        raise ValueError(f"{wrong[0]} does not fit {head}")
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(each.replace("|", "\\|") for each in row) + " |" for row in lines)


def who() -> str:
    """The table of servers, for the document's written part."""
    return table(["server", "what it is"], [[f"`{each.name}`", each.what] for each in servers.SERVERS])
