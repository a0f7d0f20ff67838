"""What is too large for an event is kept, and a link stands in its place: which part, by which bound."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from mcp_app.protocol.errors import EventTooLarge
from mcp_app.protocol.event import Shape, encode
from mcp_app.protocol.linked import LINK_BYTES, MAX_RESULT_BYTES, URI, Kept, link, split

RUN = "0123456789abcdef" * 2
ROOM = 20_000


class Keeping:
    def __init__(self) -> None:
        self.kept: list[Kept] = []

    def __call__(self, kept: Kept) -> dict[str, Any]:
        self.kept.append(kept)
        return link(RUN, len(self.kept), kept, "large")


def fit(value: Any, shape: Shape = Shape.VALUE, room: int = ROOM) -> tuple[Any, Shape, list[Kept]]:
    given, keeping = encode(value), Keeping()
    found = split(given, shape, room)
    if found is None:
        assert len(given) <= room
        return value, shape, []
    data = found.linked(keeping)
    assert len(data) <= room
    assert keeping.kept == list(found.kept.values())
    return json.loads(data), found.shape, keeping.kept


def picture(size: int) -> dict[str, Any]:
    return {"type": "image", "data": base64.b64encode(bytes(size)).decode(), "mimeType": "image/png"}


def test_what_fits_is_left_as_it_is() -> None:
    text = "x" * (ROOM - 2)
    assert fit(text) == (text, Shape.VALUE, [])
    blocks = [{"type": "text", "text": "x" * 100}]
    assert fit(blocks, Shape.CONTENT) == (blocks, Shape.CONTENT, [])


@pytest.mark.parametrize(
    ("value", "data", "mime_type", "name"),
    [
        ("é" * ROOM, "é".encode() * ROOM, "text/plain", "result-1.txt"),
        (["x" * ROOM], encode(["x" * ROOM]), "application/json", "result-1.json"),
        ({"rows": [1] * ROOM}, encode({"rows": [1] * ROOM}), "application/json", "result-1.json"),
        (10**ROOM, encode(10**ROOM), "application/json", "result-1.json"),
    ],
    ids=["text", "list", "object", "number"],
)
def test_a_value_is_linked_whole(value: Any, data: bytes, mime_type: str, name: str) -> None:
    blocks, shape, kept = fit(value)
    assert shape is Shape.LINK
    assert blocks == [
        {
            "type": "resource_link",
            "uri": f"run://{RUN}/results/1",
            "name": name,
            "description": "large",
            "mimeType": mime_type,
            "size": len(data),
        }
    ]
    assert kept == [Kept(data, mime_type, text=True)]


def test_of_content_the_largest_blocks_are_linked_and_no_more_than_necessary() -> None:
    texts = [{"type": "text", "text": "a" * 7000}, {"type": "text", "text": "b" * 8000}]
    blocks, shape, kept = fit([texts[0], picture(30_000), texts[1]], Shape.CONTENT)
    assert shape is Shape.LINKED
    assert [block["type"] for block in blocks] == ["text", "resource_link", "text"]
    assert (blocks[0], blocks[2]) == (texts[0], texts[1])
    assert kept == [Kept(bytes(30_000), "image/png", text=False)]
    assert (blocks[1]["size"], blocks[1]["name"]) == (30_000, "result-1.png")


def test_the_order_of_blocks_is_that_of_their_links() -> None:
    blocks, _, kept = fit([picture(20_000), picture(40_000), picture(30_000)], Shape.CONTENT)
    assert [block["size"] for block in blocks] == [len(each.data) for each in kept] == [20_000, 40_000, 30_000]
    assert [block["uri"][-1] for block in blocks] == ["1", "2", "3"]


def test_a_resource_keeps_its_name_its_address_and_what_it_was() -> None:
    annotations = {"priority": 1.0}
    rows = {"uri": "file:///my%20rows.csv", "mimeType": "text/csv", "text": "a,b\n" * 9000}
    blob = {"uri": "test://x/", "mimeType": "application/zip", "blob": base64.b64encode(bytes(30_000)).decode()}
    given = [{"type": "resource", "resource": each, "annotations": annotations} for each in (rows, blob)]
    blocks, _, kept = fit(given, Shape.CONTENT)
    assert [(each["name"], each["title"], each["annotations"]) for each in blocks] == [
        ("my rows.csv", "file:///my%20rows.csv", annotations),
        ("x", "test://x/", annotations),
    ]
    assert kept[0].contents("u") == {"uri": "u", "mimeType": "text/csv", "text": rows["text"]}
    assert kept[1].contents("u") == {"uri": "u", "mimeType": "application/zip", "blob": blob["blob"]}


def test_many_small_blocks_are_linked_as_one_list() -> None:
    given = [{"type": "text", "text": "x" * (LINK_BYTES // 2)}] * 50
    blocks, shape, kept = fit(given, Shape.CONTENT)
    assert shape is Shape.LINK
    assert len(blocks) == 1
    assert json.loads(kept[0].data) == given


@pytest.mark.parametrize(
    ("value", "shape", "size"),
    [
        ("x" * (MAX_RESULT_BYTES + 1), Shape.VALUE, MAX_RESULT_BYTES + 1),
        (["x" * MAX_RESULT_BYTES], Shape.VALUE, MAX_RESULT_BYTES + 4),
        ([picture(30_000), picture(MAX_RESULT_BYTES + 1)], Shape.CONTENT, MAX_RESULT_BYTES + 1),
        ([{"type": "text", "text": "x" * (MAX_RESULT_BYTES + 1)}], Shape.CONTENT, MAX_RESULT_BYTES + 1),
    ],
    ids=["text", "list", "picture", "block"],
)
def test_what_is_larger_still_is_refused_with_its_size_and_the_bound(value: Any, shape: Shape, size: int) -> None:
    with pytest.raises(EventTooLarge, match=f"A result of {size} bytes is larger than the {MAX_RESULT_BYTES} bytes"):
        split(encode(value), shape, ROOM)


def test_the_largest_of_all_is_kept() -> None:
    for value in ("x" * MAX_RESULT_BYTES, "\x00" * MAX_RESULT_BYTES):
        assert [len(each.data) for each in fit(value)[2]] == [MAX_RESULT_BYTES]
    assert [len(each.data) for each in fit([picture(MAX_RESULT_BYTES)], Shape.CONTENT)[2]] == [MAX_RESULT_BYTES]


def test_a_link_is_small_whatever_the_names_in_it() -> None:
    long = "x" * 1_000_000
    block = link(RUN, 1, Kept(b"", "image/png", text=False, name=long, title=long), "large")
    assert len(encode(block)) < LINK_BYTES


@pytest.mark.parametrize("uri", [f"run://{RUN}/results/1", f"run://{RUN}/results/123456789"])
def test_addresses(uri: str) -> None:
    assert URI.fullmatch(uri)


@pytest.mark.parametrize(
    "uri",
    [
        f"run://{RUN}/results/0",
        f"run://{RUN}/results/01",
        f"run://{RUN}/results/",
        f"run://{RUN[1:]}/results/1",
        f"run://{RUN.upper()}/results/1",
        f"run://{RUN}/results/1\n",
        f"run://{RUN}/results/1/2",
        f"x-run://{RUN}/results/1",
    ],
)
def test_no_addresses(uri: str) -> None:
    assert URI.fullmatch(uri) is None
