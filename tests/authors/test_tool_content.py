"""Content out of tools: which results are blocks, what is still a declared value, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from author_calls import PNG, called, valid

from mcp_app import File, Image, Result, Text, Tool, errors, tool
from mcp_app.authoring.kind import Encoded
from mcp_app.protocol.event import Entry, Event, EventType, Shape, encode
from mcp_app.protocol.mcp.request_info import RequestInfo
from mcp_app.protocol.mcp.revisions import STATELESS_WIRE
from mcp_app.protocol.mcp.transcript import Transcript

IMAGE_BLOCK = Image(PNG).block()


@tool
def picture() -> Image:
    return Image(PNG)


@tool
def album() -> list[str | Image]:
    return ["one", Image(PNG)]


@tool
def words() -> list[str | Image]:
    return ["one", "two"]


@tool
def maybe(full: bool) -> dict[str, int] | Annotated[Image, "said of it"]:
    return Image(PNG) if full else {"a": 1}


@tool
def undeclared() -> Any:
    return (Text("one"), Image(PNG))


@pytest.mark.parametrize("each", [picture, album, words, maybe], ids=lambda each: each.name)
def test_what_declares_content_has_no_output_schema(each: Tool) -> None:
    assert each.output_schema is None


@pytest.mark.parametrize(
    ("each", "expected"),
    [
        (picture, [IMAGE_BLOCK]),
        (album, [{"type": "text", "text": "one"}, IMAGE_BLOCK]),
        (words, [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]),
        (undeclared, [{"type": "text", "text": "one"}, IMAGE_BLOCK]),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
async def test_content_is_its_blocks(each: Tool, expected: list[dict[str, Any]]) -> None:
    data, _ = await called(each, {})
    assert data == expected
    assert each.encode_result(each()).content
    valid("tools/call", {"content": data})


async def test_one_tool_may_return_content_or_a_value() -> None:
    assert (await called(maybe, {"full": True}))[0] == [IMAGE_BLOCK]
    assert (await called(maybe, {"full": False}))[0] == {"a": 1}
    assert maybe.encode_result(maybe(full=True)).content
    assert not maybe.encode_result(maybe(full=False)).content


def test_a_plain_list_is_no_content() -> None:
    @tool
    def numbers() -> list[int]:
        return [1]

    assert numbers.output_schema is not None
    assert numbers.encode_result([1]) == Encoded(b"[1]", content=False)


async def test_what_is_yielded_may_be_content() -> None:
    @tool
    def pictures() -> Iterator[Image | Result[File]]:
        yield Image(PNG)
        yield Result(File(b"text", name="a.txt"))

    data, events = await called(pictures, {})
    assert [json.loads(event.data) for event in events] == [[IMAGE_BLOCK]]
    assert data[0]["resource"]["uri"] == "file:///a.txt"


def test_what_cannot_stand_beside_content_is_the_tools_failure() -> None:
    with pytest.raises(errors.ToolFailed, match="The tool album returned what is no content: item 1 of the list"):
        album.encode_result([Image(PNG), 5])


def test_no_content_is_content_where_it_is_declared() -> None:
    assert words.encode_result([]) == Encoded(b"[]", content=True)
    assert not undeclared.encode_result([]).content


async def test_pictures_that_are_yielded_are_pictures_in_the_end() -> None:
    @tool
    def gallery() -> Iterator[str | Image]:
        yield "one"
        yield Image(PNG)

    data, events = await called(gallery, {})
    assert data is None
    transcript = Transcript(RequestInfo(1, STATELESS_WIRE, "x/", progress_token="t"))
    entries = [Entry(number, event, 0) for number, event in enumerate(events, 1)]
    told = [json.loads(transcript.add(entry) or b"")["params"] for entry in entries]
    assert [each["message"] for each in told] == ["one", "image/png"]
    assert told[1]["_meta"] == {"x/partial": [IMAGE_BLOCK]}
    last = Event(EventType.COMPLETE, b"null", encode({"items": 2}), Shape.PARTS)
    result = json.loads(transcript.response(last))["result"]
    assert result["content"] == [{"type": "text", "text": "one"}, IMAGE_BLOCK]
    valid("tools/call", {"content": result["content"]})
