"""What is measured: the shape of a work. Each module of this package is one kind; `table.py` lists them.

A work measures one server through one door and returns numbers. It compares nothing and knows no other server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..dialects import Answer
from ..servers import Door
from ..starting import Running

Values = dict[str, float]


@dataclass(frozen=True)
class Metric:
    """One number: its key, how it is headed, and whether more of it is better."""

    key: str
    title: str
    more_is_better: bool = False
    digits: int = 2


@dataclass(frozen=True)
class Cell:
    """One variant of a work: so many at once, so many streams."""

    name: str
    size: int = 1
    per_connection: int = 1


@dataclass(frozen=True)
class Pace:
    """How long and how often: a run that proves nothing but that all works, and one whose numbers count."""

    load_seconds: float
    warm_part: float
    """Of each server's `warm_seconds`."""
    first_events: int
    stall_seconds: float
    flood_seconds: float
    idle_part: float
    """Of the streams that are opened."""
    growth_most: int
    """Readers, runs and events at most, in-process."""


FULL = Pace(0.5, 1.0, 100, 1.5, 1.0, 1.0, 10_000)
QUICK = Pace(0.1, 0.05, 10, 0.2, 0.4, 0.1, 100)


@dataclass(frozen=True)
class Work:
    """One kind of work."""

    name: str
    title: str
    what: str
    metrics: tuple[Metric, ...]
    """The first is the one that ratios are made of."""
    cells: tuple[Cell, ...]
    measure: Callable[[Running, Door, Cell, Pace], Values]
    """Raises WrongAnswer, or Lost, when the server did not do the work."""
    own_server: bool = False
    """Measured on a server of its own, in one round: because its memory counts, or because the work may not end."""
    doors: Callable[[Door, Cell], bool] = lambda door, cell: True


def probed(running: Running, door: Door, tool: str, arguments: Mapping[str, object]) -> Answer:
    """One call, its answer checked in full."""
    wire = running.dial(door)
    try:
        answer = wire.answer(wire.post(door.dialect.call(tool, arguments)))
    finally:
        wire.close()
    door.dialect.check(tool, arguments, answer)
    return answer
