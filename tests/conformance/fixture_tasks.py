"""The part of fixture.py that outlives its request: the extension io.modelcontextprotocol/tasks."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel

from mcp_app import Context, ToolError, tool


class Confirm(BaseModel):
    confirm: bool


class Name(BaseModel):
    name: str


@tool
def greet(name: str) -> str:
    """Greet, at once."""
    return f"Hello, {name}!"


@tool(task="may")
async def slow_compute(seconds: float, label: str = "") -> str:
    """Sleep for so many seconds."""
    await asyncio.sleep(seconds)
    return f"Computed {label} in {seconds:g} s."


@tool(task="must")
async def failing_job() -> str:
    """Fail after a second, in words for the model."""
    await asyncio.sleep(1)
    raise ToolError("The job failed.")


@tool(task="must", time_limit=0.5)
async def protocol_error_job() -> str:
    """Take longer than its limit: there is no result, so that the call's answer is a JSON-RPC error."""
    await asyncio.sleep(60)
    return "There is no such time."


@tool(task="must")
async def confirm_delete(filename: str, ctx: Context) -> str:
    """Ask before deleting, while nobody waits."""
    answer = await ctx.ask(Confirm, f"Delete {filename}?")
    return f"Deleted {filename}." if answer.confirm else f"Kept {filename}."


@tool(task="must")
async def multi_input(ctx: Context) -> str:
    """Ask two things at once, while nobody waits."""
    first, second = await asyncio.gather(ctx.ask(Name, "Who is first?"), ctx.ask(Name, "Who is second?"))
    return f"{first.name}, then {second.name}."


@tool(task="may")
async def test_tool_with_task(ctx: Context) -> str:
    """Ask first, as the answer to the call; then work for longer than anybody waits."""
    answer = await ctx.ask(Name, "What is your name?", key="user_name")
    await asyncio.sleep(1)
    return f"Hello, {answer.name}!"
