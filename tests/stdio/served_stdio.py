"""Served by the tests of the process. It does to the standard streams whatever a tool could do. Not a test."""

from __future__ import annotations

import asyncio
import ctypes
import os
import subprocess
import sys
import time

from mcp_app import Context, tool

print("printed at import")
os.write(1, b"written at import\n")


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def noisy() -> str:
    """Print by every way there is, and read what is meant for the server."""
    print("printed")
    sys.stdout.write("half a line")
    sys.__stdout__.write("by the stream from before\n")  # type: ignore[union-attr]
    os.write(1, b"by the descriptor\n")
    libc = ctypes.CDLL(None)
    libc.puts(b"by the library of C")
    libc.fflush(None)
    subprocess.run(["sh", "-c", "echo by a program; cat"], check=True, timeout=30)
    return repr(sys.stdin.read())


@tool
def forks() -> int:
    """Leave a copy of this process behind, which holds all that it has."""
    child = os.fork()
    if not child:
        time.sleep(30)
        os._exit(0)
    return child


@tool
def starts() -> int:
    """Leave a program behind."""
    return subprocess.Popen(["sleep", "30"]).pid


@tool
async def wait(path: str, ctx: Context) -> str:
    """Wait until the call is cancelled, and write a file then."""
    await ctx.progress(1, 2)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        with open(path, "w") as file:  # noqa: ASYNC230 - small, and the test's
            file.write(str(ctx.cancel_reason))
        raise
    return "nobody came"


@tool
async def stubborn() -> None:
    """Ignore every cancellation."""
    while True:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            continue


@tool
async def holds() -> None:
    """Hold the event loop for ever."""
    while True:
        pass


@tool
async def floods(path: str, ctx: Context) -> None:
    """Say more than anybody reads, and how much of it so far."""
    sent = 0
    while True:
        await ctx.progress(sent, message="x" * 1000)
        sent += 1
        with open(f"{path}.new", "w") as file:  # noqa: ASYNC230 - small, and the test's
            file.write(str(sent))
        os.replace(f"{path}.new", path)
