"""The log on a real Redis: the contract of every shared log, and what is this one's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

pytest.importorskip("redis", reason="needs the extra redis: pip install 'mcp-app[redis]'")

from redis_scenes import SECRET, let_pass
from redis_servers import Server, server
from shared_contract import Another, Passing, SharedContract

from mcp_app.eventlog.redis import RedisLog
from mcp_app.eventlog.shared import LEASE_SECONDS

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
