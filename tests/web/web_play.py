"""Tools that do what a test tells them, when it tells them; every one says when it began and when it was over.

Not a test; no test's expectations belong here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from enum import Enum
from typing import Annotated, Any

from pydantic import BaseModel, Field

from mcp_app import Context, Result, Tool, ToolError, tool

SECONDS = 10.0
"""How long a test waits for what must happen at once: generous, the machine may be busy. Less than the 15 s after which
a heartbeat would find out that a client has left."""


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until `condition()`: for what has no event of its own to await."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    x: int
    y: int = 0


class Play:
    """One test's tools and what happened to them."""

    def __init__(self) -> None:
        self.calls = 0
        """Runs of any tool that were begun."""
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        """A `finally` of a tool was run."""
        self.reasons: list[str | None] = []
        self.heard: list[dict[str, Any]] = []
        self._steps = asyncio.Semaphore(0)

    def step(self, steps: int = 1) -> None:
        """Let the tool that waits say its next word."""
        for _ in range(steps):
            self._steps.release()

    async def over(self) -> None:
        """Wait until a tool's `finally` was run."""
        await asyncio.wait_for(self.ended.wait(), SECONDS)

    def _begin(self, **given: Any) -> None:
        self.calls += 1
        self.heard.append(given)
        self.begun.set()

    def _end(self, ctx: Context) -> None:
        self.reasons.append(ctx.cancel_reason)
        self.ended.set()

    def tools(self) -> list[Tool]:
        play = self

        @tool(read_only=True)
        async def echo(text: str = "hello") -> str:
            """Say it back."""
            play._begin(text=text)
            return text

        @tool
        async def write(text: str = "") -> str:
            """Change something."""
            play._begin(text=text)
            return text

        @tool(read_only=True)
        async def walk(ctx: Context, count: int = 3) -> dict[str, int]:
            """One progress for each step that the test allows."""
            play._begin(count=count)
            try:
                for number in range(1, count + 1):
                    await play._steps.acquire()
                    await ctx.progress(number, count, f"step {number}")
            finally:
                play._end(ctx)
            return {"walked": count}

        @tool(read_only=True)
        async def wait(ctx: Context) -> None:
            """Say one word, then nothing for ever."""
            play._begin()
            try:
                await ctx.partial("here")
                await asyncio.Event().wait()
            finally:
                play._end(ctx)

        @tool(read_only=True, time_limit=0.3)
        async def brief(ctx: Context) -> None:
            """Wait for ever, with a limit of its own."""
            play._begin()
            try:
                await asyncio.Event().wait()
            finally:
                play._end(ctx)

        @tool(read_only=True)
        async def count(upto: int) -> AsyncIterator[int | Result[str]]:
            """Yield numbers."""
            play._begin(upto=upto)
            for number in range(upto):
                yield number
            yield Result("done")

        @tool(read_only=True)
        async def typed(
            number: Annotated[int, Field(ge=0, le=100)] = 0,
            ratio: float = 0.5,
            flag: bool = False,
            names: list[str] | None = None,
            numbers: Annotated[list[int], Field(max_length=5)] = [],  # noqa: B006 - pydantic copies it
            colour: Colour = Colour.RED,
            point: Point | None = None,
            table: dict[str, int] | None = None,
            text: Annotated[str, Field(max_length=50)] = "",
        ) -> dict[str, Any]:
            """One parameter of each kind."""
            given: dict[str, Any] = {
                "number": number,
                "ratio": ratio,
                "flag": flag,
                "names": names,
                "numbers": numbers,
                "colour": colour.value,
                "point": point.model_dump() if point else None,
                "table": table,
                "text": text,
            }
            play._begin(**given)
            return given

        @tool(read_only=True)
        async def fails() -> None:
            """Raise what nobody may see."""
            play._begin()
            raise KeyError("a secret of the server")

        @tool(read_only=True)
        async def refuses() -> None:
            """Raise what the caller may see."""
            play._begin()
            raise ToolError("There is no such domain.", hint="Look for a typing mistake.")

        return [echo, write, walk, wait, brief, count, typed, fails, refuses]
