"""The log on a Cluster of three: the contract, and what follows where slots move and nodes go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("redis", reason="needs the extra redis")

from contract import PLENTY, SECONDS, SOON, events, numbers
from redis.crc import key_slot
from redis_scenes import SECRET, let_pass, until_true
from redis_servers import Server, cluster
from shared_contract import Another, Passing, SharedContract, loop_time, read, record, within

from mcp_app.eventlog.redis import RedisLog
from mcp_app.eventlog.shared import LEASE_SECONDS
from mcp_app.protocol.errors import LogUnavailable

pytestmark = pytest.mark.needs("redis-server")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    with cluster(tmp_path_factory.mktemp("cluster")) as nodes:
        yield nodes


@pytest.fixture
def fresh(nodes: list[Server]) -> list[Server]:
    """The same Cluster, empty."""
    for each in nodes:
        with each.client() as client:
            client.flushall()
    return nodes


def url(nodes: list[Server]) -> str:
    return f"redis+cluster://{','.join(f'127.0.0.1:{each.port}' for each in nodes)}"


class TestRedisClusterLog(SharedContract):
    lease = LEASE_SECONDS

    @pytest.fixture
    async def another(self, fresh: list[Server]) -> AsyncIterator[Another]:
        opened: list[RedisLog] = []

        async def another() -> RedisLog:
            log = RedisLog(url(fresh[len(opened) % 3 :]), [SECRET])
            opened.append(log)
            await log.open()
            return log

        yield another
        for log in opened:
            await log.close()

    @pytest.fixture
    def passing(self, fresh: list[Server]) -> Passing:
        async def passing(seconds: float) -> None:
            for each in fresh:
                with each.client() as client:
                    let_pass(client, seconds)

        return passing


@pytest.fixture
async def log(fresh: list[Server]) -> AsyncIterator[RedisLog]:
    log = RedisLog(url(fresh), [SECRET])
    await log.open()
    yield log
    await log.close()


def move(nodes: list[Server], slot: int, *, finish: bool = True) -> None:
    """The slot to the next node, as redis-cli does it; unfinished it is between the two."""
    at = next(at for at in range(3) if slot < 16384 * (at + 1) // 3)
    source, target = nodes[at], nodes[(at + 1) % 3]
    with source.client() as old, target.client() as new:
        ids = [client.execute_command("CLUSTER MYID").decode() for client in (old, new)]
        new.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
        old.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
        if keys := old.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100):
            old.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        if finish:
            for each in nodes:
                with each.client() as client:
                    client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[1])


@pytest.mark.parametrize("finish", [True, False], ids=["moved", "moving"])
async def test_a_slot_that_moves_is_followed(log: RedisLog, nodes: list[Server], finish: bool) -> None:
    node = await log.join()
    run = record(node)
    await log.create(run, PLENTY)
    await log.append(run.id, node, 1, events(3))
    waiting = asyncio.create_task(log.read(run.id, 3, loop_time() + SECONDS))
    await asyncio.sleep(SOON)
    slot = key_slot(f"{{{run.id}}}".encode())
    try:
        move(nodes, slot, finish=finish)
        await within(log.append(run.id, node, 4, events(2, first=3)))
        assert [entry.event for entry in await read(log, run.id)] == events(5)
        if finish:  # while it moves, its messages are heard where it was, and published where it goes
            assert numbers(await within(waiting)) == [4, 5]
    finally:
        waiting.cancel()
        restore(nodes, slot)


def restore(nodes: list[Server], slot: int) -> None:
    """The slot is where it was at first, and empty."""
    at = next(at for at in range(3) if slot < 16384 * (at + 1) // 3)
    for each in nodes:
        with each.client() as client:
            client.flushall()
    with nodes[at].client() as client:
        owner = client.execute_command("CLUSTER MYID").decode()
    for each in [nodes[at], *nodes]:
        with each.client() as client:
            client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", owner)


async def test_a_node_that_is_away_stops_its_slots_only_and_comes_back(tmp_path: Path) -> None:
    with cluster(tmp_path) as nodes:
        for each in nodes:
            with each.client() as client:
                client.config_set("cluster-require-full-coverage", "no")
        log = RedisLog(url(nodes), [SECRET])
        await log.open()
        try:
            until = await log.now() + 1000
            for at in range(30):
                await log.put(f"key/{at}", b"x", until)
            nodes[1].kill()

            async def there(at: int) -> bool:
                try:
                    return await within(log.get(f"key/{at}")) is not None
                except LogUnavailable:
                    return False

            first = [await there(at) for at in range(30)]
            assert True in first
            assert False in first
            nodes[1].start()
            for at in range(30):
                await until_true(partial(there, at))
        finally:
            await log.close()
