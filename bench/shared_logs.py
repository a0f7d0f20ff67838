"""`python -m bench.shared_logs URL…`: what an event costs in a shared log, from 1 run at once to 1,000. Prints a table.

    python -m bench.shared_logs memory sqlite:///var/tmp/log.db 'sqlite:///var/tmp/other.db?survives=power'

In one process, no HTTP: each run appends one event, waits until it is stored, and appends the next. The CPU time is
this process's: a server's is not in it. A URL is what MCP_APP_EVENT_LOG takes; its log is to be an empty one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from mcp_app.config.settings import Settings
from mcp_app.eventlog.configured import shared_log
from mcp_app.eventlog.records import Ending, RunRecord
from mcp_app.eventlog.shared import SharedLog
from mcp_app.eventlog.shared_memory import MemorySharedLog, SharedMemory
from mcp_app.eventlog.sqlite.log import SqliteLog
from mcp_app.protocol.event import Event, EventType
from mcp_app.protocol.policy import PLAIN_DETACHED

AT_ONCE = (1, 10, 100, 1000)
EVENT = Event(EventType.PROGRESS, b'{"fraction":0.5,"message":"%s"}' % (b"x" * 170))
SECRET = "of-no-use-to-anybody"


@dataclass(frozen=True)
class Point:
    """At so many runs: events a second, events a transaction (None where nobody counts them), CPU in microseconds for
    an event, and how long an append took, in milliseconds: the median, and of a hundred the last but one."""

    runs: int
    per_second: float
    per_commit: float | None
    cpu_us: float
    median_ms: float
    slow_ms: float


async def measure(log: SharedLog, runs: int, seconds: float) -> Point:
    node = await log.join()
    records = [_record(node) for _ in range(runs)]
    await asyncio.gather(*(log.create(each, PLAIN_DETACHED.keep) for each in records))
    stop = time.monotonic() + seconds
    took: list[float] = []

    async def work(run: str) -> None:
        number, before = 1, time.monotonic()
        while before < stop:
            await log.append(run, node, number, [EVENT])
            now = time.monotonic()
            took.append(now - before)
            number, before = number + 1, now
        await log.append(run, node, number, [EVENT], Ending("complete", 0.0))

    begun, cpu, commits = time.monotonic(), time.process_time(), _commits(log)
    await asyncio.gather(*(work(each.id) for each in records))
    count = len(took) + runs
    elapsed, cpu = time.monotonic() - begun, time.process_time() - cpu
    made = _commits(log) - commits
    await log.leave(node)
    took.sort()
    return Point(
        runs,
        count / elapsed,
        count / made if made else None,
        cpu / count * 1e6,
        took[len(took) // 2] * 1e3,
        took[int(len(took) * 0.99)] * 1e3,
    )


def of(url: str) -> SharedLog:
    """The log of that URL. Raises LogRefused, or pydantic's ValidationError."""
    if url == "memory":
        return MemorySharedLog(SharedMemory())
    log = shared_log(Settings.model_validate({"event_log": url, "secret": SECRET}))
    if log is None:
        raise SystemExit(f"{url} is no shared log")
    return log


async def table(urls: Sequence[str], at_once: Sequence[int], seconds: float) -> str:
    """In Markdown."""
    lines = [
        "| log | runs at once | events/s | per commit | CPU µs per event | ms, median | ms, 99 % |",
        "|---|" + "--:|" * 6,
    ]
    for url in urls:
        log = of(url)
        await log.open()
        for runs in at_once:
            it = await measure(log, runs, seconds)
            each = "" if it.per_commit is None else f"{it.per_commit:,.1f}"
            name = url.partition("://")[0] + ("" if "?" not in url else f"?{url.partition('?')[2]}")
            figures = f"{it.per_second:,.0f} | {each} | {it.cpu_us:,.0f} | {it.median_ms:,.2f} | {it.slow_ms:,.1f}"
            lines.append(f"| {name} | {runs:,} | {figures} |")
        await log.close()
    return "\n".join(lines)


def _commits(log: SharedLog) -> int:
    return log.transactions if isinstance(log, SqliteLog) else 0


def _record(node: str) -> RunRecord:
    now = time.time()
    return RunRecord(os.urandom(16).hex(), node, "echo", "anonymous", PLAIN_DETACHED.name, now, now + 60, 60.0)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.shared_logs", description=__doc__)
    parser.add_argument("urls", nargs="+", metavar="URL")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each number of runs (5)")
    asked = parser.parse_args(arguments)
    print(asyncio.run(table(asked.urls, AT_ONCE, asked.seconds)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
