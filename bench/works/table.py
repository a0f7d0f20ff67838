"""All works, in the order they are run and shown. A new one is one entry here."""

from __future__ import annotations

from . import Cell, Metric, Work
from .called import ECHO_WORK, LONG_WORK, TEN_WORK
from .holding import IDLE_MANY_WORK, IDLE_WORK, STALLED_WORK
from .starts import START_WORK
from .waiting import FIRST_WORK, FLOOD_WORK

WORKS: tuple[Work, ...] = (
    ECHO_WORK,
    TEN_WORK,
    LONG_WORK,
    FIRST_WORK,
    FLOOD_WORK,
    IDLE_WORK,
    IDLE_MANY_WORK,
    STALLED_WORK,
    START_WORK,
)

GROWTH = "growth"
"""Its numbers come from one process and no server (bench/growth.py), so that it is not a Work."""

__all__ = ["GROWTH", "WORKS", "Cell", "Metric", "Work", "named"]


def named(names: list[str]) -> list[str]:
    """The names of all works that begin with one of `names`; all for none. Raises ValueError for a name of nothing."""
    known = [*(each.name for each in WORKS), GROWTH]
    for name in names:
        if not any(each.startswith(name) for each in known):
            raise ValueError(f"no work {name}; there are {', '.join(known)}")
    return [each for each in known if not names or any(each.startswith(name) for name in names)]
