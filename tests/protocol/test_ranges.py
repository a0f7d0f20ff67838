"""Range, by RFC 9110, section 14."""

from __future__ import annotations

import pytest

from mcp_app.protocol.http.ranges import RangeNotSatisfiable, Slice, applies, asked_for

SIZE = 10_000


@pytest.mark.parametrize(
    ("field", "start", "end"),
    [  # the examples of 14.1.2
        ("bytes=0-499", 0, 500),
        ("bytes=500-999", 500, 1000),
        ("bytes=-500", 9500, 10_000),
        ("bytes=9500-", 9500, 10_000),
        ("bytes=0-0", 0, 1),
        ("bytes=-1", 9999, 10_000),
        ("bytes=0-999999", 0, 10_000),
        ("bytes=-999999", 0, 10_000),
        ("bytes=9999-" + "9" * 5000, 9999, 10_000),
        ("BYTES=0-", 0, 10_000),
        (" bytes=0000-0001\t", 0, 2),
        ("bytes= ,0-1, ,", 0, 2),
    ],
)
def test_one_range(field: str, start: int, end: int) -> None:
    found = asked_for(field, SIZE)
    assert found == Slice(start, end)
    assert found.content_range(SIZE) == f"bytes {start}-{end - 1}/10000"


@pytest.mark.parametrize(
    "field",
    [
        *(None, "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "bytes=1-2,5-6", "items=0-1"),
        *("bytes=0-1 x", "bytes=+1-2", "bytes=\u0661-\u0662", "bytes=--5", "bytes 0-1", "bytes=0x1-2"),
    ],
)
def test_what_is_ignored(field: str | None) -> None:
    assert asked_for(field, SIZE) is None


@pytest.mark.parametrize("field", ["bytes=10000-", "bytes=10000-10001", "bytes=-0", "bytes=" + "9" * 5000 + "-"])
def test_what_cannot_be_satisfied(field: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        asked_for(field, SIZE)
    assert caught.value.status == 416
    assert caught.value.headers == {"Content-Range": "bytes */10000"}


def test_of_nothing_there_is_no_range() -> None:
    for field in ("bytes=0-0", "bytes=-1"):
        with pytest.raises(RangeNotSatisfiable):
            asked_for(field, 0)


@pytest.mark.parametrize(
    ("if_range", "heeded"),
    [
        *((None, True), ('"a"', True), (' "a" ', True), ('W/"a"', False), ('"b"', False)),
        *(("Sat, 29 Oct 1994 19:43:31 GMT", False), ("", False)),
    ],
)
def test_if_range(if_range: str | None, heeded: bool) -> None:
    assert applies(if_range, '"a"') is heeded
