"""What a server offers that is sent anything at all: tools of each kind, none of which fails. Not a test.

`inside` says what is alive in the server's process.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from pydantic import BaseModel, Field

from mcp_app import Context, prompt, resource, tool


class Node(BaseModel):
    name: str
    children: list[Node] = []


class Answer(BaseModel):
    name: str


@tool(read_only=True)
async def echo(text: str = "hello") -> str:
    """Say it back."""
    return text


@tool
async def write(text: str = "", times: Annotated[int, Field(ge=0, le=50)] = 1) -> AsyncIterator[str]:
    """Say it some times."""
    for _ in range(times):
        yield text


@tool(read_only=True)
async def grow(tree: Node, depth: int | None = None, more: dict[str, list[float]] | None = None) -> Node:
    """Take and give back a tree."""
    return tree


@tool(read_only=True)
def letters(text: Annotated[str, Field(max_length=50)]) -> Iterator[str]:
    """Yield letters, from a thread."""
    yield from text


@tool(read_only=True)
async def wait(ctx: Context) -> None:
    """Say one word, then nothing for ever."""
    await ctx.partial("here")
    await asyncio.Event().wait()


@tool(task="may")
async def ask(ctx: Context, question: Annotated[str, Field(min_length=1, max_length=200)] = "Who?") -> str:
    """Ask the caller."""
    return (await ctx.ask(Answer, question)).name


@tool(read_only=True)
async def large(size: Annotated[int, Field(ge=0, le=2_000_000)] = 1_500_000) -> str:
    """A result that is too large for an event."""
    return "x" * size


@tool(read_only=True)
async def inside() -> dict[str, int]:
    """What is alive in the server's process."""
    gc.collect()
    return {"tasks": len(asyncio.all_tasks()), "threads": threading.active_count()}


@resource("notes://{number}")
async def note(number: int) -> str:
    """A note."""
    return f"note {number}"


@prompt
async def advise(topic: str) -> str:
    """Ask for advice."""
    return f"What do you say to {topic}?"
