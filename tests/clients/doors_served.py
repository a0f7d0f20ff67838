"""Work that takes longer than a stream may last, for test_doors.py. Served by `mcp-app serve`.

Each call has a key, so that a test sees whether its work was begun once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Annotated

from pydantic import BaseModel, Field

from mcp_app import Context, tool

STEPS = 30
"""Parts that each work sends: enough that some are on their way whenever a connection is cut."""

_begun: Counter[str] = Counter()
_step: Counter[str] = Counter()


class Worked(BaseModel):
    seconds: float
    begun: int


Key = Annotated[str, Field(min_length=1)]
Seconds = Annotated[float, Field(gt=0, le=600)]


async def _work(key: str, seconds: float, ctx: Context) -> Worked:
    _begun[key] += 1
    for step in range(1, STEPS + 1):
        await asyncio.sleep(seconds / STEPS)
        _step[key] = step
        await ctx.partial({"step": step}, progress=step, total=STEPS)
    return Worked(seconds=seconds, begun=_begun[key])


@tool
async def work(key: Key, seconds: Seconds, ctx: Context) -> Worked:
    """Work, and send each part. Nothing is said of tasks."""
    return await _work(key, seconds, ctx)


@tool(task="may")
async def work_as_task(key: Key, seconds: Seconds, ctx: Context) -> Worked:
    """The same, and a call may be a task from its start."""
    return await _work(key, seconds, ctx)


@tool(read_only=True)
def step_of(key: Key) -> int:
    """The part that the work of this key has come to, 0 before its first."""
    return _step[key]


@tool
async def silent(seconds: Seconds) -> str:
    """Work without a word."""
    await asyncio.sleep(seconds)
    return "done in silence"
