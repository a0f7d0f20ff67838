"""The same tools on fastmcp, for any ASGI server."""

from __future__ import annotations

import asyncio

from fastmcp import Context, FastMCP

server = FastMCP("bench")


@server.tool
async def echo(text: str) -> str:
    """Give back what was sent."""
    return text


@server.tool
async def events(count: int, ctx: Context) -> str:
    """Report so many steps, never waiting for anything else."""
    for number in range(1, count + 1):
        await ctx.report_progress(number, count, f"step {number}")
    return "done"


@server.tool
async def idle(seconds: float, ctx: Context) -> str:
    """Say one word, then nothing."""
    await ctx.report_progress(1, 2, "step 1")
    await asyncio.sleep(seconds)
    return "done"


app = server.http_app(path="/mcp", stateless_http=True)
