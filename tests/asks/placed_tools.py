"""Tools that ask, in the server and in a process: the same functions. Not a test."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel

from mcp_app import Context, MissingCapability, Visits, errors, tool

VISITS = Visits()


def _polite(name: str) -> str:
    if name == "rude":
        raise ValueError("be polite")
    if name == "broken":
        raise KeyError("a validator's own")
    return name


class Name(BaseModel):
    name: Annotated[str, AfterValidator(_polite)]


class Color(BaseModel):
    color: Literal["red", "green"]


async def greet(ctx: Context) -> str:
    """One question."""
    return f"Hello, {(await ctx.ask(Name, 'Your name?')).name}!"


def greet_in_a_thread(ctx: Context) -> str:
    """One question, of a plain function."""
    return f"Hello, {ctx.wait(ctx.ask(Name, 'Your name?')).name}!"


async def three(ctx: Context) -> str:
    """Three questions at once, then one more."""
    name, color, sample = await asyncio.gather(
        ctx.ask(Name, "Your name?"), ctx.ask(Color, "Colour?"), ctx.sample("poem", max_tokens=9)
    )
    roots = await ctx.roots()
    return f"{name.name} {color.color} {sample.text} {[root.uri for root in roots]}"


async def once(ctx: Context, mark: str) -> str:
    """A value that is made once, before and after a question."""
    first = await ctx.once("first", lambda: _made(mark))
    name = await ctx.ask(Name, "Your name?")
    again = await ctx.once("first", lambda: _made(mark))
    with_error = "none"
    try:
        await ctx.once("fails", _fails)
    except ZeroDivisionError as error:
        with_error = type(error).__name__
    return f"{name.name} {first == again} {with_error}"


def _made(mark: str) -> str:
    with Path(mark).open("a") as file:
        file.write("made\n")
    return f"made in {os.getpid()}"


async def _fails() -> str:
    raise ZeroDivisionError


async def declined(ctx: Context) -> str:
    """What a tool sees of an answer that is none."""
    try:
        return (await ctx.ask(Name, "Your name?")).name
    except errors.ToolError as error:
        return f"{type(error).__name__} {getattr(error, 'action', '')} {error.message}"


async def incapable(ctx: Context) -> str:
    """Needs what the caller may not have."""
    try:
        return (await ctx.sample("poem", max_tokens=9)).text
    except MissingCapability as error:
        return f"{error.required} {ctx.can('sampling')} {ctx.can('elicitation')}"


async def impatient(ctx: Context) -> str:
    """Withdraws its question."""
    try:
        async with asyncio.timeout(0.2):
            await ctx.ask(Name, "Your name?")
    except TimeoutError:
        return "nobody answered"
    return "somebody did"


async def page(ctx: Context) -> str:
    """A page that is said to be done by another page."""
    await ctx.ask_url("https://example.com/login", "Log in", until=VISITS)
    return "logged in"


async def simple_page(ctx: Context) -> str:
    """A page."""
    await ctx.ask_url("https://example.com/login", "Log in")
    return "opened"


async def by_steps(ctx: Context) -> str:
    """Questions of steps, and one of its own."""
    first = await ctx.part(0, 50, "first").call("greet")
    name = (await ctx.ask(Name, "And yours?")).name
    return f"{first} {name}: {await ctx.call('greet')}"


ALL = [greet, greet_in_a_thread, three, once, declined, incapable, impatient, page, simple_page, by_steps]
HERE = {each.__name__: tool(each) for each in ALL}
THERE = {each.__name__: tool(placement="process")(each) for each in ALL}
