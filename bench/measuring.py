"""A whole run: rounds, servers and works in their order. Starts and asks; what a number means is said elsewhere.

In a round all servers are up, and a cell is measured on one after the other: what is compared lies seconds apart, on a
machine whose speed drifts. The order turns with each round.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from . import environments
from .dialects import WrongAnswer
from .results import Results, Sample, Subject
from .servers import Door, Server
from .starting import Ground, Running, ground, started
from .wire import Lost
from .works import Cell, Pace, Work
from .works.called import ECHO_WORK, warm
from .works.starts import START_WORK
from .works.table import GROWTH, WORKS

Say = Callable[[str], None]
GROWTH_SECONDS = 120
FAILED = (WrongAnswer, Lost, OSError, subprocess.SubprocessError)
"""A cell that fails is reported as not measured; the others count."""


@dataclass(frozen=True)
class Plan:
    """What to run."""

    servers: Sequence[Server]
    works: Sequence[str]
    rounds: int
    pace: Pace

    def wants(self, work: Work, door: Door, cell: Cell) -> bool:
        """Whether this work is done through this door."""
        return work.name in self.works and work.name in door.works and work.doors(door, cell)


def measured(plan: Plan, say: Say) -> Results:
    """Run it all. Raises RuntimeError when a server does not start, or the machine has one core."""
    results = Results()
    noise: list[float] = []
    began = time.monotonic()

    def at(line: str) -> None:
        say(f"{time.monotonic() - began:4.0f} s  {line}")

    with ground() as place:
        rates: dict[str, dict[str, float]] = {}
        for number in range(1, plan.rounds + 1):
            noise.append(_gauge(place))
            at(f"round {number} of {plan.rounds}")
            if START_WORK.name in plan.works:
                _starts(plan, number, place, results, at)
            _round(plan, number, place, rates, results, at)
        _alone(plan, place, results, at)
        if GROWTH in plan.works:
            at("growth of the event log")
            results.growth = _growth(plan, place)
    results.about = _about(plan, noise, time.monotonic() - began)
    return results


def _starts(plan: Plan, number: int, place: Ground, results: Results, say: Say) -> None:
    """Each server by itself: beside a dozen others a start takes up to half as long again. The first one is started
    once more before, as it would pay for a core that had slept."""
    order = _order(plan, number)
    with started(order[0], place):
        pass
    for server in order:
        with started(server, place) as running:
            _sample(plan, number, running, server.doors[0], START_WORK, START_WORK.cells[0], results, say)


def _round(
    plan: Plan, number: int, place: Ground, rates: dict[str, dict[str, float]], results: Results, say: Say
) -> None:
    shared = [each for each in WORKS if not each.own_server and each.name in plan.works]
    if not shared:
        return
    with ExitStack() as stack:
        up: list[Running] = []
        for server in _order(plan, number):
            running = stack.enter_context(started(server, place))
            running.rates = rates.setdefault(server.name, {})
            running.logging = _logging(plan, server, place, rates, stack)
            for each in [running] if running.logging is None else [running, running.logging]:
                for door in server.doors:
                    warm(each, door, plan.pace)
            up.append(running)
        for work in shared:
            for cell in work.cells:
                for running in up:
                    for door in running.server.doors:
                        if plan.wants(work, door, cell):
                            _sample(plan, number, running, door, work, cell, results, say)


def _logging(
    plan: Plan, server: Server, place: Ground, rates: dict[str, dict[str, float]], stack: ExitStack
) -> Running | None:
    """The server's twin that writes its access log, if the echo, whose column that is, is measured on it."""
    twin = server.logging()
    name = ECHO_WORK.name
    if twin is None or name not in plan.works or not any(name in door.works for door in server.doors):
        return None
    running = stack.enter_context(started(twin, place))
    running.rates = rates.setdefault(f"{server.name}, logging", {})
    return running


def _order(plan: Plan, number: int) -> Sequence[Server]:
    return plan.servers if number % 2 else plan.servers[::-1]


def _alone(plan: Plan, place: Ground, results: Results, say: Say) -> None:
    """Works that need a server of their own, in one round: most count memory, which does not drift with the machine."""
    for work in (each for each in WORKS if each.own_server and each is not START_WORK and each.name in plan.works):
        say(work.title)
        for cell in work.cells:
            for server in plan.servers:
                for door in server.doors:
                    if plan.wants(work, door, cell):
                        with started(server, place) as running:
                            _sample(plan, 1, running, door, work, cell, results, say)


def _sample(
    plan: Plan, number: int, running: Running, door: Door, work: Work, cell: Cell, results: Results, say: Say
) -> None:
    subject = Subject(running.server.name, door.name)
    try:
        values = work.measure(running, door, cell, plan.pace)
    except FAILED as error:
        failure = f"{work.title}, {cell.name}, {subject}: {type(error).__name__}: {error}"
        say(failure)
        results.failures.append(failure)
        return
    results.samples.append(Sample(number, work.name, cell.name, subject, values))


def _growth(plan: Plan, place: Ground) -> dict[str, dict[str, list[tuple[int, float]]]]:
    python = environments.interpreter("mcp_app")
    command = ["taskset", "-c", str(place.cores.server), str(python), "-m", "bench.growth", str(plan.pace.growth_most)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=GROWTH_SECONDS, check=True, cwd=environments.ROOT
    )
    found: dict[str, dict[str, list[tuple[int, float]]]] = json.loads(done.stdout)
    return found


def _gauge(place: Ground) -> float:
    """Milliseconds of a fixed loop on the server's core: how quiet it is."""
    code = "import time; t = time.perf_counter(); sum(i * i for i in range(1_000_000)); print(time.perf_counter() - t)"
    command = ["taskset", "-c", str(place.cores.server), sys.executable, "-c", code]
    return float(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout) * 1000


def _about(plan: Plan, noise: list[float], seconds: float) -> dict[str, str]:
    pins = [environments.wanted(each) for each in dict.fromkeys(server.environment for server in plan.servers)]
    versions = sorted({pin for wanted in pins for pin in wanted if not pin.startswith(".")})
    return {
        "Python": f"{platform.python_version()}, {platform.system()}; one core for the server, one for the load",
        "versions": ", ".join(versions),
        "rounds": f"{plan.rounds}, of {plan.pace.load_seconds:g} s for each cell; {seconds:.0f} s in all",
        "noise": f"a fixed loop took {median(noise):.0f} ms ({min(noise):.0f} to {max(noise):.0f})",
    }
