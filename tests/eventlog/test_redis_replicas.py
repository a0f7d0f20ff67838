"""MCP_APP_LOG_REPLICAS=1: nothing is shown that is not at a replica."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("redis", reason="needs the extra redis")

from contract import PLENTY, SECONDS, SOON, events, numbers
from redis_scenes import begun, opened
from redis_servers import Server, in_step, replicated
from shared_contract import loop_time, read, record, within

from mcp_app.eventlog.records import Ending
from mcp_app.protocol.errors import LogUnavailable

pytestmark = pytest.mark.needs("redis-server")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[list[Server]]:
    with replicated(tmp_path) as servers:
        yield servers


async def test_what_is_read_is_at_a_replica(pair: list[Server]) -> None:
    in_step(pair)
    async with opened(pair[0].url, replicas=1) as log, opened(pair[0].url, replicas=1) as other:
        node = await log.join()
        runs = [record(node) for _ in range(20)]
        await within(asyncio.gather(*(log.create(run, PLENTY) for run in runs)))
        reading = [asyncio.create_task(other.read(run.id, 0, loop_time() + SECONDS)) for run in runs]
        await within(asyncio.gather(*(log.append(run.id, node, 1, events(2)) for run in runs)))
        assert [numbers(await within(each)) for each in reading] == [[1, 2]] * 20
        with pair[1].client() as replica:
            assert [replica.xlen(f"mcp_app:run:{{{run.id}}}:entries") for run in runs] == [2] * 20


async def test_what_no_replica_has_is_shown_to_nobody(pair: list[Server]) -> None:
    in_step(pair)
    async with opened(pair[0].url, replicas=1) as log, opened(pair[0].url, replicas=1) as other:
        run, node = await begun(log)
        reading = asyncio.create_task(other.read(run, 3, loop_time() + SECONDS))
        await asyncio.sleep(SOON)
        pair[1].stop()
        ending = Ending("complete", await log.now() + 100)
        with pytest.raises(LogUnavailable):
            await within(log.append(run, node, 4, events(1, first=3), ending))
        with pytest.raises(LogUnavailable):
            await within(log.put("key/a", b"x", await log.now() + 100))
        assert not reading.done()
        assert await read(other, run, 3) == []
        assert (await other.record(run)).code is None
        pair[1].go_on()
        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    await log.append(run, node, 4, events(1, first=3), ending)
                    break
                except LogUnavailable:
                    await asyncio.sleep(0.05)
        assert numbers(await within(reading)) == [4]
        assert (await other.record(run)).code == "complete"


async def test_with_too_few_replicas_nothing_is_said_to_be_done(pair: list[Server]) -> None:
    async with opened(pair[0].url, replicas=2) as log:
        with pytest.raises(LogUnavailable):
            await within(log.join())
