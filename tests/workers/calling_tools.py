"""Tools that call others, each as it is and in a process, and what they call. Not a test."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from mcp_app import Context, Image, Result, errors, tool

SECONDS = 50.0  # that nothing here may take
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)

# --- what is called, in the server and in a process ------------------------------------------------------------------


@dataclass
class Point:
    x: int
    on: date


class Yes(BaseModel):
    yes: bool


class Tea(errors.ToolError):
    code = "no_tea"


def point(x: int, on: date, ctx: Context) -> Point:
    ctx.log("info", "made")
    ctx.progress(1, 2, "half")
    return Point(x, on)


async def points(n: int, ctx: Context) -> AsyncIterator[Point]:
    for each in range(n):
        await ctx.progress(each, n)
        yield Point(each, date(2026, 1, 1))


def ends_with(n: int) -> Iterator[int | Result[str]]:
    yield from range(n)
    yield Result("é\u2028" * n, text="in words", meta={"com.example/n": n})


def anything(n: int) -> Any:
    return {"n": [n, None, "é"]}


def tells() -> int:
    raise Tea("There is no tea.", hint="Take coffee.")


def fails() -> int:
    raise KeyError("a secret")


def wrong() -> int:
    return "no number"  # type: ignore[return-value]


def large() -> str:
    return "x" * 34_000_000


CALLED: list[Callable[..., Any]] = [point, points, ends_with, anything, tells, fails, wrong, large]
HERE = {each.__name__: tool(each) for each in CALLED}
THERE = {each.__name__: tool(name=f"{each.__name__}_there", placement="process")(each) for each in CALLED}


def callee(name: str, there: bool) -> Any:
    return (THERE if there else HERE)[name]


def note(mark: str, text: str) -> None:
    Path(mark).write_text(text)


def read(mark: str) -> str:
    return Path(mark).read_text() if os.path.exists(mark) else ""


async def noted(mark: str) -> None:
    """Wait until there is something."""
    end = time.monotonic() + SECONDS
    while not read(mark):
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


@tool
async def waits(mark: str, ctx: Context) -> str:
    """Wait for the end."""
    note(mark, "begun")
    try:
        await asyncio.sleep(SECONDS)
    except asyncio.CancelledError:
        await asyncio.sleep(0.05)
        note(mark, f"ended: {ctx.cancel_reason}")
        raise
    return "late"


@tool
async def endless(ctx: Context) -> int:
    """Call itself."""
    return int(await ctx.call(endless))


@tool(time_limit=0.05)
async def limited() -> int:
    """Take too long."""
    await asyncio.sleep(SECONDS)
    return 1


@tool
async def asks(ctx: Context) -> bool:
    """Ask the caller."""
    return (await ctx.ask(Yes, "Really?")).yes


@tool
def picture() -> Image:
    """Content."""
    return Image(PNG)


@tool(placement="process")
async def down(n: int, ctx: Context) -> list[int]:
    """Call itself, so many times, each in a process."""
    return [os.getpid(), *(await ctx.call(down, n=n - 1) if n else [])]


@tool
def by_a_thread(n: int, ctx: Context) -> list[int]:
    """Call it from a thread of the server."""
    return list(ctx.wait(ctx.call(down, n=n)))


@tool(placement="process")
def down_by_a_thread(n: int, ctx: Context) -> list[int]:
    """Call what calls it."""
    return [os.getpid(), *ctx.wait(ctx.call(by_a_thread, n=n))]


@tool(placement="process")
async def wide(n: int, ctx: Context) -> list[list[int]]:
    """Several that call one each, at once."""
    return list(await asyncio.gather(*(ctx.call(down, n=1) for _ in range(n))))


def other_of_the_name() -> Any:
    async def point(x: int) -> int:
        return x

    return tool(point)


@tool(placement="process")
async def calls_another(ctx: Context) -> str:
    """Call a tool that the server has not, and one that is another one there."""
    told = []
    for each in (other_of_the_name(), tool(name="unheard")(tells)):
        try:
            await ctx.call(each, x=1) if each.name == "point" else await ctx.call(each)
        except (errors.ToolFailed, errors.UnknownTool) as error:
            told.append(error.message)
    return "\n".join(told)


@tool(placement="process")
async def takes_too_much(ctx: Context) -> str:
    """What is larger than what goes between processes."""
    told = []
    for other, params in ((HERE["large"], {}), (HERE["anything"], {"n": "x" * 34_000_000})):
        try:
            await ctx.call(other, **params)
        except errors.EventTooLarge as error:
            told.append(error.message)
    return "\n".join(told)


@tool(placement="process")
async def looks_at_a_picture(ctx: Context) -> Any:
    """Content is its blocks there, and a result by name what its JSON says."""
    return [await ctx.call(picture), await ctx.call("point", x=1, on=date(2026, 1, 1))]


@tool(placement="process")
async def calls_by_json(ctx: Context) -> list[Any]:
    """Results as JSON, whatever the annotation says; what is offered is not known."""
    given = [await ctx.call_json(HERE["point"], {"x": 1, "on": date(2026, 1, 1)}), await ctx.call_json(picture, {})]
    given += [await ctx.call_json("points", {"n": 1}), await ctx.call_json("ends_with", {"n": 1})]
    try:
        return [*given, list(ctx.tools)]
    except errors.ToolFailed as error:
        return [*given, error.message]


# --- who calls -------------------------------------------------------------------------------------------------------


async def values(there: bool, ctx: Context) -> list[str]:
    one = await ctx.call(callee("point", there), x="2", on=date(2026, 2, 3))
    many = await ctx.call(callee("points", there), n=2)
    last = await ctx.call(callee("ends_with", there), n=2)
    return [repr(each) for each in (one, many, last, await ctx.call(callee("anything", there), n=1))]


def in_a_thread(there: bool, ctx: Context) -> list[str]:
    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*(ctx.call(callee("anything", there), n=each) for each in range(3)))

    one = ctx.wait(ctx.part(0, 50, "one").call(callee("point", there), x=1, on=date(2026, 1, 1)))
    return [repr(one), repr(ctx.wait(all_of_them()))]


async def shares(there: bool, ctx: Context) -> int:
    await ctx.part(0, 20).progress(1, 2, "own")
    await ctx.part(0, 20, "named").progress(2, 2)
    await ctx.part(20, 60).call(callee("points", there), n=2)
    rest = ctx.part(60, 100, "rest")
    await rest.part(0, 50).call(callee("point", there), x=1, on=date(2026, 1, 1))
    await rest.progress(3, 4)
    await rest.part(80, 100, "last").call(callee("points", there), n=1)
    return 1


async def raised(there: bool, ctx: Context) -> list[Any]:
    """What each raises, as it is caught."""
    found: list[Any] = []
    calls: list[tuple[Any, dict[str, Any]]] = [(callee("tells", there), {}), (callee("wrong", there), {})]
    calls += [(callee("fails", there), {}), (THERE["large"], {}), (callee("point", there), {"x": "no"})]
    calls += [("nowhere", {}), (endless, {}), (limited, {}), (callee("point", there), {"x": object()})]
    for other, params in calls:
        try:
            await ctx.call(other, **params)
        except errors.ToolError as error:
            found.append(["ToolError", error.code, error.message, error.hint])
        except errors.RunError as error:
            kinds = (errors.ToolFailed, errors.TimeCap, errors.EventTooLarge)
            kind = next(each.__name__ for each in kinds if isinstance(error, each))
            found.append([kind, error.code, error.message, error.hint, error.error_id is not None])
        except (errors.InvalidParams, errors.UnknownTool) as error:
            found.append([type(error).__name__, error.message, error.hint, [dict(each) for each in error.details]])
    return found


async def lets_tell(there: bool, ctx: Context) -> int:
    return int(await ctx.call(callee("tells", there)))


async def lets_fail(there: bool, ctx: Context) -> int:
    return int(await ctx.call(callee("fails", there)))


async def lets_refuse(there: bool, ctx: Context) -> int:
    return int(await ctx.call(callee("point", there), x=1))


async def forgets(there: bool, ctx: Context) -> int:
    ctx.call(callee("fails", there))
    return 1


async def asked(there: bool, ctx: Context) -> bool:
    return bool(await ctx.part(0, 50, "sure").call(asks))


CALLERS: list[Callable[..., Any]] = [
    *(values, in_a_thread, shares, raised, lets_tell, lets_fail, lets_refuse, forgets, asked)
]
PLAIN = {each.__name__: tool(each) for each in CALLERS}
PLACED = {each.__name__: tool(name=f"{each.__name__}_placed", placement="process")(each) for each in CALLERS}


async def gives_up(mark: str, ctx: Context) -> str:
    """A call that is cancelled has ended when that is known."""
    task = asyncio.create_task(ctx.call(waits, mark=mark))
    await noted(mark)
    task.cancel()
    await asyncio.wait({task})
    return read(mark)


async def leaves(mark: str, ctx: Context) -> str:
    """A call in a task that nobody awaits ends with its caller."""
    task = asyncio.create_task(ctx.call(waits, mark=mark))
    await noted(mark)
    return f"{task.done()}"


async def stays(mark: str, ctx: Context) -> str:
    """Wait for another as long as it takes."""
    return str(await ctx.call(waits, mark=mark))


async def dies(mark: str, ctx: Context) -> str:
    """End the process in the middle of a call."""
    task = asyncio.create_task(ctx.call(waits, mark=mark))
    await noted(mark)
    os._exit(int(task.done()))


placed_gives_up, placed_leaves, placed_stays, placed_dies = (
    tool(name=f"{each.__name__}_placed", placement="process")(each) for each in (gives_up, leaves, stays, dies)
)
plain_gives_up, plain_leaves = tool(gives_up), tool(leaves)
