"""Tools of every kind that a client under test calls. Not a test; no test's expectations belong here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from pydantic import BaseModel, Field

from mcp_app import Context, Image, Message, Result, ToolError, complete, prompt, resource, tool
from mcp_app.protocol.errors import RequestError

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100"
    "18dd8db00000000049454e44ae426082"
)


class OutOfStock(ToolError):
    code = "out_of_stock"
    status = 409

    def __init__(self, thing: str) -> None:
        super().__init__(f"There is no {thing} left.", hint="Take another.")
        self.thing = thing


class Name(BaseModel):
    name: str
    age: int = 0


@tool(read_only=True)
async def add(a: int, b: int) -> int:
    """The sum."""
    return a + b


@tool(read_only=True)
async def steps(ctx: Context, n: int = 3) -> dict[str, int]:
    """One progress for each step, a log line and a part."""
    for number in range(1, n + 1):
        await ctx.progress(number, n, f"step {number}")
    await ctx.log("warning", "nearly", data={"left": 1})
    await ctx.partial({"part": 1})
    return {"n": n}


@tool(read_only=True)
async def count(upto: int) -> AsyncIterator[int]:
    """Yield numbers."""
    for number in range(upto):
        COUNTED.append(number)
        yield number


COUNTED: list[int] = []


@tool(read_only=True)
async def wait(ctx: Context, seconds: float = 40) -> str:
    """Say one word, then wait."""
    await ctx.progress(1, None, "began")
    try:
        await asyncio.sleep(seconds)
    finally:
        ENDED.append(ctx.cancel_reason)
    return "waited"


ENDED: list[str | None] = []


@tool
def in_thread(text: str) -> str:
    """A plain function."""
    logging.getLogger("author").warning("in a thread: %s", text)
    time.sleep(0.01)
    return text


@tool
async def refuse() -> str:
    raise ToolError("There is no such domain.", hint="Look for a typing mistake.")


@tool
async def sell(thing: str) -> str:
    raise OutOfStock(thing)


@tool
async def broken() -> str:
    raise KeyError("a secret of the server")


@tool
async def greet(ctx: Context) -> str:
    """Ask the user, and the client's model."""
    name = await ctx.ask(Name, "Who are you?", key="who")
    line = await ctx.sample("A greeting, please", max_tokens=10, key="line")
    return f"{line.text}, {name.name}"


@tool
async def look(ctx: Context) -> list[str]:
    """Ask for the roots."""
    return [root.uri for root in await ctx.roots(key="where")]


@tool
async def open_page(ctx: Context) -> str:
    await ctx.ask_url("https://example.com/login", "Log in", key="page")
    return "opened"


@tool(task="must")
async def long_work(ctx: Context, ask: bool = False) -> str:
    """A task."""
    await asyncio.sleep(600)
    if ask:
        return f"done for {(await ctx.ask(Name, 'For whom?', key='who')).name}"
    return "done"


@tool
async def picture() -> Image:
    return Image(PNG)


@tool
async def loud(ctx: Context) -> str:
    await ctx.progress(1, 2, "half")
    await ctx.partial({"of": "loud"})
    await ctx.log("info", "a line")
    return "said"


@tool
async def calling(ctx: Context) -> str:
    """Call another tool."""
    return str(await ctx.call(loud))


@tool
async def report() -> Result[dict[str, int]]:
    return Result({"rows": 1}, text="One row.", content=Image(PNG), meta={"com.example/took": 3})


@tool
async def untyped_report():  # type: ignore[no-untyped-def]
    return Result([1, 2], text="Two.")


@tool
async def header(name: str, ctx: Context) -> str | None:
    return ctx.headers.get(name)


@tool
def regional(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
    return f"in {region}"


@tool
async def refused_late() -> Any:
    raise RequestError.__subclasses__()[0]("not of a tool")


@resource("test://text", mime_type="text/plain")
def text() -> str:
    return "the text"


@resource("test://photos/{user}", mime_type="image/png")
def photo(
    user: Annotated[str, complete(lambda typed, _: [n for n in ("ada", "alan") if n.startswith(typed)])],
) -> bytes:
    return PNG


@prompt
def advise(
    topic: Annotated[str, complete(lambda typed, chosen: [f"{typed}!", *chosen.values()])], tone: str = ""
) -> list[Message]:
    """Advise."""
    return [Message("user", f"Advise on {topic}."), Message("assistant", tone or "Gladly.")]
