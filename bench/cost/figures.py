"""Two trees beside each other: the ratio of each cell, how far it repeats, and the table. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean
from typing import NamedTuple

from ..report import table

BEGIN, END = "<!-- counted: begin -->", "<!-- counted: end -->"


class Cell(NamedTuple):
    """What is counted."""

    work: str
    protocol: str
    door: str


Counts = dict[Cell, float]
"""Instructions per call."""


class Side(NamedTuple):
    """One tree, and what was counted in each of its server processes."""

    name: str
    processes: Sequence[Counts]

    def of(self, cell: Cell) -> float:
        """The mean of the processes."""
        return mean(each[cell] for each in self.processes)

    def spread(self, cell: Cell) -> float:
        """The distance between the least and the most of the processes, as a part of their mean."""
        values = [each[cell] for each in self.processes]
        return (max(values) - min(values)) / mean(values)


def ratio(old: Side, new: Side, cell: Cell) -> float:
    """New to old."""
    return new.of(cell) / old.of(cell)


def rendered(old: Side, new: Side, about: str) -> str:
    """A Markdown table of it all, under a sentence that says how it was counted: `about`, and how far it repeats."""
    cells = list(old.processes[0])
    widest = max(side.spread(cell) for side in (old, new) for cell in cells)
    number = len(old.processes)
    repeats = f" Each is the mean of {number} processes, which differ by {widest:.2%} at most." if number > 1 else ""
    head = ["work", "protocol", "door", f"old: {old.name}", f"new: {new.name}", "new ÷ old"]
    rows = [[*cell, f"{old.of(cell):,.0f}", f"{new.of(cell):,.0f}", f"{ratio(old, new, cell):.3f}"] for cell in cells]
    return f"{about}{repeats}\n\n{table(head, rows)}"
