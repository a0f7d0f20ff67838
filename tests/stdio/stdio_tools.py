"""Tools that tell a test what has happened to them. Not a test."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import BaseModel

from mcp_app import Context, Declined, prompt, resource, tool


class Name(BaseModel):
    name: str


class Text(BaseModel):
    text: str


class Told:
    """What `wait` tells: that it has begun, and what it was stopped by."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.stopped = asyncio.Event()
        self.reason: str | None = None

    @property
    def wait(self) -> Any:
        told = self

        @tool
        async def wait(ctx: Context) -> str:
            """Wait until the call is cancelled."""
            told.begun.set()
            try:
                await ctx.progress(1, 2, "waiting")
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                told.reason = ctx.cancel_reason
                told.stopped.set()
                raise
            return "nobody came"

        return wait


@tool(read_only=True)
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
async def principal(ctx: Context) -> str:
    """Who calls."""
    return ctx.principal


@tool
async def count(to: int, ctx: Context) -> str:
    """Count, and say each number."""
    for number in range(1, to + 1):
        await ctx.progress(number, to, f"at {number}")
    return f"counted to {to}"


@tool
async def logs(ctx: Context) -> str:
    """Log two lines."""
    await ctx.log("info", "first")
    await ctx.log("error", "second")
    return "logged"


@tool
async def ask(ctx: Context) -> str:
    """Ask the user for a name."""
    try:
        return f"Hello, {(await ctx.ask(Name, 'Who?', key='who')).name}!"
    except Declined as error:
        return f"no name: {error.action}"


@tool
async def sample(ctx: Context) -> str:
    """Ask the client's model."""
    return f"The model said: {(await ctx.sample('a poem', max_tokens=50)).text}"


@tool
async def roots(ctx: Context) -> str:
    """Ask for the client's folders."""
    return ", ".join(each.uri for each in await ctx.roots())


@tool
async def large(size: int) -> Text:
    """A large result."""
    return Text(text="x" * size)


@tool(task="must")
async def job() -> str:
    """Be a task."""
    return "worked"


@tool
def exits() -> str:
    """Try to end the process."""
    raise SystemExit(3)


@resource("note://today", mime_type="text/plain")
def today() -> str:
    """What is to be done."""
    return "buy milk"


@prompt
def plan(day: str) -> str:
    """Plan a day."""
    return f"Plan my {day}."


TOOLS = (add, principal, count, logs, ask, sample, roots, large, job, exits)
