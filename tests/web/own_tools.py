"""Tools that say whose call it is: at once, as a task, and over two rounds. Not a test."""

from __future__ import annotations

from pydantic import BaseModel

from mcp_app import Context, tool


class Name(BaseModel):
    name: str


@tool(read_only=True)
async def who(ctx: Context) -> str:
    """Whose call it is."""
    return ctx.principal


@tool(task="must")
async def task(ctx: Context) -> str:
    """The same in a task."""
    return ctx.principal


@tool
async def greet(ctx: Context) -> str:
    """Ask for a name."""
    return f"{ctx.principal}: {(await ctx.ask(Name, 'Who?', key='who')).name}"
