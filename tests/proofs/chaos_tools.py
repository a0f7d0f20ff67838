"""The tool of servers that are killed. Not a test."""

import asyncio

from mcp_app import Context, tool


@tool
async def tick(ctx: Context, times: int, seconds: float) -> int:
    """Count, with so many seconds between two numbers."""
    for number in range(times):
        await ctx.progress(number)
        await asyncio.sleep(seconds)
    return times
