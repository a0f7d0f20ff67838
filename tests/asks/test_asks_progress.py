"""Signs of life for clients that give up after 60 seconds without progress (MCP, Progress)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from asks_schema import ended

from mcp_app import Context, tool
from mcp_app.testing import LogEvent, ProgressEvent, RunEvent, client
from mcp_app.testing.options import Options

OFTEN = 20.0  # seconds within which there must be progress


async def silent() -> str:
    await asyncio.sleep(70)
    return "done"


async def logs(ctx: Context) -> str:
    for each in range(70):
        await asyncio.sleep(1)
        await ctx.log("info", f"line {each}")
    return "done"


async def says(ctx: Context) -> str:
    for each in range(7):
        await asyncio.sleep(10)
        await ctx.progress(each)
    return "done"


async def before_the_result(function: Callable[..., Any], **options: Any) -> list[RunEvent]:
    """What comes of 70 seconds of the function, before its result."""
    how: Options = {"era": "2026-07-28", "log_level": None, **options}  # type: ignore[typeddict-item]
    async with client(tool(function), **how) as c:
        run = c.run(function.__name__)
        await c.clock.advance(70)
        await ended(run)
    assert run.result == "done"
    numbers = [event.progress for event in run.events if isinstance(event, ProgressEvent)]
    assert numbers == sorted(set(numbers))
    return list(run.events[:-1])


async def test_a_silent_tool_is_said_to_live() -> None:
    assert [event.type for event in await before_the_result(silent)] == ["progress"] * 4


async def test_logs_are_no_sign_of_life() -> None:
    said = await before_the_result(logs, log_level="info")
    assert len([event for event in said if isinstance(event, LogEvent)]) == 70
    at = [index for index, event in enumerate(said) if isinstance(event, ProgressEvent)]
    assert len(at) == 4
    assert all(after - before <= OFTEN for before, after in zip([0, *at], at, strict=False))


async def test_a_tool_that_says_how_far_it_is_needs_none() -> None:
    assert [event.type for event in await before_the_result(says)] == ["progress"] * 7


async def test_who_gave_no_token_gets_none() -> None:
    assert await before_the_result(silent, progress=False) == []
