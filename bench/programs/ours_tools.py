"""What the bench calls on our own server, `mcp-app serve ours_tools.py`: written with public names only.

Every program of this folder offers the same three tools; what they do is said in docs/performance.md.
"""

from __future__ import annotations

import asyncio

from mcp_app import Context, tool


@tool(read_only=True)
async def echo(text: str) -> str:
    """Give back what was sent."""
    return text


@tool(read_only=True)
async def events(count: int, ctx: Context) -> str:
    """Report so many steps, never waiting for anything else."""
    for number in range(1, count + 1):
        await ctx.progress(number, count, f"step {number}")
    return "done"


@tool(read_only=True)
async def idle(seconds: float, ctx: Context) -> str:
    """Say one word, then nothing."""
    await ctx.progress(1, 2, "step 1")
    await asyncio.sleep(seconds)
    return "done"
