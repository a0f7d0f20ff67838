"""What of a result that is too large is kept where there is something beside its data: which part, by which bound."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.protocol.beside import NOTHING, Beside, divide
from mcp_app.protocol.errors import EventTooLarge
from mcp_app.protocol.event import Event, EventType, Shape, encode
from mcp_app.protocol.linked import LINK_BYTES, MAX_RESULT_BYTES, Kept, link

RUN = "0123456789abcdef" * 2
ROOM = 64_000


def picture(size: int) -> dict[str, Any]:
    return {"type": "image", "data": base64.b64encode(bytes(size)).decode(), "mimeType": "image/png"}


class Fitted:
    """A result as an event has it, and what was kept of it."""

    def __init__(self, value: Any, beside: Beside, *, shape: Shape = Shape.VALUE, room: int = ROOM) -> None:
        self.kept: list[Kept] = []
        data, encoded = encode(value), beside.encoded()
        found = divide(data, shape, encoded, room)
        self.shape = shape
        if found is not None:
            data, self.shape, encoded = found.linked(self._keep, data, shape)
        assert len(data) + len(encoded) <= room
        self.beside = Beside.decoded(encoded)

    def _keep(self, kept: Kept) -> dict[str, Any]:
        self.kept.append(kept)
        return link(RUN, len(self.kept), kept, "large")

    @property
    def content(self) -> list[str]:
        return [each["type"] for each in self.beside.content]


def test_it_is_one_object_with_what_there_is() -> None:
    assert Beside().encoded() == NOTHING.encoded() == b""
    assert Beside.decoded(b"") == NOTHING
    assert Beside(text="").encoded() == b'{"text":""}'
    found = Beside("t", [{"type": "text", "text": "x"}], {"a": 1})
    assert Beside.decoded(found.encoded()) == found
    event = Event(EventType.COMPLETE, b"1", b'{"events":2,"beside":%b}' % found.encoded(), beside=True)
    assert Beside.of(event) == found
    assert Beside.of(Event(EventType.COMPLETE, b"1", b'{"events":2}')) == NOTHING


def test_what_fits_is_left_as_it_is() -> None:
    beside = Beside("t", [picture(1000)])
    left = ROOM - len(beside.encoded())
    assert divide(b"x" * left, Shape.VALUE, beside.encoded(), ROOM) is None
    assert Fitted("x" * (left - 1), beside).kept != []


def test_pictures_are_linked_before_data_which_stays_for_who_validates_it() -> None:
    fitted = Fitted({"rows": "x" * 40_000}, Beside("t", [picture(30_000), picture(6000)]))
    assert (fitted.shape, fitted.content) == (Shape.VALUE, ["resource_link", "image"])
    assert fitted.kept == [Kept(bytes(30_000), "image/png", False)]


def test_data_that_is_too_large_by_itself_is_linked_alone() -> None:
    fitted = Fitted({"rows": "x" * 100_000}, Beside("t", [picture(20_000)], {"a": 1}))
    assert (fitted.shape, fitted.content) == (Shape.LINK, ["image"])
    assert (fitted.beside.text, fitted.beside.meta) == ("t", {"a": 1})
    assert [each.mime_type for each in fitted.kept] == ["application/json"]


def test_of_data_that_is_content_only_the_large_blocks_are() -> None:
    blocks = [picture(60_000), picture(100)]
    fitted = Fitted(blocks, Beside("t", [picture(20_000)]), shape=Shape.CONTENT)
    assert (fitted.shape, fitted.content) == (Shape.LINKED, ["image"])
    assert [len(each.data) for each in fitted.kept] == [60_000]


def test_both_are_linked_where_one_is_not_enough() -> None:
    fitted = Fitted("x" * 100_000, Beside("t", [picture(60_000), picture(1000)]))
    assert (fitted.shape, fitted.content) == (Shape.LINK, ["resource_link", "image"])
    assert [each.mime_type for each in fitted.kept] == ["text/plain", "image/png"]


@pytest.mark.parametrize(
    ("value", "beside", "said"),
    [
        (1, Beside("x" * ROOM), f"beside its data of {ROOM + 11} bytes is larger than the {ROOM - LINK_BYTES} bytes"),
        (1, Beside(meta={"a": "x" * ROOM}), "What a result has beside its data of "),
        ("x" * 9000, Beside("x" * (ROOM - 4000)), "What a result has beside its data of "),
        ("x" * 90_000, Beside("x" * (ROOM - 4000), [picture(9)]), "What a result has beside its data of "),
        ("x" * (MAX_RESULT_BYTES + 1), Beside("t"), "A result of "),
        (1, Beside("t", [picture(MAX_RESULT_BYTES + 1)]), "A result of "),
    ],
)
def test_what_can_neither_be_sent_nor_kept_says_how_large_it_is(value: Any, beside: Beside, said: str) -> None:
    with pytest.raises(EventTooLarge, match=said):
        Fitted(value, beside)


SIZES = st.integers(0, 2 * ROOM)


@given(
    data=SIZES,
    text=st.none() | SIZES,
    pictures=st.lists(SIZES, max_size=5),
    blocks=st.none() | st.lists(SIZES, max_size=5),
)
def test_whatever_there_is_fits_or_is_refused(
    data: int, text: int | None, pictures: list[int], blocks: list[int] | None
) -> None:
    """`Fitted` asserts that it fits. Only what nothing can be linked of is refused."""
    beside = Beside(None if text is None else "x" * text, [picture(each) for each in pictures])
    value: Any = "x" * data if blocks is None else [picture(each) for each in blocks]
    shape = Shape.VALUE if blocks is None else Shape.CONTENT
    try:
        fitted = Fitted(value, beside, shape=shape)
    except EventTooLarge:
        fixed = len(beside._replace(content=[picture(min(each, LINK_BYTES)) for each in pictures]).encoded())
        assert fixed + LINK_BYTES > ROOM - LINK_BYTES * len(pictures)
        return
    assert fitted.beside.text == beside.text
    assert len(fitted.beside.content) == len(pictures)
