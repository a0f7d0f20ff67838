"""A lease and the thread that renews it; the keys of runs over nodes; waits that end when a process is stopped."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from loop_clock import on_loop_clock
from nodes_stage import now

from mcp_app.eventlog.records import RunRecord
from mcp_app.eventlog.shared import LEASE_SECONDS, RENEW_SECONDS, RETRY_SECONDS
from mcp_app.eventlog.shared_memory import MemorySharedLog, SharedMemory
from mcp_app.nodes import lease as leases
from mcp_app.nodes.drained_waits import DrainedWaits
from mcp_app.nodes.lease import Lease, keep_by_thread
from mcp_app.nodes.run_keys import SharedRunKeys
from mcp_app.protocol.errors import Fenced, LogUnavailable, RunConflict
from mcp_app.protocol.policy import Retention
from mcp_app.runs import KeyTaken
from mcp_app.runs.write_through import LogCounts

# --- leases ----------------------------------------------------------------------------------------------------------


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_a_lease_is_renewed_and_lost_after_fifteen_seconds_without_the_log() -> None:
    clock = Time()
    shared = SharedMemory(clock)
    log, counts = MemorySharedLog(shared), LogCounts()
    lease = Lease(log, await log.join(), counts, clock)
    for _ in range(10):
        clock.now += RENEW_SECONDS
        assert lease.renew() == RENEW_SECONDS
    log.reachable = False
    clock.now += LEASE_SECONDS - 1
    assert lease.renew() == RETRY_SECONDS
    clock.now += 1
    assert lease.renew() is None
    assert counts.failures == 2


async def test_a_lease_is_lost_when_the_log_says_so() -> None:
    clock = Time()
    log = MemorySharedLog(SharedMemory(clock))
    lease = Lease(log, await log.join(), LogCounts(), clock)
    clock.now += LEASE_SECONDS
    assert lease.renew() is None


async def test_the_thread_renews_while_a_tool_holds_the_loop_and_tells_of_the_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.02)
    shared = SharedMemory(time.monotonic, 1e9)
    log = MemorySharedLog(shared)
    node = await log.join()
    renewed, lost, before = threading.Event(), threading.Event(), shared.leases[node]

    class Watched(MemorySharedLog):
        def renew(self, node: str) -> None:
            super().renew(node)
            renewed.set()

    stop = keep_by_thread(Lease(Watched(shared), node, LogCounts(), time.monotonic), lost.set)
    assert renewed.wait(10), "the loop stands still here"
    assert shared.leases[node] >= before
    assert not lost.is_set()
    await log.leave(node)
    assert lost.wait(10)
    stop()


# --- keys ------------------------------------------------------------------------------------------------------------


class Keys:
    """The keys of two nodes."""

    def __init__(self) -> None:
        self.log = MemorySharedLog(SharedMemory(now))
        self.keys = SharedRunKeys(self.log, now)

    async def claim(self, run: str, owner: str, digest: bytes = b"d") -> None:
        await self.keys.claim("ann", "key", run, digest, owner, now() + 1000)

    async def publish(self, run: str, owner: str) -> None:
        record = RunRecord(run, owner, "echo", "ann", "plain, EventSource GET", 0.0, 0.0, 60.0, "key", b"d")
        await self.log.create(record, Retention(10, 1000))


@on_loop_clock
async def test_a_key_that_is_taken_is_waited_for_until_its_run_is_there() -> None:
    scene = Keys()
    node = await scene.log.join()
    await scene.claim("1" * 32, node)
    with pytest.raises(KeyTaken):
        await scene.claim("2" * 32, node)
    finding = asyncio.create_task(scene.keys.find("ann", "key", b"d"))
    await asyncio.sleep(2)
    assert not finding.done()
    await scene.publish("1" * 32, node)
    found = await finding
    assert found is not None
    assert found.id == "1" * 32
    with pytest.raises(RunConflict):
        await scene.keys.find("ann", "key", b"another call")
    assert await scene.keys.find("bob", "key", b"d") is None


@on_loop_clock
async def test_a_key_of_a_node_that_died_before_its_run_was_there_is_free() -> None:
    scene = Keys()
    dead, node = await scene.log.join(), await scene.log.join()
    await scene.claim("1" * 32, dead)
    await scene.log.leave(dead)
    assert await scene.keys.find("ann", "key", b"d") is None
    await scene.claim("2" * 32, node)
    with pytest.raises(KeyTaken):
        await scene.claim("3" * 32, node)


@on_loop_clock
async def test_a_run_that_never_comes_is_503_and_frees_its_key_after_a_lease() -> None:
    scene = Keys()
    node = await scene.log.join()
    await scene.claim("1" * 32, node)
    with pytest.raises(LogUnavailable, match="being started"):
        await scene.keys.find("ann", "key", b"d")
    scene.log.renew(node)
    await asyncio.sleep(LEASE_SECONDS - 1)
    scene.log.renew(node)
    assert await scene.keys.find("ann", "key", b"d") is None
    await scene.claim("2" * 32, node)


@on_loop_clock
async def test_of_many_claims_at_once_one_is_made() -> None:
    scene = Keys()
    node = await scene.log.join()
    claims = [scene.claim(f"{number:032x}", node) for number in range(20)]
    done = await asyncio.gather(*claims, return_exceptions=True)
    assert sum(each is None for each in done) == 1
    assert all(each is None or isinstance(each, KeyTaken) for each in done)


# --- waits -----------------------------------------------------------------------------------------------------------


async def _wait(waits: DrainedWaits) -> None:
    with waits.noticed():
        await asyncio.sleep(1000)


@on_loop_clock
async def test_a_wait_ends_when_the_process_is_stopped_and_none_begins() -> None:
    waits = DrainedWaits()
    waiting = asyncio.create_task(_wait(waits))
    await asyncio.sleep(1)
    waits.begin()
    with pytest.raises(Fenced):
        await waiting
    assert waiting.cancelling() == 0
    with pytest.raises(Fenced):
        await _wait(waits)


@on_loop_clock
async def test_a_cancellation_of_somebody_elses_goes_through() -> None:
    waits = DrainedWaits()
    before, both = (asyncio.create_task(_wait(waits)) for _ in range(2))
    await asyncio.sleep(1)
    before.cancel()
    await asyncio.wait({before})
    assert before.cancelled()
    both.cancel()
    waits.begin()
    await asyncio.wait({both})
    assert both.cancelled()
