"""Tools of a live server on a shared log. Not a test."""

import asyncio
import os
import time

from mcp_app import Context, tool


@tool(read_only=True)
async def tick(ctx: Context, times: int = 1000, seconds: float = 0.05) -> int:
    """Count, with so many seconds between two numbers."""
    for number in range(times):
        await ctx.progress(number)
        await asyncio.sleep(seconds)
    return times


@tool(read_only=True)
async def hold(ctx: Context, seconds: float = 20.0) -> str:
    """Hold the event loop for so long, as a function that computes does."""
    await ctx.progress(1)
    await asyncio.sleep(2)  # the answer to its start is on its way, and its log is written
    time.sleep(seconds)  # noqa: ASYNC251 - that is what it is for
    return "held"


@tool(read_only=True, interrupted="restart")
async def again(ctx: Context, steps: int = 3) -> dict[str, str]:
    """Say so many numbers, one each tenth of a second; it begins again where another process works on it."""
    name = await ctx.once("name", lambda: os.urandom(8).hex())
    await ctx.log("info", name)
    for step in range(steps):
        await ctx.progress(step + 1, steps)
        await asyncio.sleep(0.1)
    return {"name": name}
