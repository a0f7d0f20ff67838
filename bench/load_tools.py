"""The tools that the endurance runs call, and a server process for them. Only public names of mcp_app in the tools."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from mcp_app import Context, Result, tool

FINISHED: dict[str, int] = {"flood": 0, "idle": 0}
"""How often the `finally` of a tool has run: shown by the tool `finished`."""


@tool(read_only=True)
async def flood(items: int, size: int) -> AsyncIterator[str | Result[int]]:
    """Send `items` strings of `size` characters as fast as they are taken, never waiting for anything else."""
    text = "x" * size
    sent = 0
    try:
        for _ in range(items):
            yield text
            sent += 1
        yield Result(sent)
    finally:
        FINISHED["flood"] += 1


@tool(read_only=True)
def flood_in_thread(items: int, size: int) -> Iterator[str]:
    """The same from a plain generator, in a thread."""
    text = "x" * size
    for _ in range(items):
        yield text


@tool(read_only=True)
async def idle(seconds: float, ctx: Context) -> None:
    """Say one word, then nothing."""
    try:
        await ctx.progress(0, 1, "idle")
        await asyncio.sleep(seconds)
    finally:
        FINISHED["idle"] += 1


@tool(read_only=True)
async def echo(text: str) -> str:
    """Give back what was sent."""
    return text


@tool(read_only=True)
async def broken() -> None:
    """Raise what no caller may see."""
    raise KeyError("a secret")


@tool(read_only=True)
async def defiant(seconds: float) -> None:
    """Refuse to be cancelled, for a while."""
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            continue


@tool(read_only=True)
async def census() -> dict[str, int]:
    """What is alive in the server's process."""
    return {"tasks": len(asyncio.all_tasks()), **FINISHED}
