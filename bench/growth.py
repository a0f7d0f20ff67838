"""`python -m bench.growth MOST`: what an event costs in an event log as readers, runs and events grow. Prints JSON.

In one process, no HTTP: it is the log's own part. A new log is one entry of LOGS.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from mcp_app.eventlog import EventLog
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.protocol.event import Event, EventType
from mcp_app.protocol.revision import Keep

FOREVER = 1e9
"""A time on the loop's clock that no measurement reaches."""
DELIVERIES = 20_000
"""Events delivered, at least, for one point: some 50 ms, so that a point is more than the clock's noise."""
REPEATS = 3
"""The least of them is the point: noise only ever adds."""
BATCH = 10


@asynccontextmanager
async def _memory() -> AsyncIterator[EventLog]:
    yield MemoryLog()


LOGS: Mapping[str, Callable[[], AbstractAsyncContextManager[EventLog]]] = {"memory": _memory}
"""Name -> a context manager that gives an empty log."""

EVENT = Event(EventType.PROGRESS, b'{"type":"progress","data":{"message":"step 1"}}')


async def _read(log: EventLog, run: str, last: int) -> None:
    after = 0
    while after < last:
        batch = await log.read(run, after, FOREVER)
        after = batch[-1].number


async def _write(log: EventLog, run: str, events: int) -> None:
    for start in range(0, events, BATCH):
        await log.append(run, [EVENT] * min(BATCH, events - start))
        await asyncio.sleep(0)  # as the runner does, so that readers follow and do not only catch up


async def _once(log: EventLog, runs: int, readers: int, events: int) -> None:
    names = [f"run-{number}" for number in range(runs)]
    for run in names:
        await log.open(run, Keep(entries=events, bytes=1 << 40))
    async with asyncio.TaskGroup() as group:
        for run in names:
            for _ in range(readers):
                group.create_task(_read(log, run, events))
        await asyncio.sleep(0)
        for run in names:
            group.create_task(_write(log, run, events))
    for run in names:
        log.forget(run)


async def _point(log_name: str, curve: str, number: int) -> float:
    """µs of CPU for one event delivered to one reader."""
    runs, readers, events = 1, 1, BATCH
    if curve == "readers of a run":
        readers = number
    elif curve == "runs":
        runs = number
    else:
        events = number
    delivered = runs * readers * events
    turns = max(1, DELIVERIES // delivered)
    best = float("inf")
    for _ in range(REPEATS):
        async with LOGS[log_name]() as log:
            gc.collect()
            began = time.process_time()
            for _ in range(turns):
                await _once(log, runs, readers, events)
            best = min(best, (time.process_time() - began) * 1e6 / (delivered * turns))
    return best


CURVES = ("readers of a run", "runs", "events of a run")


async def measure(most: int) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """log -> curve -> (how many, µs per event), from 1 to `most` in tenfold steps."""
    numbers = [10**power for power in range(len(str(most)))]
    found: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for log in LOGS:
        found[log] = {}
        for curve in CURVES:
            point = partial(_point, log, curve)
            found[log][curve] = [(number, round(await point(number), 3)) for number in numbers]
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int(sys.argv[1])))))
