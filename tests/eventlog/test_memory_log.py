"""The event log in memory: the contract of every log, and what is this one's own."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from contract import PLENTY, Contract, events
from loop_clock import ClockLoop, on_loop_clock

from mcp_app.eventlog.memory import MemoryLog
from mcp_app.protocol.revision import Keep


class TestMemoryLog(Contract):
    @pytest.fixture
    async def log(self) -> MemoryLog:
        return MemoryLog()


async def test_appending_and_reading_what_is_there_never_suspend() -> None:
    log = MemoryLog()
    for coroutine in (log.open("a", PLENTY), log.append("a", events(3)), log.read("a", 0, 0)):
        with pytest.raises(StopIteration):
            coroutine.send(None)


async def test_what_is_forgotten_is_freed() -> None:
    log = MemoryLog()
    await log.open("a", PLENTY)
    await log.append("a", events(1))
    freed = weakref.ref(log._runs["a"].entries)
    assert len(log) == 1
    log.forget("a")
    gc.collect()
    assert (len(log), freed()) == (0, None)


async def test_what_is_trimmed_is_not_counted() -> None:
    log = MemoryLog()
    await log.open("a", Keep(entries=3, bytes=10**6))
    await log.append("a", events(100, size=100))
    assert len(log._runs["a"].entries) == 3
    assert log._runs["a"].kept_bytes == 3 * 102


@on_loop_clock
async def test_a_reader_leaves_nothing_behind_however_it_ends() -> None:
    log = MemoryLog()
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ClockLoop)
    await log.open("a", PLENTY)
    assert await log.read("a", 0, loop.time() + 600) == []
    waiting = asyncio.create_task(log.read("a", 0, loop.time() + 600))
    await asyncio.sleep(1)
    assert len(loop.timers) == 1
    waiting.cancel()
    await asyncio.sleep(0)
    waiting = asyncio.create_task(log.read("a", 0, loop.time() + 600))
    await asyncio.sleep(1)
    await log.append("a", events(1))
    assert len(await waiting) == 1
    assert log._runs["a"].waiting == set()
    assert loop.timers == []
