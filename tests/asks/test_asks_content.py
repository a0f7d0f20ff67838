"""What a tool returns as MCP's content reaches the client as that, and not as JSON in a text."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from asks_schema import ended

from mcp_app import Context, Image, Result, Text, tool
from mcp_app.testing import ClientRun, ProgressEvent, client

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8


async def called(function: Callable[..., Any]) -> ClientRun:
    """A call of the function, which has ended."""
    async with client(tool(function), era="2026-07-28") as c:
        run = c.run(function.__name__)
        await ended(run)
    return run


async def picture() -> Image:
    return Image(PNG, mime_type="image/png")


def mixed() -> list[str | Image]:
    return ["a picture:", Image(PNG, mime_type="image/png")]


def generated() -> Iterator[Any]:
    yield "working"
    yield Result(Image(PNG, mime_type="image/png"))


async def plain() -> dict[str, int]:
    return {"a": 1}


async def test_content_is_content() -> None:
    [block] = (await called(picture)).content
    assert (block["type"], block["mimeType"]) == ("image", "image/png")
    assert [each["type"] for each in (await called(mixed)).content] == ["text", "image"]
    assert [each["type"] for each in (await called(generated)).content] == ["image"]


async def test_a_value_is_text_and_structure() -> None:
    run = await called(plain)
    assert run.text == '{"a":1}'
    assert run.result == {"a": 1}


async def test_a_part_may_be_content() -> None:
    async def parts(ctx: Context) -> str:
        await ctx.partial(Text("half"))
        await ctx.partial({"b": 2}, progress=2, total=3)
        return "whole"

    run = await called(parts)
    given = [event for event in run.events if isinstance(event, ProgressEvent)]
    assert [event.data for event in given] == [[{"type": "text", "text": "half"}], {"b": 2}]
    numbers = [event.progress for event in given]
    assert numbers == sorted(set(numbers))
    [name] = given[0].raw["params"]["_meta"]
    assert run.metadata[name] == [event.data for event in given]


async def test_items_without_a_result_are_the_result() -> None:
    async def items() -> AsyncIterator[int]:
        for each in range(3):
            yield each

    assert [each["text"] for each in (await called(items)).content] == ["0", "1", "2"]
