"""The tools of ours_tools.py that are counted, with one thing that all calls share: what a `Shared` costs a call."""

from __future__ import annotations

from typing import Annotated

from mcp_app import Context, Shared, tool


async def make_words() -> dict[str, str]:
    """What is shared: made once, when the server starts."""
    return {"end": "done"}


Words = Annotated[dict[str, str], Shared(make_words)]


@tool(read_only=True)
async def echo(text: str, words: Words) -> str:
    """Give back what was sent."""
    return text if words else ""


@tool(read_only=True)
async def events(count: int, ctx: Context, words: Words) -> str:
    """Report so many steps, never waiting for anything else."""
    for number in range(1, count + 1):
        await ctx.progress(number, count, f"step {number}")
    return words["end"]
