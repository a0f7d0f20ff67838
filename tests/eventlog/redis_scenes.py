"""What tests of the log on Redis do again and again. Not a test; no test's expectations belong here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import redis
from contract import PLENTY, SECONDS, events
from shared_contract import record

from mcp_app.eventlog.redis import RedisLog
from mcp_app.eventlog.shared import SharedLog
from mcp_app.protocol.errors import LogUnavailable

SECRET = "a-secret-that-is-long-enough"


@contextlib.asynccontextmanager
async def opened(url: str, replicas: int = 0) -> AsyncIterator[RedisLog]:
    log = RedisLog(url, [SECRET], replicas)
    try:
        await log.open()
        yield log
    finally:
        await log.close()


async def again(log: SharedLog) -> None:
    """Until it answers, as whoever uses it tries."""
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                await log.now()
                return
            except LogUnavailable:
                await asyncio.sleep(0.05)


async def until_true(holds: Callable[[], Awaitable[bool]]) -> None:
    """Asked often; an error when it does not come."""
    async with asyncio.timeout(SECONDS):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.05)


async def begun(log: SharedLog, count: int = 3) -> tuple[str, str]:
    """A run with so many entries, and its owner."""
    node = await log.join()
    run = record(node)
    await log.create(run, PLENTY)
    if count:
        await log.append(run.id, node, 1, events(count))
    return run.id, node


def let_pass(client: redis.Redis, seconds: float) -> None:
    """All times of the log are expiries of keys, and those in the list of ended runs: each is so much sooner, as if
    that time had passed."""
    for listed in client.keys("*{ended}:until") + client.keys("*{ended}:read"):
        for run, until in client.zrange(listed, 0, -1, withscores=True):
            client.zadd(listed, {run: until - seconds * 1000})
    for key in client.scan_iter(count=1000):
        left = client.pttl(key)
        if left >= 0:
            client.pexpire(key, max(0, left - int(seconds * 1000)))
