"""Works of one quiet client: the time to its first event, and its echo while another client takes a flood."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from statistics import median, quantiles

from ..dialects import WrongAnswer
from ..peers import WAIT
from ..servers import Door
from ..starting import ECHO, Running
from . import Cell, Metric, Pace, Values, Work, probed

FLOOD = {"count": 20_000}
"""Events of one call, which is made again and again: some send nothing before a tool is done."""
FLOOD_BYTES_PER_SECOND = 50_000
"""What the drinker must have had: otherwise there was no flood to be beside of. The slowest peer sends 4 MB/s alone."""
ECHOES = 200


def _first_event(running: Running, door: Door, cell: Cell, pace: Pace) -> Values:
    """On a connection that is open already; until the first event has arrived, a comment is none."""
    arguments = {"count": 10}
    probed(running, door, "events", arguments)
    call = door.dialect.call("events", arguments)
    wire = running.dial(door)
    took = []
    try:
        for _ in range(pace.first_events):
            began = time.perf_counter()
            number = wire.post(call)
            wire.until(number, b"data:")
            took.append((time.perf_counter() - began) * 1000)
            door.dialect.check("events", arguments, wire.answer(number))
    finally:
        wire.close()
    return _spread(took)


def _beside_flood(running: Running, door: Door, cell: Cell, pace: Pace) -> Values:
    call = door.dialect.call("events", FLOOD)
    order = {
        "port": running.tls_port if door.tls else running.port,
        "ca": str(running.ca) if door.tls else None,
        "path": call.path,
        "headers": call.headers,
        "body": call.body.decode(),
        "last": door.dialect.last.decode(),
    }
    drinker = subprocess.Popen(
        [sys.executable, "-m", "bench.drink", json.dumps(order)], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    )
    assert drinker.stdout is not None
    try:
        if not drinker.stdout.readline():
            raise WrongAnswer("there was no flood to be beside of")
        began = time.monotonic()
        values = _spread(_echoes(running, door, pace.flood_seconds))
        seconds = time.monotonic() - began
        left, _ = drinker.communicate(b"stop\n", WAIT)
    finally:
        drinker.kill()
        drinker.wait(WAIT)
        drinker.stdout.close()
    if not left.strip().isdigit() or int(left) < FLOOD_BYTES_PER_SECOND * seconds:
        raise WrongAnswer(f"the flood had {left!r} bytes: it was none")
    return values


def _echoes(running: Running, door: Door, seconds: float) -> list[float]:
    """Milliseconds of echo calls, one after the other, in that time; a few at least."""
    call = door.dialect.call("echo", ECHO)
    wire = running.dial(door)
    took: list[float] = []
    deadline = time.monotonic() + seconds
    try:
        while len(took) < ECHOES and (len(took) < 3 or time.monotonic() < deadline):
            began = time.perf_counter()
            answer = wire.answer(wire.post(call))
            took.append((time.perf_counter() - began) * 1000)
            door.dialect.check("echo", ECHO, answer)
    finally:
        wire.close()
    return took


def _spread(took: list[float]) -> Values:
    return {"p50_ms": median(took), "p99_ms": quantiles(took, n=100, method="inclusive")[98]}


_SPREAD = (Metric("p50_ms", "p50 ms"), Metric("p99_ms", "p99 ms"))
_ONE = (Cell("1 at once"),)

FIRST_WORK = Work(
    "first event",
    "Time to first event",
    "From sending the call to having its first event, on an open connection, one call at a time.",
    _SPREAD,
    _ONE,
    _first_event,
)
FLOOD_WORK = Work(
    "beside a flood",
    "A quiet client beside a flood",
    "Echo, one call at a time, while another client reads a stream whose tool never waits.",
    _SPREAD,
    _ONE,
    _beside_flood,
    own_server=True,  # not every server stops its tool when the reader has gone
)
