"""A primary that Sentinels replace: the log goes on with the new one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("redis", reason="needs the extra redis")

from contract import PLENTY, SECONDS, events, numbers
from redis_scenes import again, begun, opened
from redis_servers import Server, watched
from shared_contract import loop_time, read, record, renew, within

from mcp_app.protocol.errors import Gap, LogUnavailable, UnknownRun

pytestmark = [pytest.mark.needs("redis-server"), pytest.mark.time_bound(120)]

Watched = tuple[list[Server], list[Server]]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path, "log") as both:
        yield both


def url(sentinels: list[Server], service: str = "log") -> str:
    return f"redis+sentinel://{','.join(f'127.0.0.1:{each.port}' for each in sentinels)}/{service}"


@pytest.mark.parametrize("how", ["killed", "asked"])
async def test_a_failover_is_followed(running: Watched, how: str) -> None:
    data, sentinels = running
    async with opened(url(sentinels)) as log, opened(url(sentinels[::-1])) as other:
        run, node = await begun(log, 0)
        appended, under_way = 0, asyncio.Event()

        async def owner() -> None:
            """Appends 200 events, and what a failover has lost of them, as a node does."""
            nonlocal appended
            while appended < 200:
                try:
                    await log.append(run, node, appended + 1, events(1, first=appended))
                    appended += 1
                except LogUnavailable:
                    await asyncio.sleep(0.05)
                except UnknownRun:
                    await log.create(record(node, run), PLENTY)
                    appended = 0
                except Gap as gap:
                    appended = gap.last
                if appended == 30:
                    under_way.set()
                await asyncio.sleep(0.01)

        async def reader() -> list[int]:
            seen: list[int] = []
            while not seen or seen[-1] < 200:
                try:
                    seen += numbers(await other.read(run, seen[-1] if seen else 0, loop_time() + SECONDS))
                except LogUnavailable:
                    await asyncio.sleep(0.05)
            return seen

        async with asyncio.timeout(90):
            working, following = asyncio.create_task(owner()), asyncio.create_task(reader())
            await under_way.wait()
            if how == "killed":
                data[0].kill()
            else:
                with sentinels[0].client() as client:
                    client.execute_command("SENTINEL", "FAILOVER", "log")
            await working
            assert await following == list(range(1, 201))
        await again(log)
        assert [entry.event for entry in await read(log, run)] == events(200)
        await renew(log, node)
        with data[1].client() as client:
            assert client.info("replication")["role"] == "master"


async def test_a_sentinel_that_is_away_is_passed_over(running: Watched) -> None:
    _, sentinels = running
    sentinels[0].kill()
    async with opened(url(sentinels)) as log:
        node = await within(log.join())
        await renew(log, node)
        assert await log.nodes() == {node}
