"""`python -m bench.growth MOST`: what an event costs in an event log as readers, runs and events grow. Prints JSON.

In one process, no HTTP. Three curves are the log's own part, the last is all that a run costs there. A new log is one
entry of LOGS.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from mcp_app.eventlog import EventLog
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.protocol.errors import UnknownRun
from mcp_app.protocol.event import Event, EventType
from mcp_app.protocol.policy import PLAIN_DETACHED

from .dialects import WrongAnswer

FOREVER = 1e9
"""A time on the loop's clock that no measurement reaches."""
DELIVERIES = 20_000
"""Events delivered, at least, for one point: some 50 ms, so that a point is more than the clock's noise."""
REPEATS = 3
"""The least of them is the point: noise only ever adds."""
TURNS = 1000
"""Of the loop, in which every reader must have had the last batch: it takes one or two."""
BATCH = 10


@asynccontextmanager
async def _memory() -> AsyncIterator[EventLog]:
    yield MemoryLog()


LOGS: Mapping[str, Callable[[], AbstractAsyncContextManager[EventLog]]] = {"memory": _memory}
"""Name -> a context manager that gives an empty log."""

EVENT = Event(EventType.PROGRESS, b'{"type":"progress","data":{"message":"step 1"}}')


class _Stage:
    """Runs that are open, each with readers that wait for what comes."""

    def __init__(self, log: EventLog, runs: int, readers: int) -> None:
        self._log = log
        self._names = [f"run-{number}" for number in range(runs)]
        self._readers = readers
        self._tasks: list[asyncio.Task[None]] = []
        self.delivered = 0

    async def begin(self) -> None:
        for run in self._names:
            await self._log.open(run, PLAIN_DETACHED.keep)
        self._tasks = [asyncio.create_task(self._read(run)) for run in self._names for _ in range(self._readers)]
        await asyncio.sleep(0)

    async def write(self, events: int) -> None:
        """So many to each run; all readers have them when this returns."""
        expected = self.delivered + events * len(self._tasks)
        for start in range(0, events, BATCH):
            batch = [EVENT] * min(BATCH, events - start)
            for run in self._names:
                await self._log.append(run, batch)
            await asyncio.sleep(0)  # as a runner does, so that readers follow and do not only catch up
        for _ in range(TURNS):
            if self.delivered == expected:
                return
            await asyncio.sleep(0)
        raise WrongAnswer(f"{self.delivered} events of {expected} came")

    async def end(self) -> None:
        for run in self._names:
            self._log.forget(run)
        await asyncio.gather(*self._tasks)

    async def _read(self, run: str) -> None:
        after = 0
        try:
            while True:
                batch = await self._log.read(run, after, FOREVER)
                self.delivered += len(batch)
                after = batch[-1].number
        except UnknownRun:
            pass  # forgotten: that is how this one ends


async def _standing(log: EventLog, runs: int, readers: int, events: int) -> tuple[float, int]:
    """Seconds of CPU, and events delivered, where so many runs and readers are there already: the log's own part.

    The garbage collector is left to `_whole`: it looks through all there is when a quarter has been added to it, which
    is never for a thousand runs of a measurement and several times for ten thousand; from there on in proportion.
    """
    stage = _Stage(log, runs, readers)
    await stage.begin()
    gc.disable()
    try:
        began = time.process_time()
        await stage.write(events)
        seconds = time.process_time() - began
    finally:
        gc.enable()
    await stage.end()
    return seconds, stage.delivered


async def _whole(log: EventLog, runs: int, readers: int, events: int) -> tuple[float, int]:
    """The same with all that a beginning and an end cost, tasks and readers, and with the garbage collector."""
    began = time.process_time()
    stage = _Stage(log, runs, readers)
    await stage.begin()
    await stage.write(events)
    await stage.end()
    return time.process_time() - began, stage.delivered


@dataclass(frozen=True)
class Curve:
    """What grows: so many become runs, readers of each, and events."""

    shape: Callable[[int], tuple[int, int, int]]
    measure: Callable[[EventLog, int, int, int], Awaitable[tuple[float, int]]] = _standing


CURVES: Mapping[str, Curve] = {
    "readers of a run": Curve(lambda number: (1, number, BATCH)),
    "runs": Curve(lambda number: (number, 1, BATCH)),
    "events of a run": Curve(lambda number: (1, 1, number)),
    "runs from begin to end, with the garbage collector": Curve(lambda number: (number, 1, BATCH), _whole),
}


async def _point(log_name: str, curve: Curve, number: int) -> float:
    """µs of CPU for one event delivered to one reader."""
    best = float("inf")
    for _ in range(REPEATS):
        async with LOGS[log_name]() as log:
            seconds, delivered = 0.0, 0
            gc.collect()
            while delivered < DELIVERIES:
                more = await curve.measure(log, *curve.shape(number))
                seconds, delivered = seconds + more[0], delivered + more[1]
            best = min(best, seconds * 1e6 / delivered)
    return best


async def measure(most: int) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """log -> curve -> (how many, µs per event), from 1 to `most` in tenfold steps."""
    numbers = [10**power for power in range(len(str(most)))]
    found: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for log in LOGS:
        found[log] = {}
        for name, curve in CURVES.items():
            found[log][name] = [(number, round(await _point(log, curve, number), 3)) for number in numbers]
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int(sys.argv[1])))))
