"""The tools of served.py on the official SDK's server, to compare with: `reference.py PORT`, in environment mcp2."""

import asyncio
import base64
import sys

from mcp.server.mcpserver import Context, Image, MCPServer
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


server.run("streamable-http", port=int(sys.argv[1]))
