"""Works of memory: streams that say nothing, and a reader that stops. Each on a server that has done nothing else."""

from __future__ import annotations

import resource
import time

from ..dialects import WrongAnswer
from ..servers import Door
from ..starting import Running
from ..wire import Wire, drain, readable
from . import Cell, Metric, Pace, Values, Work, probed

IDLE = {"seconds": 100.0}
"""Longer than any cell takes, shorter than our cap."""
SETTLE_SECONDS = 0.3
STALLED = {"count": 200_000}
"""Some 32 MB: what a server without back-pressure would hold."""
AT_ONCE = 50
"""Connections that are opened before their first events are waited for: more would overrun a backlog of 100."""


def _idle(running: Running, door: Door, cell: Cell, pace: Pace) -> Values:
    count = round(cell.size * pace.idle_part)
    _allow_files(count // cell.per_connection + 200)
    probed(running, door, "idle", {"seconds": 0.0})
    call = door.dialect.call("idle", IDLE)
    before, cpu = running.memory_bytes(), running.cpu_s()
    wires: list[Wire] = []
    try:
        while len(wires) * cell.per_connection < count:
            left = count // cell.per_connection - len(wires)
            new = [running.dial(door) for _ in range(min(AT_ONCE, left))]
            wires += new
            posted = [(wire, wire.post(call)) for wire in new for _ in range(cell.per_connection)]
            for wire, number in posted:
                wire.until(number, b"data:")
        opening = running.cpu_s() - cpu
        time.sleep(SETTLE_SECONDS)
        taken = running.memory_bytes() - before
        _still_open(wires)
    finally:
        for wire in wires:
            wire.close()
    return {"kib": taken / 1024 / count, "open_us": opening * 1e6 / count}


def _still_open(wires: list[Wire]) -> None:
    """What came meanwhile may be a heartbeat; the end of a connection raises Lost."""
    for wire in readable(wires, 0):
        drain(wire, 0.001)


def _stalled(running: Running, door: Door, cell: Cell, pace: Pace) -> Values:
    """A reader that takes the first bytes and then none. What it did take afterwards proves that there was more."""
    probed(running, door, "events", {"count": 10})
    before = running.memory_bytes()
    wire = running.dial(door, reading=False)
    try:
        wire.until(wire.post(door.dialect.call("events", STALLED)), b"data:")
        deadline = time.monotonic() + pace.stall_seconds
        most = before
        while time.monotonic() < deadline:
            most = max(most, running.memory_bytes())
            time.sleep(0.02)
        if not readable([wire], 1.0):
            raise WrongAnswer("nothing waited for the reader that had stopped")
    finally:
        wire.close()
    return {"mib": (most - before) / 2**20}


def _allow_files(count: int) -> None:
    """Raise the limit of open files, up to the hard one, of this process and of the servers it starts after this."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (count if hard == resource.RLIM_INFINITY else min(count, hard), hard)
        )


def _idle_work(name: str, title: str, what: str, count: int) -> Work:
    return Work(
        name,
        title,
        what,
        (Metric("kib", "KiB per stream", digits=1), Metric("open_us", "CPU µs to open one", digits=0)),
        (Cell("1 per connection", count), Cell("100 per connection", count, 100)),
        _idle,
        own_server=True,
        doors=lambda door, cell: door.tls or cell.per_connection == 1,
    )


IDLE_WORK = _idle_work(
    "idle",
    "A thousand idle streams",
    "Streams that have sent one event and say no more, each on a connection of its own, or a hundred on each.",
    1000,
)
IDLE_MANY_WORK = _idle_work("idle, 4,000", "Four thousand idle streams", "The same, four thousand.", 4000)
STALLED_WORK = Work(
    "stalled reader",
    "A reader that stops",
    f"How much memory grows while a stream of {STALLED['count']:,} events is not read.",
    (Metric("mib", "growth MiB", digits=1),),
    (Cell("1 at once"),),
    _stalled,
    own_server=True,
)
