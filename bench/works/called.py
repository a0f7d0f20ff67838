"""Works that are many calls by h2load: echo as JSON, ten events, one long stream. CPU is the figure to trust."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .. import load
from ..servers import Door
from ..starting import ECHO, Running
from . import Cell, Metric, Pace, Values, Work, probed

CALIBRATION = 48
"""Calls, at least, that tell how many more fill the time; then as many in every round."""
LONG = 10_000
LEAD_SECONDS = 0.1
"""Of calls right before those that count: the other servers had the core for seconds, and its caches with it."""


def calls_of(
    running: Running, door: Door, cell: Cell, pace: Pace, tool: str, arguments: Mapping[str, object]
) -> Values:
    """The calls of one cell, and what each cost."""
    call = door.dialect.call(tool, arguments)
    sizes = door.dialect.sizes(probed(running, door, tool, arguments).body)
    url = running.url(call, door)
    key = f"{door.name} {tool} {arguments} {cell.name}"
    if key not in running.rates:
        least = cell.size if arguments.get("count") == LONG else max(CALIBRATION, cell.size * 2)
        found = load.run(url, call, cell.size, least, sizes)
        running.rates[key] = found.calls / found.seconds
    if (lead := _calls_in(LEAD_SECONDS, running.rates[key], cell)) > 0:
        load.run(url, call, cell.size, lead, sizes)
    count = max(cell.size, _calls_in(pace.load_seconds, running.rates[key], cell))
    before = running.cpu_s()
    done = load.run(url, call, cell.size, count, sizes)
    cpu_us = (running.cpu_s() - before) * 1e6 / done.calls
    return {
        "cpu_us": cpu_us,
        "per_s": done.calls / done.seconds,
        "p50_ms": done.percentile(0.5),
        "p99_ms": done.percentile(0.99),
    }


def _calls_in(seconds: float, per_second: float, cell: Cell) -> int:
    """As many calls as take that time, each client of the cell making as many as the next."""
    return round(per_second * seconds / cell.size) * cell.size


def warm(running: Running, door: Door, pace: Pace) -> None:
    """Calls of both kinds until a server is what it will be: caches, arenas, compilers."""
    shorter = replace(pace, load_seconds=running.server.warm_seconds * pace.warm_part)
    kinds: list[tuple[str, Mapping[str, object]]] = [("echo", ECHO)] if "echo" in door.works else []
    kinds += [("events", {"count": 10})] if "ten events" in door.works else []
    for tool, arguments in kinds:
        calls_of(running, door, Cell("warm", 32), shorter, tool, arguments)


def _echo(running: Running, door: Door, cell: Cell, pace: Pace) -> Values:
    values = calls_of(running, door, cell, pace, "echo", ECHO)
    if running.logging is not None:
        values["logging_us"] = calls_of(running.logging, door, cell, pace, "echo", ECHO)["cpu_us"]
    return values


def _ten(running: Running, door: Door, cell: Cell, pace: Pace) -> Values:
    return calls_of(running, door, cell, pace, "events", {"count": 10})


def _long(running: Running, door: Door, cell: Cell, pace: Pace) -> Values:
    values = calls_of(running, door, cell, pace, "events", {"count": LONG})
    return {"cpu_us": values["cpu_us"] / LONG, "per_s": values["per_s"] * LONG}


_PER_CALL = (
    Metric("cpu_us", "CPU µs", digits=0),
    Metric("per_s", "per s", more_is_better=True, digits=0),
    Metric("p50_ms", "p50 ms"),
    Metric("p99_ms", "p99 ms"),
)
_CELLS = {1: Cell("1 at once"), 32: Cell("32 at once", 32), 128: Cell("128 at once", 128)}

ECHO_WORK = Work(
    "echo",
    "Echo as JSON",
    "One call, one JSON answer. With its access log on, as it comes, a server is a process of its own.",
    (*_PER_CALL, Metric("logging_us", "CPU µs, logging", digits=0)),
    tuple(_CELLS.values()),
    _echo,
)
TEN_WORK = Work(
    "ten events",
    "Ten progress events",
    "One call, an event stream of ten progress events and the result.",
    _PER_CALL,
    (_CELLS[1], _CELLS[32]),
    _ten,
)
LONG_WORK = Work(
    "long stream",
    "One long stream",
    f"One stream of {LONG:,} events to one reader; per event.",
    (Metric("cpu_us", "CPU µs per event"), Metric("per_s", "events per s", more_is_better=True, digits=0)),
    (Cell("1 at once"),),
    _long,
)
