"""Content out of tools: which results are blocks, what is still a declared value, and what is refused."""

from __future__ import annotations

import json
from collections import abc, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from author_calls import PNG, called, valid
from pydantic import BaseModel
from typing_extensions import TypeAliasType

from mcp_app import (
    EmbeddedResource,
    File,
    Image,
    Message,
    Resources,
    Result,
    Text,
    Tool,
    ToolDefinitionError,
    errors,
    prompt,
    resource,
    tool,
)
from mcp_app.authoring.kind import Encoded
from mcp_app.protocol.access import ANONYMOUS
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


class Facts(BaseModel):
    size: int


class Captioned(NamedTuple):
    picture: Image
    caption: str


class Measured(NamedTuple):
    picture: Image
    size: int


class Chain(NamedTuple):
    picture: Image
    rest: Chain | None


Either = TypeAliasType("Either", Annotated[Image, "a"] | Annotated[Facts, "b"])


def returning(annotation: Any) -> Any:
    def made() -> Any: ...

    made.__annotations__["return"] = annotation
    return made


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (tuple[Image, dict[str, int]], "dict"),
        (tuple[Image, Facts], "Facts"),
        (list[Image | Facts], "Facts"),
        (list[Either], "Facts"),
        (Annotated[list[Either], "c"] | None, "Facts"),
        (list[Image | None], "None"),
        (list[Image | list[str]], "list"),
        (Sequence[Image | Literal[1, 2]], "Literal"),
        (Iterable[Image | bytes], "bytes"),
        (abc.Set[Text | int], "int"),
        (deque[File | int], "int"),
        (Measured, "int"),
        (Chain, "Chain"),
        (Iterator[tuple[Image, int]], "int"),
        (Iterator[int | Result[tuple[Image, int]]], "int"),
    ],
    ids=str,
)
def test_what_cannot_stand_beside_content_is_refused_when_it_is_declared(annotation: Any, said: str) -> None:
    with pytest.raises(
        ToolDefinitionError, match=rf"made: it declares {said} in one list.*as in `list\[Image \| str\]`"
    ):
        tool(returning(annotation))


@pytest.mark.parametrize(
    "annotation",
    [
        list[Image] | list[Facts],
        list[Image] | dict[str, int],
        list[Image | Literal["none"]],
        list[Image | Any],
        dict[str, Image | int],
        list[dict[str, Image]],
        list[list[Image | int]],
        tuple[str, Image],
        tuple[Image, ...],
        Image | Facts | None,
        Captioned,
        Any,
    ],
    ids=str,
)
def test_what_can_stand_there_is_not(annotation: Any) -> None:
    assert tool(returning(annotation))


def test_prompts_and_resources_have_rules_of_their_own() -> None:
    assert prompt(returning(list[Message | Image]))
    assert resource("a://a")(returning(list[EmbeddedResource | Text]))


def _generated(items: list[Any]) -> Iterator[Any]:
    yield from items


def _mapped(items: list[Any]) -> Iterator[Any]:
    return map(Image, [PNG] * len(items))


@pytest.mark.parametrize("make", [list, tuple, set, frozenset, deque, iter, _generated, _mapped])
@pytest.mark.parametrize("annotation", [list[Image], Iterable[Image | str], tuple[Image, ...]])
def test_pictures_are_pictures_in_whatever_holds_them(annotation: Any, make: Any) -> None:
    encoded = tool(returning(annotation)).encode_result(make([Image(PNG)]))
    assert encoded == Encoded(encode([IMAGE_BLOCK]), content=True)


@pytest.mark.parametrize("annotation", [Any, list, set[Image], deque[Image], frozenset[Image]])
@pytest.mark.parametrize("make", [set, frozenset, deque])
def test_they_are_where_little_is_declared_and_where_arrays_without_order_are(annotation: Any, make: Any) -> None:
    encoded = tool(returning(annotation)).encode_result(make([Image(PNG)]))
    assert encoded == Encoded(encode([IMAGE_BLOCK]), content=True)


def test_a_named_tuple_of_content_is_its_blocks() -> None:
    made = tool(returning(Captioned))
    assert made.output_schema is None
    encoded = made.encode_result(Captioned(Image(PNG), "one"))
    assert encoded == Encoded(encode([IMAGE_BLOCK, {"type": "text", "text": "one"}]), content=True)


def test_a_resource_has_several_contents_in_any_array() -> None:
    reading, _ = Resources([resource("a://a")(returning(Any))]).match("a://a", ANONYMOUS)
    for make in (list, tuple, set, frozenset, deque):
        data = json.loads(reading.encode_result(make([File(b"text", name="a.txt")])).data)
        assert data["contents"][0]["uri"] == "file:///a.txt"


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
