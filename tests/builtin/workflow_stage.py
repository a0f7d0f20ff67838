"""Tools that workflows are made of, and how steps are written. No test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from pydantic import BaseModel

from mcp_app import Context, ToolError, tool
from mcp_app.builtin.run_workflow.steps import Step


class Row(BaseModel):
    name: str
    price: float


class Shop(BaseModel):
    rows: list[Row]
    note: str | None = None


class Gone(ToolError):
    code = "gone"


@tool(read_only=True)
async def shop(rows: int = 2) -> Shop:
    """What there is to buy."""
    return Shop(rows=[Row(name=f"tea {n}", price=n + 0.5) for n in range(rows)])


@tool(read_only=True)
async def shout(text: str, times: int = 1) -> str:
    """Say it loud."""
    return text.upper() * times


@tool(read_only=True)
async def total(prices: list[float], rows: list[Row] | None = None) -> float:
    """Add up."""
    return sum(prices) + sum(row.price for row in rows or ())


@tool(read_only=True)
async def echo(value: Any = None) -> Any:
    """Return what is given."""
    return value


@tool(read_only=True)
async def counts(to: int, ctx: Context) -> AsyncIterator[int]:
    """Count, and say so."""
    for n in range(to):
        await ctx.progress(n, to)
        yield n


@tool
async def fails(message: str = "no") -> str:
    """Fail."""
    raise Gone(message, hint="Ask for something else.")


@tool
async def slow(seconds: float = 1000) -> str:
    """Take its time."""
    await asyncio.sleep(seconds)
    return "done"


TOOLS = [shop, shout, total, echo, counts, fails, slow]
BY_NAME = {each.name: each for each in TOOLS}


def step(id: str, tool: str = "echo", **more: Any) -> dict[str, Any]:  # noqa: A002 - as a caller names it
    """A step as a caller writes it."""
    return {"id": id, "tool": tool, **more}


def of(name: str, pointer: str | None = None, **more: Any) -> dict[str, Any]:
    """A reference to a step."""
    return {"$from": name, **({} if pointer is None else {"pointer": pointer}), **more}


def when(name: str, pointer: str = "", **comparison: Any) -> dict[str, Any]:
    """A condition on a step."""
    return {"from": name, "pointer": pointer, **comparison}


def steps(*written: dict[str, Any]) -> list[Step]:
    return [Step.model_validate(each) for each in written]


@tool(placement="process")
async def sly_process(ctx: Context) -> Any:
    """Run a workflow from a process."""
    return await ctx.call("run_workflow", steps=[{"id": "inner", "tool": "echo"}])
