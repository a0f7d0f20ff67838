"""`plots.py RESULTS.json DIRECTORY`: the plots of a run, as SVG. Needs matplotlib; reads only JSON.

The same numbers give the same bytes: no date, no random identifiers.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams.update({"svg.hashsalt": "mcp-app", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False})
mpl.rcParams["axes.spines.right"] = False

from matplotlib import pyplot as plt  # noqa: E402 - only after the backend has been chosen

OURS, THEIRS, CEILING = "#1f6f50", "#9aa5b1", "#d9a441"

BARS = {
    "echo": ("echo", "32 at once", "cpu_us", "CPU µs per echo, 32 at once (less is better)"),
    "ten-events": (
        "ten events",
        "32 at once",
        "cpu_us",
        "CPU µs per stream of ten events, 32 at once (less is better)",
    ),
    "long-stream": ("long stream", "1 at once", "per_s", "events per second of one stream (more is better)"),
    "idle": ("idle", "1 per connection", "kib", "KiB per idle stream, one per connection (less is better)"),
}


def bars(samples: list[list], name: str, directory: Path) -> None:
    """One bar for each server and door, the median of its rounds."""
    work, cell, metric, title = BARS[name]
    found: dict[str, list[float]] = defaultdict(list)
    for _, its_work, its_cell, server, door, values in samples:
        if (its_work, its_cell) == (work, cell):
            found[f"{server} {door}"].append(values[metric])
    if not found:
        return
    labels = list(found)[::-1]
    colours = [
        OURS if each.startswith("mcp_app") else CEILING if each.startswith("bare") else THEIRS for each in labels
    ]
    figure, axes = plt.subplots(figsize=(7, 0.28 * len(labels) + 0.9), layout="constrained")
    drawn = axes.barh(labels, [median(found[each]) for each in labels], color=colours)
    axes.bar_label(drawn, fmt="{:,.0f}", padding=3)
    axes.set_title(title, loc="left")
    save(figure, directory / f"{name}.svg")


def growth(curves_of: dict[str, dict[str, list[list[float]]]], directory: Path) -> None:
    """Whole cost against number, both by powers of ten; dashed: ten times the cost for ten times the number."""
    if not curves_of:
        return
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for log, curves in curves_of.items():
        for curve, points in curves.items():
            numbers = [count for count, _ in points]
            axes.loglog(numbers, [count * us for count, us in points], marker="o", label=f"{log}: {curve}")
        axes.loglog(numbers, [count * points[0][1] for count in numbers], "--", color=THEIRS, label="in proportion")
    axes.set_xlabel("how many")
    axes.set_ylabel("µs, an event to each")
    axes.legend()
    save(figure, directory / "growth.svg")


def save(figure: plt.Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n")


if __name__ == "__main__":
    measured = json.loads(Path(sys.argv[1]).read_text())
    out = Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    for each in BARS:
        bars(measured["samples"], each, out)
    growth(measured["growth"], out)
