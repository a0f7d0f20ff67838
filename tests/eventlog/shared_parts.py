"""What the contract of shared logs is made of: records to store, and reading what is there.

Nothing is asserted here, and nothing of one implementation is known.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from contract import SECONDS

from mcp_app.aio.in_thread import in_thread
from mcp_app.eventlog.records import RunRecord
from mcp_app.eventlog.shared import SharedLog
from mcp_app.protocol.event import Entry

T = TypeVar("T")
Another = Callable[[], Awaitable[SharedLog]]
Passing = Callable[[float], Awaitable[None]]


def new_id() -> str:
    return os.urandom(16).hex()


def record(owner: str, run: str = "", *, last: int = 0, end: int = 0) -> RunRecord:
    return RunRecord(
        id=run or new_id(),
        owner=owner,
        callee="echo",
        principal="somebody",
        policy="plain, POST",
        created=1_700_000_000.25,
        deadline=1_700_000_060.5,
        cap=60.0,
        key="key-1",
        digest=b"\x00\xff",
        arguments=b'{"text":"x"}',
        extra=b"{}",
        last=last,
        end=end,
    )


def loop_time() -> float:
    return asyncio.get_running_loop().time()


async def within(awaited: Awaitable[T]) -> T:
    return await asyncio.wait_for(awaited, SECONDS)


async def renew(log: SharedLog, node: str) -> None:
    """As a node does: in a thread."""
    await within(in_thread(lambda: log.renew(node)))


async def read(log: SharedLog, run: str, after: int = 0) -> list[Entry]:
    """What is there already."""
    return await within(log.read(run, after, loop_time()))


async def read_all(log: SharedLog, run: str, after: int = 0) -> list[Entry]:
    """What is there already, of a run that goes on."""
    everything: list[Entry] = []
    while batch := await read(log, run, after):
        everything += batch
        after = batch[-1].number
    return everything


async def soon(log: SharedLog) -> float:
    """A time of the log's clock that no test reaches."""
    return await log.now() + 3600
