"""Two nodes on one Redis, and callers who leave and come back on both, while each process in turn is killed with -9,
Redis is killed and comes back with its append-only file, and a failover happens: every run ends, and every reader saw
each event once and in order, or was told that it is gone.

`make proof ARGS=chaos`; no part of the suite.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from eventlog import redis_servers

from mcp_app.aio.in_thread import in_thread

from .examples import count
from .unbroken import Caller, calling

TOOLS = str(Path(__file__).parent / "chaos_tools.py")
ROOT = Path(__file__).resolve().parents[2]

FEW = 6
"""Callers at once, where nobody says how many."""

START_SECONDS = 60.0
SECONDS = 600.0

LASTING = (5.0, 40.0)
"""Seconds that a run takes, from and to: longer than a take-over, and shorter than the time between two kills."""

BETWEEN = 25.0
"""Seconds between two kills, in which the runs of the one before are taken over."""

pytestmark = pytest.mark.time_bound(SECONDS)

Event = Callable[[], Coroutine[Any, Any, None]]


class ChaosNode:
    """One `mcp-app serve`, which is started again after each death, at another port."""

    def __init__(self, folder: Path, log: str) -> None:
        self.url: str | None = None
        self.output: list[str] = []
        self._folder = folder
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        command = [sys.executable, "-m", "mcp_app", "serve", TOOLS, "--insecure-bind", "127.0.0.1:0"]
        environment = {
            "MCP_APP_EVENT_LOG": self._log,
            "MCP_APP_SECRET": "0123456789abcdef",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "XDG_STATE_HOME": str(self._folder),
        }
        self._process = await asyncio.create_subprocess_exec(
            *command,
            "--bind",
            "127.0.0.1:0",
            cwd=self._folder,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reading = asyncio.create_task(self._read())
        async with asyncio.timeout(START_SECONDS):
            while self.url is None:
                assert self._process.returncode is None, "\n".join(self.output[-20:])
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        self.url = None
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def killed_and_started(self) -> None:
        await self.kill()
        await self.start()

    async def stop(self) -> int:
        """SIGTERM: its exit status."""
        self.url = None
        assert self._process is not None
        self._process.terminate()
        async with asyncio.timeout(START_SECONDS):
            return await self._process.wait()

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            text = line.decode().strip()
            self.output.append(text)
            if self.url is None and self._process.returncode is None and text.startswith("http://"):
                self.url = text.split()[0].rstrip("/")


@asynccontextmanager
async def two_nodes(folder: Path, log: str) -> AsyncIterator[list[ChaosNode]]:
    nodes = [ChaosNode(folder, log) for _ in range(2)]
    await asyncio.gather(*(each.start() for each in nodes))
    try:
        yield nodes
        statuses = await asyncio.gather(*(each.stop() for each in nodes))
        assert statuses == [0, 0], [each.output[-20:] for each in nodes]
    finally:
        for each in nodes:
            if each.url is not None:
                await each.kill()


async def survived(nodes: list[ChaosNode], events: list[Event]) -> None:
    """Callers call while one after the other happens, and lose nothing."""
    until = asyncio.get_running_loop().time() + BETWEEN * len(events) + 3
    callers = asyncio.create_task(calling(nodes, count(FEW), until, LASTING))
    for each in events:
        await asyncio.wait({callers}, timeout=BETWEEN if each is not events[0] else 3)
        if callers.done():
            break
        await each()
    report(await callers)


def report(callers: list[Caller]) -> None:
    ends = sum((each.ends for each in callers), Counter[str]())
    seen, returns = sum(each.seen for each in callers), sum(each.returns for each in callers)
    print(f"\n{ends.total()} runs ended: {dict(ends)}; {seen} events were seen, each once; {returns} times came back")
    assert ends["complete"] > 0
    assert all(each.seen for each in callers)


@pytest.mark.needs("redis-server")
async def test_processes_are_killed_on_redis_and_redis_too(tmp_path: Path) -> None:
    with redis_servers.server(tmp_path / "redis") as one:

        async def restarted() -> None:
            await in_thread(one.kill)
            await asyncio.sleep(2)
            await in_thread(one.start)

        async with two_nodes(tmp_path, one.url) as nodes:
            kills = [each.killed_and_started for each in nodes]
            await survived(nodes, [*kills, restarted, *kills, restarted])


@pytest.mark.needs("redis-server")
async def test_a_failover_happens(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    with redis_servers.watched(tmp_path / "redis", "runs") as (data, sentinels):
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in sentinels)

        async def failed_over() -> None:
            await in_thread(data[0].kill)

        async with two_nodes(tmp_path, f"redis+sentinel://{hosts}/runs") as nodes:
            await survived(nodes, [failed_over, nodes[0].killed_and_started])
