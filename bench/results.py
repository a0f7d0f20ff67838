"""What was measured, as data: samples, medians, ratios taken round by round. Pure; also the JSON they are kept as.

No path, host name or time of day may be in it: it is committed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

FORMAT = 1


@dataclass(frozen=True)
class Subject:
    """A server through one of its doors."""

    server: str
    door: str

    def __str__(self) -> str:
        return f"{self.server} {self.door}"


@dataclass(frozen=True)
class Sample:
    """One measurement of one cell."""

    round: int
    work: str
    cell: str
    subject: Subject
    values: Mapping[str, float]


@dataclass(frozen=True)
class Ratio:
    """One subject's number divided by another's: median, least and most of the rounds."""

    middle: float
    least: float
    most: float

    def __str__(self) -> str:
        if self.least == self.most:
            return f"{self.middle:.2f}"
        return f"{self.middle:.2f} ({self.least:.2f} to {self.most:.2f})"


@dataclass
class Results:
    """A run."""

    about: dict[str, str] = field(default_factory=dict)
    """Versions, rounds, noise: what a reader has to know, as it is shown."""
    samples: list[Sample] = field(default_factory=list)
    growth: dict[str, dict[str, list[tuple[int, float]]]] = field(default_factory=dict)
    """log -> curve -> (how many, µs per event)."""
    failures: list[str] = field(default_factory=list)
    """What could not be measured, and why."""

    def subjects(self, work: str, cell: str | None = None) -> list[Subject]:
        """Those who did the work, in the order they did it first."""
        wanted = (each for each in self.samples if each.work == work and cell in (None, each.cell))
        return list(dict.fromkeys(each.subject for each in wanted))

    def cells(self, work: str) -> list[str]:
        return list(dict.fromkeys(each.cell for each in self.samples if each.work == work))

    def rounds(self, work: str, cell: str, subject: Subject, metric: str) -> dict[int, float]:
        """The number of each round."""
        return {
            each.round: each.values[metric]
            for each in self.samples
            if (each.work, each.cell, each.subject) == (work, cell, subject) and metric in each.values
        }

    def value(self, work: str, cell: str, subject: Subject, metric: str) -> float | None:
        """The median of the rounds."""
        found = self.rounds(work, cell, subject, metric)
        return median(found.values()) if found else None

    def ratio(self, work: str, cell: str, one: Subject, other: Subject, metric: str) -> Ratio | None:
        """one / other, each pair of the same round; None when no round has both, or the other is nothing."""
        ours, theirs = (self.rounds(work, cell, each, metric) for each in (one, other))
        found = [ours[number] / theirs[number] for number in ours if theirs.get(number)]
        return Ratio(median(found), min(found), max(found)) if found else None

    def as_json(self) -> dict[str, Any]:
        rows = [
            [each.round, each.work, each.cell, str(each.subject.server), each.subject.door, _short(each.values)]
            for each in self.samples
        ]
        return {**asdict(self), "samples": rows, "format": FORMAT}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Results:
        """Raises ValueError for another format than this."""
        if data.get("format") != FORMAT:
            raise ValueError(f"format {data.get('format')!r}; this reads {FORMAT}")
        samples = [
            Sample(n, work, cell, Subject(server, door), v) for n, work, cell, server, door, v in data["samples"]
        ]
        growth = {
            log: {curve: [(int(n), float(us)) for n, us in points] for curve, points in curves.items()}
            for log, curves in data["growth"].items()
        }
        return cls(dict(data["about"]), samples, growth, list(data["failures"]))


def _short(values: Mapping[str, float]) -> dict[str, float]:
    """Five digits: more would be noise, and would make every commit of a run larger."""
    return {key: float(f"{value:.5g}") for key, value in values.items()}
