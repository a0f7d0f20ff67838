"""Two tools to begin with: a coroutine that reports its progress, and an async generator whose items are streamed.

Served by `mcp-app serve examples/hello.py`.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from pydantic import Field

from mcp_app import Context, Result, tool


@tool(read_only=True)
async def hello(ctx: Context, name: str = "world") -> str:
    """Greet somebody, letter by letter.

    Args:
        name: who is greeted
    """
    for done, letter in enumerate(name, 1):
        await asyncio.sleep(0.2)
        await ctx.progress(done, len(name), letter)
    return f"Hello, {name}!"


@tool(read_only=True)
async def countdown(start: Annotated[int, Field(ge=1, le=1000)]) -> AsyncIterator[int | Result[str]]:
    """Count down to one, half a second for each number.

    Args:
        start: the first number
    """
    for number in range(start, 0, -1):
        yield number
        await asyncio.sleep(0.5)
    yield Result("lift-off")
