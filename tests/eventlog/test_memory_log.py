"""The event log in memory: the contract of every log, and what is this one's own."""

from __future__ import annotations

import asyncio
import gc

import pytest
from contract import PLENTY, Contract, events
from loop_clock import ClockLoop, on_loop_clock

from mcp_app.eventlog import memory
from mcp_app.eventlog.memory import EXPIRED_PER_CLAIM, MemoryLog
from mcp_app.protocol.errors import Overloaded
from mcp_app.protocol.event import Entry, Event
from mcp_app.protocol.policy import Retention


class TestMemoryLog(Contract):
    @pytest.fixture
    async def log(self) -> MemoryLog:
        return MemoryLog()


async def test_appending_and_reading_what_is_there_never_suspend() -> None:
    log = MemoryLog()
    claim = log.claim("a", now=0.0, until=1.0)
    for coroutine in (log.open("a", PLENTY), log.append("a", events(3)), log.read("a", 0, 0), claim):
        with pytest.raises(StopIteration):
            coroutine.send(None)


async def test_what_is_forgotten_is_freed() -> None:
    log = MemoryLog()
    await log.open("a", PLENTY)
    (event,) = events(1)
    await log.append("a", [event])
    assert (len(log), held(event)) == (1, 1)
    log.forget("a")
    assert (len(log), held(event)) == (0, 0)


def held(event: Event) -> int:
    """Entries of that event that are still there."""
    gc.collect()
    return sum(isinstance(each, Entry) and each.event is event for each in gc.get_objects())


async def test_what_is_trimmed_is_not_counted() -> None:
    log = MemoryLog()
    await log.open("a", Retention(entries=3, bytes=10**6))
    await log.append("a", events(100, size=100))
    assert len(log._runs["a"].entries) == 3
    assert log._runs["a"].end - log._runs["a"].start == 3 * 102
    await log.append("a", events(2, size=10**6))
    assert len(log._runs["a"].entries) == 1
    assert log._runs["a"].end - log._runs["a"].start == 10**6 + 2


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
    assert log._runs["a"].waiters == set()
    assert loop.timers == []


async def test_claims_whose_time_is_over_take_no_memory_for_long() -> None:
    log = MemoryLog()
    for number in range(10 * EXPIRED_PER_CLAIM):
        assert await log.claim(f"old {number}", now=0.0, until=10.0)
    for number in range(20):
        assert await log.claim(f"new {number}", now=10.0, until=20.0)
    assert (len(log._claims), len(log._by_expiry)) == (20, 20)


async def test_a_name_claimed_again_and_again_takes_no_more_memory() -> None:
    log = MemoryLog()
    for second in range(100):
        assert await log.claim("a", now=float(second), until=second + 1.0)
    assert (len(log._claims), len(log._by_expiry)) == (1, 1)


async def test_more_claims_than_are_held_are_refused_and_none_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_CLAIMS", 3)
    log = MemoryLog()
    for number in range(3):
        assert await log.claim(f"{number}", now=0.0, until=10.0 + number)
    with pytest.raises(Overloaded) as caught:
        await log.claim("one more", now=7.5, until=60.0)
    assert caught.value.headers["Retry-After"] == "3"
    assert not await log.claim("0", now=7.5, until=60.0)
    assert await log.claim("one more", now=10.0, until=60.0)
