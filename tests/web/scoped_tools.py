"""Tools in a process that call one that needs a scope. Not a test."""

from __future__ import annotations

from mcp_app import Context, tool


@tool(scopes=["mail.send"])
async def sealed() -> str:
    """Needs what few callers have."""
    return "sent"


@tool(placement="process")
async def lends_there(ctx: Context) -> str:
    """The author's own code calls it."""
    return str(await ctx.call(sealed))


@tool(placement="process")
async def names_there(ctx: Context, name: str) -> str:
    """Calls what its caller names."""
    return str(await ctx.call(name))


@tool(placement="process")
async def tool_as_json_there(ctx: Context) -> str:
    """Does not know what it calls, though it has the tool."""
    return str(await ctx.call_json(sealed, {}))
