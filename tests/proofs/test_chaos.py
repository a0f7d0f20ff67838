"""Processes that share a log are killed while they work: every run ends, and every reader that left and came back, at
any of them, saw each event once and in order.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from live_server import LiveServer, process

from mcp_app.aio.in_thread import in_thread

from .examples import count, time_bound
from .restless_reader import RUNS, RestlessReader

FEW = 12
"""Runs at once, and two readers of each, where nobody says how many."""

TOOLS = str(Path(__file__).parent / "chaos_tools.py")
RUN_SECONDS = (2.0, 14.0)
WORKING_SECONDS = 3.0
"""For which everything works before a process is killed, and after another has taken its place."""
END_SECONDS = 90.0
"""After the last kill: a lease, and what is read meanwhile, on a machine that other tests keep busy."""

pytestmark = pytest.mark.time_bound(time_bound(FEW) + 120)


class Nodes:
    """Two servers on one log."""

    def __init__(self, stack: ExitStack, folder: Path, environment: dict[str, str]) -> None:
        self._stack = stack
        self._folder = folder
        self._environment = environment
        self._servers: list[LiveServer] = []

    def urls(self) -> list[str]:
        return [each.url for each in self._servers]

    async def start(self) -> None:
        self._servers = [await self._started() for _ in range(2)]

    async def kill(self, at: int) -> None:
        """By -9; another takes its place a little later, at another port."""
        killed = self._servers[at].process
        assert killed is not None
        killed.send_signal(signal.SIGKILL)
        await in_thread(killed.wait)
        self._servers[at] = await self._started()

    async def _started(self) -> LiveServer:
        starting = one(self._folder, self._environment)
        return await in_thread(lambda: self._stack.enter_context(starting))


@contextmanager
def one(folder: Path, environment: dict[str, str]) -> Iterator[LiveServer]:
    """That may have been killed, or ends itself in order."""
    with process(TOOLS, cwd=folder, env=environment, status=0) as server:
        yield server
        assert server.process is not None
        if server.process.poll() == -signal.SIGKILL:
            server.process.returncode = 0  # as it was meant


async def begun(client: httpx.AsyncClient, url: str, chance: random.Random) -> tuple[str, int]:
    """A run, and how far it counts."""
    seconds = chance.choice((0.1, 0.25, 0.5))
    times = int(chance.uniform(*RUN_SECONDS) / seconds)
    answer = await client.post(url + RUNS, json={"tool": "tick", "params": {"times": times, "seconds": seconds}})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"]), times


def check(reader: RestlessReader, times: int) -> None:
    """Each event once, and in order; nothing is missing."""
    assert reader.outcome in ("complete", "interrupted"), reader
    assert reader.seen == list(range(1, len(reader.seen) + 1)), reader
    assert reader.progress == list(range(len(reader.progress))), reader
    assert len(reader.seen) == len(reader.progress) + 2, reader
    if reader.outcome == "complete":
        assert len(reader.progress) == times, reader


async def test_each_event_is_seen_once_whichever_process_is_killed(tmp_path: Path) -> None:
    environment = {"MCP_APP_EVENT_LOG": f"sqlite://{tmp_path / 'log.db'}", "MCP_APP_SECRET": "s" * 32}
    chance = random.Random(14)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
    with ExitStack() as stack:
        nodes = Nodes(stack, tmp_path, environment)
        await nodes.start()
        async with httpx.AsyncClient(timeout=30, limits=limits) as client:
            runs = dict([await begun(client, nodes.urls()[at % 2], chance) for at in range(count(FEW))])
            readers = [RestlessReader(run, nodes.urls, random.Random(seed)) for seed, run in enumerate([*runs] * 2)]
            reading = [asyncio.create_task(each.read(client)) for each in readers]
            for at in range(2):
                await asyncio.sleep(WORKING_SECONDS)
                await nodes.kill(at)
                runs_of_new = dict([await begun(client, nodes.urls()[at], chance)])
                more = [RestlessReader(run, nodes.urls, random.Random(run)) for run in runs_of_new]
                runs |= runs_of_new
                readers += more
                reading += [asyncio.create_task(each.read(client)) for each in more]
            begin = time.monotonic()
            _, late = await asyncio.wait(reading, timeout=END_SECONDS)
            for each in late:
                each.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
            assert not late, [each for each in readers if not each.outcome][:3]
            for each in reading:
                each.result()
        for reader in readers:
            check(reader, runs[reader.run])
        ends = {(each.run, each.outcome) for each in readers}
        assert len(ends) == len(runs), "all readers of a run saw the same end"
        outcomes = Counter(outcome for _, outcome in ends)
        assert outcomes["interrupted"], outcomes
        assert outcomes["complete"], outcomes
        refused = sum((Counter(each.refused) for each in readers), Counter())
        print(
            f"{len(runs)} runs, {len(readers)} readers that came {sum(each.came for each in readers)} times and saw "
            f"{sum(len(each.seen) for each in readers)} events; ends: {dict(outcomes)}; not answered: {dict(refused)}; "
            f"the last {time.monotonic() - begin:.1f} s after the last kill"
        )
