"""Tools for the page's tests, whose steps happen when the test says so.

Not a test; no test's expectations belong here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from mcp_app import Context, Result, Tool, ToolError, tool

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


class Extra(BaseModel):
    """A nested object, which the form asks for as JSON."""

    depth: int = 1


class Stage:
    """Lets the tools take one step for each `release`, and counts what they did."""

    def __init__(self) -> None:
        self._steps = asyncio.Semaphore(0)
        self.begun = 0
        self.stopped = asyncio.Event()

    def release(self, steps: int = 1) -> None:
        for _ in range(steps):
            self._steps.release()

    async def step(self) -> None:
        await self._steps.acquire()

    async def taken(self) -> None:
        """Until every step that was released is taken."""
        while not self._steps.locked():  # noqa: ASYNC110 - a semaphore tells nobody
            await asyncio.sleep(0.01)


def tools(stage: Stage) -> list[Tool]:
    @tool(read_only=True)
    async def walk(ctx: Context, count: Annotated[int, Field(ge=1, le=5000)] = 3) -> dict[str, int]:
        """Walk some steps.

        Args:
            count: How many.
        """
        stage.begun += 1
        try:
            for number in range(1, count + 1):
                await stage.step()
                await ctx.log("info", f"at {number}")
                await ctx.progress(number, count, f"step {number}")
            await stage.step()
        finally:
            stage.stopped.set()
        return {"walked": count}

    @tool
    async def change(ctx: Context, amount: int) -> dict[str, int]:
        """Change something, so that no GET may start it."""
        stage.begun += 1
        try:
            await ctx.progress(1, 2, "half of it")
            await stage.step()
        finally:
            stage.stopped.set()
        return {"changed": amount}

    @tool(read_only=True)
    async def hostile() -> AsyncIterator[Any]:
        """<b>Describes</b> itself in markup."""
        yield {"step": HOSTILE, HOSTILE: [HOSTILE, {"deep": {"deeper": {"deepest": {"end": HOSTILE}}}}]}
        yield Result({"text": HOSTILE})

    @tool(read_only=True)
    async def fails() -> None:
        """Fail with a word for the caller."""
        raise ToolError("The well is dry.", hint="Wait for rain.")

    @tool(read_only=True)
    async def flood(count: int = 5000) -> AsyncIterator[Any]:
        """Send more than a page should draw."""
        for number in range(count):
            yield {"message": f"drop {number}"}

    @tool(read_only=True)
    async def shapes(
        text: Annotated[str, Field(min_length=2, max_length=20, pattern="^[a-z ]+$")],
        whole: Annotated[int, Field(ge=1, le=9)] = 5,
        real: float = 1.5,
        yes: bool = True,
        mode: Literal["quick", "full"] = "quick",
        maybe: str | None = None,
        names: Annotated[list[str], Field(max_length=3)] = ["a"],  # noqa: B006 - read once, for the schema
        numbers: list[int] = [],  # noqa: B006
        extra: Extra | None = None,
        either: int | str = "x",
    ) -> dict[str, Any]:
        """Answer with what was asked."""
        given = {"text": text, "whole": whole, "real": real, "yes": yes, "mode": mode, "maybe": maybe}
        return given | {"names": names, "numbers": numbers, "extra": extra and extra.model_dump(), "either": either}

    @tool(read_only=True)
    async def travel(ctx: Context) -> str:
        """Walk twice."""
        for start, name in ((0, "there"), (50, "back")):
            part = ctx.part(start, start + 50, name)
            await part.call(walk, count=1)
            await part.partial({"step": "arrived", "status": "ok"})
        return "home"

    return [walk, change, hostile, fails, flood, shapes, travel]
