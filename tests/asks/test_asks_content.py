"""What a tool returns as MCP's content reaches the client as that, and not as JSON in a text."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from asks_stage import Server

from mcp_app import Context, Image, Result, Text

Make = Callable[..., Server]
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8
PARTIAL_LIMIT = 200


async def picture() -> Image:
    return Image(PNG, mime_type="image/png")


def mixed() -> list[str | Image]:
    return ["a picture:", Image(PNG, mime_type="image/png")]


def generated() -> Iterator[Any]:
    yield "working"
    yield Result(Image(PNG, mime_type="image/png"))


async def plain() -> dict[str, int]:
    return {"a": 1}


async def test_content_is_content(serve: Make) -> None:
    server = serve(picture, mixed, generated)
    [block] = (await server.call("picture")).result["content"]
    assert (block["type"], block["mimeType"]) == ("image", "image/png")
    blocks = (await server.call("mixed")).result["content"]
    assert [each["type"] for each in blocks] == ["text", "image"]
    blocks = (await server.call("generated")).result["content"]
    assert [each["type"] for each in blocks] == ["image"]


async def test_a_value_is_text_and_structure(serve: Make) -> None:
    said = (await serve(plain).call("plain")).result
    assert said["content"] == [{"type": "text", "text": '{"a":1}'}]
    assert said["structuredContent"] == {"a": 1}


async def test_a_part_may_be_content(serve: Make) -> None:
    async def parts(ctx: Context) -> str:
        await ctx.partial(Text("half"))
        await ctx.partial({"b": 2}, progress=2, total=3)
        return "whole"

    said = await serve(parts).call("parts", meta={"progressToken": "t"})
    metas = [each["params"]["_meta"] for each in said.before]
    [name] = metas[0]
    assert metas[0][name] == [{"type": "text", "text": "half"}]
    assert metas[1][name] == {"b": 2}
    numbers = [each["params"]["progress"] for each in said.before]
    assert numbers == sorted(set(numbers))
    assert said.result["_meta"][name] == [[{"type": "text", "text": "half"}], {"b": 2}]


async def test_items_without_a_result_are_the_result(serve: Make) -> None:
    async def items() -> AsyncIterator[int]:
        for each in range(3):
            yield each

    said = await serve(items).call("items")
    assert [each["text"] for each in said.result["content"]] == ["0", "1", "2"]
