"""The log on a real Redis: the contract of every shared log, and what is this one's own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator

import pytest

pytest.importorskip("redis", reason="needs the extra redis")

from contract import PLENTY, SECONDS, SOON, events, numbers
from redis_scenes import SECRET, begun, let_pass, opened, until_true
from redis_servers import Server, server
from shared_contract import Another, Passing, SharedContract, loop_time, record, renew, within

from mcp_app.eventlog.quota import Quota
from mcp_app.eventlog.records import Ending
from mcp_app.eventlog.redis import RedisLog
from mcp_app.eventlog.shared import LEASE_SECONDS
from mcp_app.protocol.errors import UnknownRun
from mcp_app.protocol.policy import Retention

pytestmark = pytest.mark.needs("redis-server")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("redis") / "one") as one:
        yield one


@pytest.fixture
def fresh(running: Server) -> Server:
    """The same server, empty."""
    with running.client() as client:
        client.flushall()
    return running


class OnRedis(SharedContract):
    lease = LEASE_SECONDS
    options = ""

    @pytest.fixture
    async def another(self, fresh: Server) -> AsyncIterator[Another]:
        opened: list[RedisLog] = []

        async def another() -> RedisLog:
            log = RedisLog(f"{fresh.url}{self.options}", [SECRET])
            opened.append(log)
            await log.open()
            return log

        yield another
        for log in opened:
            await log.close()

    @pytest.fixture
    def passing(self, fresh: Server) -> Passing:
        async def passing(seconds: float) -> None:
            with fresh.client() as client:
                let_pass(client, seconds)

        return passing


class TestRedisLog(OnRedis):
    pass


class TestEncryptedRedisLog(OnRedis):
    options = "?encrypt=1&prefix=other:"


async def test_an_end_that_is_over_at_once_leaves_no_key(fresh: Server) -> None:
    async with opened(fresh.url) as log:
        run, node = await begun(log)
        await log.append(run, node, 4, events(1, first=3), Ending("complete", 0.0))
        with pytest.raises(UnknownRun):
            await log.record(run)
        await log.sweep(Quota(1, 1, 1, 1))
        await log.leave(node)
        await log.take_over(await log.join(), 1)
        with fresh.client() as client:
            left = sorted(re.sub(rb"{[0-9a-f]{32}}", b"{ID}", key) for key in client.scan_iter())
        assert left == [b"mcp_app:node:{ID}:lease", b"mcp_app:nodes", b"mcp_app:{ended}:total"]


async def test_a_run_is_bounded_in_length_and_in_age(fresh: Server) -> None:
    """Nothing stays that no node ends."""
    async with opened(fresh.url) as log:
        node = await log.join()
        run = record(node)
        await log.create(run, Retention(entries=50, bytes=10_000))
        for at in range(60):
            await log.append(run.id, node, 10 * at + 1, events(10, first=10 * at, size=20))
        with fresh.client() as client:
            assert client.xlen(f"mcp_app:run:{{{run.id}}}:entries") <= 50 + 32 + 100
            day = 24 * 3600 * 1000
            for key in client.scan_iter("mcp_app:run:*"):
                assert 0 < client.pttl(key) <= day
            assert 0 < client.pttl(f"mcp_app:node:{{{node}}}:lease") <= LEASE_SECONDS * 1000


async def test_what_a_process_costs_in_connections(fresh: Server) -> None:
    """One for commands, one for wake-ups, one for the lease, however many runs and readers there are."""
    async with opened(fresh.url) as log:
        node = await log.join()
        runs = [record(node) for _ in range(50)]
        await within(asyncio.gather(*(log.create(run, PLENTY) for run in runs)))
        reading = [asyncio.create_task(log.read(run.id, 0, loop_time() + SECONDS)) for run in runs]
        await asyncio.sleep(SOON)
        await within(asyncio.gather(*(log.append(run.id, node, 1, events(1)) for run in runs)))
        assert [numbers(await within(each)) for each in reading] == [[1]] * 50
        await renew(log, node)
        with fresh.client() as client:
            assert len(client.client_list(_type="normal")) - 1 == 2
            assert len(client.client_list(_type="pubsub")) == 1


async def test_an_event_is_one_command_of_its_owner_and_one_of_each_node_that_reads(fresh: Server) -> None:
    async with opened(fresh.url) as log, opened(fresh.url) as other:
        run, node = await begun(log, 1)
        assert numbers(await within(other.read(run, 0, loop_time() + SECONDS))) == [1]
        waiting = asyncio.create_task(other.read(run, 1, loop_time() + SECONDS))
        with fresh.client() as client:

            async def is_heard() -> bool:
                return bool(client.execute_command("PUBSUB", "SHARDCHANNELS", "*run*"))

            await until_true(is_heard)
            await log.append(run, node, 2, events(1))  # by which the reader knows what the last number is
            assert numbers(await within(waiting)) == [2]
            waiting = asyncio.create_task(other.read(run, 2, loop_time() + SECONDS))
            client.config_resetstat()
            for at in range(3, 103):
                await log.append(run, node, at, events(1))
                assert numbers(await within(waiting)) == [at]
                waiting = asyncio.create_task(other.read(run, at, loop_time() + SECONDS))
            told = client.info("commandstats")
        waiting.cancel()
        assert told["cmdstat_evalsha"]["calls"] == 200
        assert "cmdstat_ssubscribe" not in told
