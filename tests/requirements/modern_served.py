"""One of everything that a server of MCP 2026-07-28 can offer. No test."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, Field

from mcp_app import Context, ToolError, prompt, resource, tool


class Name(BaseModel):
    name: str


@tool
def add(first: int, second: int = 0) -> int:
    return first + second


@tool
async def talk(ctx: Context, steps: int = 3) -> str:
    """Say something of every kind."""
    for step in range(steps):
        await ctx.progress(step + 1, steps, f"step {step + 1}")
        await ctx.log("debug", f"detail {step + 1}")
        await ctx.log("warning", f"line {step + 1}")
    return "said"


@tool
async def wait(ctx: Context) -> str:
    """Work until it is told to stop, and say so."""
    await ctx.progress(1, None, "began")
    HELD.began.set()
    try:
        await asyncio.sleep(3600)
    finally:
        HELD.stopped.set()
    return "never"


@tool
async def greet(ctx: Context) -> str:
    """Ask for a name."""
    return f"Hello {(await ctx.ask(Name, 'Who are you?', key='who')).name}"


@tool
async def complete_a_poem(ctx: Context) -> str:
    """Ask the client's model."""
    return (await ctx.sample("Roses are", max_tokens=10, key="line")).text


@tool
async def look_around(ctx: Context) -> str:
    """Ask for the client's directories."""
    return ", ".join(root.uri for root in await ctx.roots(key="where"))


@tool
def regional(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "here") -> str:
    return f"region {region}"


@tool
def fail(how: str) -> str:
    if how == "told":
        raise ToolError("This went wrong")
    raise RuntimeError("a secret of /etc/passwd")


@tool(task="must")
async def long_work() -> str:
    return "done"


@resource("test://text")
def text() -> str:
    return "text"


@resource("test://users/{user}")
def of_user(user: int) -> bytes:
    return bytes([user])


@resource("test://asked")
async def asked(ctx: Context) -> str:
    return (await ctx.ask(Name, "Who reads?", key="who")).name


@resource("test://broken")
def broken() -> str:
    raise RuntimeError("a secret of /etc/passwd")


@prompt
def advise(topic: str, count: int = 1) -> str:
    return f"Advise on {topic} {count} times."


@prompt
async def ask_first(ctx: Context) -> str:
    return (await ctx.ask(Name, "For whom?", key="who")).name


@dataclass
class Held:
    """What the tool `wait` tells its test. Made anew with every stage."""

    began: asyncio.Event
    stopped: asyncio.Event


HELD = Held(asyncio.Event(), asyncio.Event())

TOOLS = [add, talk, wait, greet, complete_a_poem, look_around, regional, fail, long_work]
RESOURCES = [text, of_user, asked, broken]
PROMPTS = [advise, ask_first]
