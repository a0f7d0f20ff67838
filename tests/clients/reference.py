"""The tools of served.py on the official SDK's server, to compare with: `reference.py PORT`, in environment mcp2."""

import asyncio
import base64
import sys
from typing import Annotated

from mcp.server.mcpserver import (
    AcceptedElicitation,
    Context,
    Elicit,
    ElicitationResult,
    Image,
    MCPServer,
    Resolve,
    Sample,
)
from mcp_types import Completion, CreateMessageResult, SamplingMessage, TextContent
from pydantic import BaseModel

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

server = MCPServer("reference")
cancelled = set()


class Sum(BaseModel):
    sum: int


@server.tool()
def add(a: int, b: int) -> Sum:
    """Add two numbers."""
    return Sum(sum=a + b)


@server.tool()
def spoken() -> str:
    """Not known here."""
    return "unknown"


@server.tool()
async def count(to: int, ctx: Context) -> str:
    """Count, and report each number."""
    for number in range(1, to + 1):
        await ctx.report_progress(number, to, f"at {number}")
        await asyncio.sleep(0.02)
    return f"counted to {to}"


@server.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("the disk is full")


@server.tool()
def picture() -> Image:
    """A red pixel."""
    return Image(data=PNG, format="png")


@server.tool()
async def wait(key: str, ctx: Context) -> str:
    """Wait until the call is cancelled."""
    try:
        await ctx.report_progress(1, 2, "waiting")
        await asyncio.sleep(100)
    except BaseException:
        cancelled.add(key)
        raise
    return "nobody came"


@server.tool()
def was_cancelled(key: str) -> str:
    """Whether a `wait` of this key was cancelled."""
    return "true" if key in cancelled else "false"


class Name(BaseModel):
    name: str


def name(message: str) -> Elicit[Name]:
    return Elicit(message, Name)


def poem() -> Sample:
    return Sample([SamplingMessage(role="user", content=TextContent(type="text", text="a poem"))], max_tokens=50)


@server.tool()
def ask(message: str, asked: Annotated[ElicitationResult[Name], Resolve(name)]) -> str:
    """Ask the user for a name."""
    return f"Hello, {asked.data.name}!" if isinstance(asked, AcceptedElicitation) else f"no name: {asked.action}"


@server.tool()
def sample(said: Annotated[CreateMessageResult, Resolve(poem)]) -> str:
    """Ask the client's model."""
    return f"The model said: {said.content.text}"


DAYS = ["monday", "tuesday", "thursday"]


@server.resource("note://today", mime_type="text/plain")
def today() -> str:
    """What is to be done."""
    return "buy milk"


@server.resource("day://{day}", mime_type="text/plain")
def day(day: str) -> str:
    """What is to be done on a day."""
    return f"on {day}: rest"


@server.prompt()
def plan(day: str) -> str:
    """Plan a day."""
    return f"Plan my {day}."


@server.completion()
async def complete(ref, argument, context):
    found = [each for each in DAYS if each.startswith(argument.value)]
    return Completion(values=found, total=len(found), has_more=False)


server.run("streamable-http", port=int(sys.argv[1]))
