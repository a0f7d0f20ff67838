"""What the real clients call: served by `mcp-app serve tests/clients/served.py`, written with public names only."""

from __future__ import annotations

import asyncio
import base64
import os
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from mcp_app import Context, Declined, ToolError, prompt, resource, tool
from mcp_app.authoring.content import Image

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)  # one red pixel

FOREVER = 100.0  # seconds: longer than any test waits, shorter than the cap, so that only a cancellation ends it

LATE = float(os.environ.get("LATE_SECONDS", "0.5"))
"""Five times what is waited for a response that is sent as JSON whatever the request was."""

_cancelled: set[str] = set()


class Sum(BaseModel):
    sum: int


class Name(BaseModel):
    name: str


class Text(BaseModel):
    text: str


@tool(read_only=True)
def add(a: int, b: int) -> Sum:
    """Add two numbers."""
    return Sum(sum=a + b)


@tool(read_only=True)
def spoken(ctx: Context) -> str:
    """The revision of MCP that this very request says it speaks."""
    return ctx.headers.get("mcp-protocol-version", "none")


@tool
async def count(to: int, ctx: Context) -> str:
    """Count, and report each number."""
    for number in range(1, to + 1):
        await ctx.progress(number, to, f"at {number}")
        await asyncio.sleep(0.02)  # as work that takes time; nothing depends on how much
    return f"counted to {to}"


@tool
def fail() -> str:
    """Fail, in words for the model."""
    raise ToolError("the disk is full")


@tool
def picture() -> Image:
    """A red pixel."""
    return Image(PNG)


@tool
async def wait(key: Annotated[str, Field(min_length=1)], ctx: Context) -> str:
    """Wait until the call is cancelled."""
    try:
        await ctx.progress(1, 2, "waiting")
        await asyncio.sleep(FOREVER)
    except asyncio.CancelledError:
        _cancelled.add(key)
        raise
    return "nobody came"


@tool
def was_cancelled(key: str) -> bool:
    """Whether a `wait` of this key was cancelled."""
    return key in _cancelled


@tool
async def late(size: int) -> Text:
    """A large result that takes longer than an answer at once."""
    await asyncio.sleep(LATE)
    return Text(text="x" * size)


@tool
async def outlast(seconds: float, ctx: Context) -> str:
    """Work for longer than a stream of this server may last, and say so now and then."""
    for done in range(10):
        await ctx.progress(done, 10)
        await asyncio.sleep(seconds / 10)
    return f"worked for {seconds:g} s"


@tool
async def ask(message: str, ctx: Context) -> str:
    """Ask the user for a name."""
    try:
        return f"Hello, {(await ctx.ask(Name, message)).name}!"
    except Declined as error:
        return f"no name: {error.action}"


@tool
async def sample(ctx: Context) -> str:
    """Ask the client's model."""
    return f"The model said: {(await ctx.sample('a poem', max_tokens=50)).text}"


Day = Literal["monday", "tuesday", "thursday"]


@resource("note://today", mime_type="text/plain")
def today() -> str:
    """What is to be done."""
    return "buy milk"


@resource("day://{day}", mime_type="text/plain")
def day(day: Day) -> str:
    """What is to be done on a day."""
    return f"on {day}: rest"


@prompt
def plan(day: Day) -> str:
    """Plan a day."""
    return f"Plan my {day}."
