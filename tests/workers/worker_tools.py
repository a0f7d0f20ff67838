"""Tools for a process, as an author's file has them: imported by the tests, and again by the processes. Not a test."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from mcp_app import Context, Depends, Image, Result, Shared, errors, tool

SECONDS = 50.0  # that nothing here may take: who waits so long was not ended
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
CALLS: list[int] = []
LEFT: list[asyncio.Task[Any]] = []
TOLD: list[asyncio.Event] = []


def here(pid: int) -> bool:
    """Whether that is the process of the server, and not another one."""
    return os.getpid() == pid


# --- the four kinds, each as it is and in a process ------------------------------------------------------------------


async def coroutine(n: int, ctx: Context) -> int:
    await ctx.progress(n, 2 * n, "half")
    await ctx.partial({"n": n}, progress=1, total=2)
    await ctx.log("info", "said", {"n": n})
    return n


def function(n: int, ctx: Context) -> int:
    ctx.progress(n, 2 * n, "half")
    ctx.partial({"n": n}, progress=1, total=2)
    ctx.log("info", "said", {"n": n})
    return n


async def async_generator(n: int, ctx: Context) -> AsyncIterator[dict[str, int] | Result[int]]:
    await ctx.progress(n, 2 * n)
    for each in range(n):
        yield {"n": each}
    yield Result(n)


def generator(n: int) -> Iterator[int]:
    yield from range(n)


def beside(n: int) -> Result[int]:
    return Result(n, text=f"{n} in words", content=[Image(PNG)], meta={"com.example/n": n})


def picture(n: int) -> list[Image]:
    return [Image(PNG)] * n


async def large(n: int, ctx: Context) -> str:
    await ctx.partial("p" * n * 1_000_000)
    return "r" * n * 1_000_000


def wrong(n: int) -> int:
    return "no number"  # type: ignore[return-value]


def tells(n: int) -> int:
    raise Tea("There is no tea.", hint="Take coffee.")


def fails(n: int) -> int:
    raise KeyError("a secret")


def exits(n: int) -> int:
    sys.exit(n)


async def interrupts(n: int) -> int:
    raise KeyboardInterrupt


class Tea(errors.ToolError):
    code = "no_tea"
    status = 418

    def object(self) -> dict[str, Any]:
        return {**super().object(), "pot": "empty"}


ALIKE: list[Callable[..., Any]] = [
    *(coroutine, function, async_generator, generator, beside, picture, large, wrong, tells, fails, exits, interrupts)
]
PLACED = {each.__name__: tool(name=f"placed_{each.__name__}", placement="process")(each) for each in ALIKE}
PLAIN = {each.__name__: tool(each) for each in ALIKE}
placed_large, plain_coroutine = PLACED["large"], PLAIN["coroutine"]  # a server offers what has a name

# --- what is seen of the caller, and of the process ------------------------------------------------------------------


@tool(placement="process")
def look(ctx: Context, pid: int) -> dict[str, Any]:
    """What there is, in a thread of a process."""
    CALLS.append(1)
    listening = [each for each in _sockets() if each.endswith(" 0A")]
    return {
        "pid": os.getpid(),
        "elsewhere": not here(pid),
        "calls": len(CALLS),
        "group": os.getpgrp(),
        "principal": ctx.principal,
        "scopes": None if ctx.scopes is None else sorted(ctx.scopes),
        "claims": dict(ctx.claims),
        "headers": dict(ctx.headers),
        "trace": ctx.trace.trace_id,
        "baggage": ctx.trace.baggage,
        "seconds_left": ctx.seconds_left,
        "deadline_is_monotonic": 0 < ctx.deadline - time.monotonic() < 1000,
        "cancelled": ctx.cancelled,
        "reason": ctx.cancel_reason,
        "can": ctx.can("elicitation"),
        "descriptors": sorted(os.readlink(f"/proc/self/fd/{each}") for each in _descriptors()),
        "listening": listening,
        "inode_of_1": os.stat("/proc/self/fd/1").st_ino,
        "inode_of_2": os.stat("/proc/self/fd/2").st_ino,
        "sigint_is_ignored": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
        "argv": sys.argv,
        "environment": os.environ.get("OF_THE_TEST"),
    }


def _descriptors() -> list[str]:
    return [each for each in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{each}")]


def _sockets() -> list[str]:
    """The sockets of this process: inode and state."""
    own = {os.readlink(f"/proc/self/fd/{each}")[8:-1] for each in _descriptors()}
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [f"{line[9]} {line[3]}" for line in lines if line[9] in own]


@tool(placement="process")
async def let_go(ctx: Context) -> str:
    """Let go."""
    await ctx.let_go()
    return "done"


@tool(placement="process")
def loud() -> str:
    """Write to every standard place."""
    print("by print")
    os.write(1, b"by number\n")
    subprocess.run(["echo", "by a child"], check=True)
    sys.stderr.write("on standard error\n")
    return "done"


def _positive(value: Any) -> Any:
    if value == "validated where":
        return f"validated in {os.getpid()}"
    if value == "refused there" and os.environ.get("OF_THE_PROCESS"):
        raise ValueError("refused there")
    return value


@tool(placement="process", read_only=True)
def validated(text: Annotated[str, BeforeValidator(_positive)], n: int = 1, words: list[str] = []) -> dict[str, Any]:  # noqa: B006
    """Arguments that are validated again."""
    return {"text": text, "n": n, "words": words, "pid": os.getpid()}


@dataclass
class Point:
    x: int
    on: date


@tool(placement="process")
def point(x: int, on: date) -> Point:
    """A result that has a class."""
    return Point(x, on)


@tool(placement="process")
def points(n: int, ctx: Context) -> Iterator[Point]:
    """Items that have one."""
    ctx.partial("no item")
    for each in range(n):
        yield Point(each, date(2026, 1, 1))


@tool
async def workflow(ctx: Context, n: int) -> dict[str, Any]:
    """Tools in processes, called by one that is not."""
    one = await ctx.call(point, x=n, on=date(2026, 2, 3))
    many = await ctx.call(points, n=n)
    try:
        await ctx.call(PLACED["tells"], n=n)
    except errors.ToolError as error:
        told = error.message
    return {"one": repr(one), "many": [repr(each) for each in many], "told": told}


# --- how a process can end, or not -----------------------------------------------------------------------------------


@tool(placement="process")
def ends(how: Literal["_exit", "kill", "segfault", "closes", "term", "exit_thread"]) -> str:
    """End the process."""
    match how:
        case "_exit":
            os._exit(3)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "term":
            os.kill(os.getpid(), signal.SIGTERM)
        case "segfault":
            ctypes.string_at(0)
        case "closes":
            os.closerange(3, 1000)
            time.sleep(SECONDS)
        case "exit_thread":
            threading.Thread(target=os._exit, args=(4,)).start()
            time.sleep(SECONDS)
    return "it did not end"


@tool(placement="process")
async def ends_in_a_task(ctx: Context) -> str:
    """SystemExit in a task that nobody awaits."""
    task = asyncio.create_task(_exit_soon())
    await ctx.progress(1)
    await asyncio.sleep(SECONDS)
    return repr(task)


async def _exit_soon() -> None:
    raise SystemExit(5)


@tool(placement="process")
def forks(ctx: Context) -> str:
    """A copy of the process that ends by itself, and one that holds all descriptors."""
    if os.fork() == 0:
        os._exit(0)
    if (copy := os.fork()) == 0:
        time.sleep(SECONDS)
        os._exit(0)
    return str(copy)


@tool(placement="process")
def multiprocesses(n: int) -> list[int]:
    """A pool of forked processes in the process."""
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(_square, range(n))


def _square(n: int) -> int:
    return n * n


@tool(placement="process")
def changes(directory: str) -> dict[str, str]:
    """Change what belongs to the process."""
    before = os.getcwd()
    os.chdir(directory)
    os.environ["CHANGED"] = "yes"
    return {"before": before, "after": os.getcwd()}


@tool(placement="process")
async def sets_a_signal_handler() -> str:
    """Ignore what would end the process."""
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGIO):
        signal.signal(each, lambda *_: None)
    return str(os.getpid())


# --- what a run is ended in ------------------------------------------------------------------------------------------


@tool(placement="process")
def waits(ctx: Context, mark: str, how: Literal["looks", "says", "never", "in C", "starts a program"]) -> str:
    """Work until the end is heard of."""
    ctx.log("info", str(os.getpid()))
    try:
        while not (how == "looks" and ctx.cancelled):
            match how:
                case "looks":
                    time.sleep(0.01)
                case "says":
                    ctx.progress(time.monotonic())
                    time.sleep(0.01)
                case "never":
                    sum(range(1000))
                case "in C":
                    time.sleep(0.2)  # what was said goes out: from now on nothing else has the interpreter
                    sum(range(10**12))
                case "starts a program":
                    subprocess.run(["sleep", mark], check=False)
        return "heard"
    finally:
        Path(mark).write_text(f"{ctx.cancel_reason}")


@tool(placement="process")
async def awaits(
    ctx: Context, mark: str, how: Literal["cleans up", "swallows", "holds the loop", "fails", "goes into C"]
) -> str:
    """The same in a coroutine."""
    await ctx.log("info", str(os.getpid()))
    if how == "goes into C":
        sum(range(10**12))  # what was said is on the wire
    while True:
        try:
            while how == "holds the loop" and not ctx.cancelled:
                time.sleep(0.01)  # noqa: ASYNC251 - that is what it is for
            await asyncio.sleep(SECONDS)
        except asyncio.CancelledError:
            if how == "fails":
                raise KeyError("in the cleanup") from None
            if how != "swallows":
                await asyncio.sleep(0.01)
                await asyncio.to_thread(Path(mark).write_text, f"{ctx.cancel_reason}")
                raise


@tool(placement="process")
async def floods(ctx: Context, n: int, size: int) -> int:
    """Events that nobody may read."""
    for each in range(n):
        await ctx.partial("x" * size)
        await asyncio.to_thread(_count, ctx, each)
    return n


def _count(ctx: Context, each: int) -> None:
    with contextlib.suppress(OSError):
        Path(ctx.headers["x-mark"]).write_text(str(each + 1))


@tool(placement="process")
def floods_in_a_thread(ctx: Context, n: int, size: int) -> int:
    """The same in a thread."""
    for each in range(n):
        ctx.partial("x" * size)
        _count(ctx, each)
    return n


@tool(placement="process")
def floods_by_a_part(ctx: Context, n: int) -> int:
    """Progress whose numbers the server finishes."""
    part = ctx.part(0, 50)
    for each in range(n):
        part.progress(each, n)
    return n


@tool(placement="process")
def says_to_the_server(data: list[int]) -> str:
    """Write to the wire by its number, past all that knows how to."""
    [wire] = [each for each in gc.get_objects() if type(each).__name__ == "WireToServer"]
    wire._write(bytes(data))
    time.sleep(SECONDS)
    return "it lives"


@tool(placement="process")
async def leaves_a_question(ctx: Context) -> str:
    """A task that asks when its call is long over."""
    LEFT.append(asyncio.create_task(_ask_when_told(ctx, told := asyncio.Event())))
    TOLD.append(told)
    return "left"


async def _ask_when_told(ctx: Context, told: asyncio.Event) -> Any:
    await told.wait()
    return await ctx.once("key", lambda: "of the first call")


@tool(placement="process")
async def tells_it_to_ask(ctx: Context) -> dict[str, Any]:
    """Of another caller, in the same process."""
    TOLD.pop().set()
    left = LEFT.pop()
    await asyncio.wait({left}, timeout=5)
    return {"ended": left.cancelled(), "own": await ctx.once("key", lambda: "of the second call")}


# --- what it needs ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _noted(what: str) -> Iterator[str]:
    """Writes down where it was made and closed, in the file that the environment names."""
    _note(f"{what} made in {os.getpid()}")
    try:
        yield what
    finally:
        _note(f"{what} closed in {os.getpid()}")


def _note(line: str) -> None:
    if "NOTES" in os.environ:
        with Path(os.environ["NOTES"]).open("a") as file:
            file.write(f"{line}\n")


async def make_pool() -> AsyncIterator[str]:
    with _noted("pool"):
        yield "pool"


def take(pool: Annotated[str, Shared(make_pool)], n: int, ctx: Context) -> Iterator[str]:
    with _noted(f"{n} of {pool}"):
        ctx.log("info", "taken")
        yield f"{n} of {pool}, in {threading.get_ident()}"


@tool(placement="process")
def needs(n: int, conn: Annotated[str, Depends(take)]) -> dict[str, Any]:
    """A plain function, in the very thread of its maker."""
    return {"pid": os.getpid(), "conn": conn, "thread": threading.get_ident()}


@tool(placement="process")
async def needs_too(n: int, conn: Annotated[str, Depends(take)], pool: Annotated[str, Shared(make_pool)]) -> str:
    """A coroutine."""
    if n < 0:
        await asyncio.sleep(SECONDS)
    return conn.partition(",")[0]


async def _never() -> AsyncIterator[str]:
    raise OSError("no database")
    yield "never"


@tool(placement="process")
async def cannot(pool: Annotated[str, Shared(_never)]) -> str:
    """Needs what cannot be made."""
    return pool
