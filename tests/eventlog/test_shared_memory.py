"""The shared log in memory: the contract of every shared log, and what is this one's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from contract import PLENTY, SECONDS, SOON
from shared_contract import Another, Passing, SharedContract, loop_time, record, within

from mcp_app.eventlog.shared import LEASE_SECONDS
from mcp_app.eventlog.shared_memory import MemorySharedLog, SharedMemory
from mcp_app.protocol.errors import LogUnavailable


class ShownClock:
    """A clock that moves when it is told."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


class TestMemorySharedLog(SharedContract):
    lease = LEASE_SECONDS

    @pytest.fixture
    def clock(self) -> ShownClock:
        return ShownClock()

    @pytest.fixture
    def passing(self, clock: ShownClock) -> Passing:
        async def passing(seconds: float) -> None:
            clock.time += seconds

        return passing

    @pytest.fixture
    async def another(self, clock: ShownClock) -> AsyncIterator[Another]:
        shared, opened = SharedMemory(clock), list[MemorySharedLog]()

        async def another() -> MemorySharedLog:
            log = MemorySharedLog(shared)
            await log.open()
            opened.append(log)
            return log

        yield another
        for log in opened:
            await log.close()


async def test_one_node_is_cut_off_and_comes_back() -> None:
    shared = SharedMemory()
    cut, other = MemorySharedLog(shared), MemorySharedLog(shared)
    node = await cut.join()
    run = record(node)
    await cut.create(run, PLENTY)
    waiting = [
        asyncio.create_task(cut.read(run.id, 0, loop_time() + SECONDS)),
        asyncio.create_task(cut.receive(node, loop_time() + SECONDS)),
    ]
    await asyncio.sleep(SOON)
    cut.reachable = False
    for each in waiting:
        with pytest.raises(LogUnavailable):
            await within(each)
    with pytest.raises(LogUnavailable):
        cut.renew(node)
    assert await other.record(run.id) == run
    cut.reachable = True
    cut.renew(node)
