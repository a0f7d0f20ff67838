"""Signs of life for clients that give up after 60 seconds without progress (MCP, Progress)."""

from __future__ import annotations

import asyncio

from asks_stage import Server
from loop_clock import on_loop_clock

from mcp_app import Context

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


async def messages(function: object, **meta: object) -> list[str]:
    """The methods of what comes before the result."""
    server = Server(function)  # type: ignore[arg-type]
    said = await server.call(function.__name__, meta=meta, patience=200.0)  # type: ignore[attr-defined]
    await server.close()
    assert said.text == "done"
    numbers = [each["params"]["progress"] for each in said.before if "progress" in each["params"]]
    assert numbers == sorted(set(numbers))
    return [each["method"] for each in said.before]


@on_loop_clock
async def test_a_silent_tool_is_said_to_live() -> None:
    assert await messages(silent, progressToken="t") == ["notifications/progress"] * 4


@on_loop_clock
async def test_logs_are_no_sign_of_life() -> None:
    said = await messages(logs, progressToken="t", **{"io.modelcontextprotocol/logLevel": "info"})
    assert said.count("notifications/message") == 70
    at = [index for index, method in enumerate(said) if method == "notifications/progress"]
    assert len(at) == 4
    assert all(after - before <= OFTEN for before, after in zip([0, *at], at, strict=False))


@on_loop_clock
async def test_a_tool_that_says_how_far_it_is_needs_none() -> None:
    assert await messages(says, progressToken="t") == ["notifications/progress"] * 7


@on_loop_clock
async def test_who_gave_no_token_gets_none() -> None:
    assert await messages(silent) == []
