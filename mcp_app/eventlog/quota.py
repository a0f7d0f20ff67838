"""How much a shared log keeps of runs that have ended, and which of them are forgotten when it is more.

The rule of every log, as a function of plain values: nothing is stored, timed or forgotten here. How much is kept of
each run by itself is its policy's `Retention`; how long, its record's `until`.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from ..config.settings import Settings

PRINCIPAL, ALL, AGE = "principal", "all", "age"
"""Why a run is forgotten: its principal has more than it may, all have, or its time is over."""


class Quota(NamedTuple):
    """What may be kept of runs that have ended: their number, and the bytes of their entries."""

    runs: int
    bytes: int
    principal_runs: int
    principal_bytes: int

    @classmethod
    def of(cls, settings: Settings, room: float = math.inf) -> Quota:
        """What the settings say. `room`: the bytes that there are for all, unless a setting says so."""
        held = settings.keep_bytes
        if "keep_bytes" not in settings.model_fields_set:
            held = int(min(held, room))
        runs, own, own_bytes = settings.keep_runs, settings.keep_runs_per_principal, settings.keep_bytes_per_principal
        return cls(runs, held, runs if own is None else own, held if own_bytes is None else own_bytes)


class KeptRun(NamedTuple):
    """A run that has ended: the bytes of its entries, and whether somebody reads it."""

    id: str
    principal: str
    bytes: int
    read: bool = False


class Usage(NamedTuple):
    """What a log holds: runs that are worked on, runs that have ended and the bytes of these; and how many runs were
    forgotten just now, by reason."""

    working: int
    kept: int
    bytes: int
    forgotten: Counter[str]


class _Kept:
    """What is kept of one principal's; `idle` are those that may be forgotten, oldest first."""

    def __init__(self) -> None:
        self.runs = 0
        self.bytes = 0
        self.idle: deque[KeptRun] = deque()

    def add(self, run: KeptRun) -> None:
        self.runs += 1
        self.bytes += run.bytes
        self.idle.append(run)

    def forget(self) -> KeptRun:
        run = self.idle.popleft()
        self.runs -= 1
        self.bytes -= run.bytes
        return run


def beyond(kept: Sequence[KeptRun], quota: Quota) -> dict[str, str]:
    """The ids of the runs to forget, and why; `kept` is in the order of their ends.

    The oldest go first: of a principal that has more than it may, then of whoever has most, so that nobody's results
    are lost to who has many. A run that is read stays, and the newest, of one principal or of all, whatever its size.
    """
    principals: dict[str, _Kept] = {}
    for run in kept:
        principals.setdefault(run.principal, _Kept()).add(run)
    forgotten: dict[str, str] = {}
    for each in principals.values():
        newest = each.idle[-1]
        each.idle = deque(run for run in each.idle if not run.read)
        while each.runs > quota.principal_runs or each.bytes > quota.principal_bytes:
            if not each.idle or each.idle[0] is newest:
                break
            forgotten[each.forget().id] = PRINCIPAL
        if each.idle and each.idle[-1] is kept[-1]:
            each.idle.pop()
    for limit, count in ((quota.runs, _runs), (quota.bytes, _bytes)):
        forgotten.update((run, ALL) for run in _of_who_has_most(principals.values(), limit, count))
    return forgotten


def _of_who_has_most(everybody: Iterable[_Kept], limit: int, count: Callable[[_Kept], int]) -> Iterable[str]:
    """The oldest of whoever has most by that count, until all together have no more than the limit."""
    principals = list(everybody)
    total = sum(map(count, principals))
    heap = [(-count(each), at) for at, each in enumerate(principals) if each.idle]
    heapify(heap)
    while total > limit and heap:
        _, at = heappop(heap)
        each = principals[at]
        total -= count(each)
        yield each.forget().id
        total += count(each)
        if each.idle:
            heappush(heap, (-count(each), at))


def _runs(kept: _Kept) -> int:
    return kept.runs


def _bytes(kept: _Kept) -> int:
    return kept.bytes
