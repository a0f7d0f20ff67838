"""Progress as notifications: built of bytes that are there, and the same as if it had been parsed and written anew."""

from __future__ import annotations

import itertools
import json
import math
import struct
import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcp_app.protocol.event import Event, EventType, Shape, encode, number
from mcp_app.protocol.mcp.progress import Progress

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False).map(number)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["message", "a"]) | TEXTS, inner),
)


def told(data: Any, metadata: bytes = b"") -> Event:
    return Event(EventType.PROGRESS, encode(data), metadata)


def params(message: bytes) -> dict[str, Any]:
    said = json.loads(message)
    assert (said["jsonrpc"], said["method"], len(said)) == ("2.0", "notifications/progress", 3)
    found: dict[str, Any] = said["params"]
    return found


@given(TEXTS | st.integers(), NUMBERS, st.none() | NUMBERS, st.none() | TEXTS)
def test_what_ctx_progress_said(token: str | int, done: float, total: float | None, message: str | None) -> None:
    numbers = {"progress": done} if total is None else {"progress": done, "total": total}
    event = Event(EventType.PROGRESS, encode({} if message is None else {"message": message}), encode(numbers))
    expected = {"progressToken": token, **numbers} | ({"message": message} if message else {})
    assert params(Progress(token, "com.example/").reported(event)) == expected


@pytest.mark.parametrize(("message", "text"), [(5, "5"), ([1, "a"], '[1,"a"]'), ({"message": "x"}, '{"message":"x"}')])
def test_a_message_that_is_no_text_is_a_message_all_the_same(message: Any, text: str) -> None:
    shown = params(Progress("t", "com.example/").reported(told({"message": message}, b'{"progress":1}')))
    assert shown == {"progressToken": "t", "progress": 1, "message": text}


@given(TEXTS, st.none() | NUMBERS, st.none() | NUMBERS, st.booleans(), JSON)
def test_what_was_partial(line: str, done: float | None, total: float | None, content: bool, data: Any) -> None:
    given = {"progress": done, "total": total, "content": True if content else None}
    said = {name: value for name, value in given.items() if value is not None}
    metadata = encode(said) if said else b""
    event = Event(EventType.PARTIAL, encode(data), metadata, Shape.CONTENT if content else Shape.VALUE)
    shown = params(Progress("t", "com.example/").partial(event, line))
    assert shown.pop("_meta") == {"com.example/partial": data}
    assert shown.pop("progress") == (2**-10 if done is None else done)
    assert shown.pop("message", "") == line
    assert shown == {"progressToken": "t"} | ({} if total is None else {"total": total})


@given(st.lists(st.none() | NUMBERS))
@example([sys.float_info.max, None, 5, sys.float_info.max])
def test_the_number_grows_by_the_tools_own_where_that_grows(given: list[float | None]) -> None:
    progress = Progress(1, "com.example/")
    shown = [
        params(progress.reported(told({}, b"" if each is None else encode({"progress": each, "total": 9}))))["progress"]
        for each in given
    ]
    assert all(before < after or before == sys.float_info.max for before, after in itertools.pairwise(shown))
    at = -math.inf
    for each, said in zip(given, shown, strict=True):
        assert isinstance(said, int | float)
        if each is not None and each > at:
            assert said == each
        at = said


@pytest.mark.parametrize(
    ("message", "shown"), [(5, "5"), (True, "true"), ([1], "[1]"), ({"a": "b"}, '{"a":"b"}'), ('"', '"'), ("\\", "\\")]
)
def test_a_message_is_text_whatever_the_author_gave(message: Any, shown: str) -> None:
    assert params(Progress("t", "com.example/").reported(told({"message": message})))["message"] == shown


def single(value: float) -> float:
    """The number as a client reads it that keeps progress in 32 bits, as some do."""
    kept: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return kept


def keepalives(progress: Progress, count: int) -> list[dict[str, Any]]:
    return [params(progress.keepalive("working")) for _ in range(count)]


def test_where_a_tool_can_report_nothing_its_notifications_are_counted() -> None:
    progress = Progress("t", "com.example/", counts=True)
    shown = [*keepalives(progress, 2), params(progress.partial(told("an item"), "an item")), *keepalives(progress, 1)]
    assert [each["progress"] for each in shown] == [1, 2, 3, 4]
    assert all(type(each["progress"]) is int and "total" not in each for each in shown)
    assert [each["message"] for each in shown] == ["working", "working", "an item", "working"]


def report(progress: Progress, done: float, total: float | None = None) -> dict[str, Any]:
    return params(progress.reported(told({}, encode({"progress": done} | ({} if total is None else {"total": total})))))


@pytest.mark.parametrize(("first", "total"), [(0.01, 1), (1, 10), (1, 100), (0.5, None)])
def test_the_tools_first_number_stands_after_ten_heartbeats(first: float, total: float | None) -> None:
    progress = Progress("t", "com.example/")
    shown = [each["progress"] for each in keepalives(progress, 10)]
    assert shown[0] > 0
    assert all(single(before) < single(after) for before, after in itertools.pairwise(shown))
    assert report(progress, first, total)["progress"] == first


@pytest.mark.parametrize(
    ("done", "following", "total"),
    [
        (5, 6, 10),
        (5, 6, None),
        (0.5, 0.51, 1),
        (0, 1, 3),
        (999_999, 1_000_000, 10**7),
        (0.001, 0.002, 1),
        (-3, -2, None),
    ],
)
def test_heartbeats_are_between_two_numbers_of_the_tool(done: float, following: float, total: float | None) -> None:
    progress = Progress("t", "com.example/")
    assert report(progress, done, total)["progress"] == done
    count = 4 if done > 1000 else 240  # a minute, or an hour of them
    shown = [done, *(each["progress"] for each in keepalives(progress, count))]
    assert all(single(before) < single(after) for before, after in itertools.pairwise(shown))
    assert shown[-1] < following
    assert report(progress, following, total)["progress"] == following


def test_a_heartbeat_has_the_tools_last_total_until_that_is_reached() -> None:
    progress = Progress("t", "com.example/")
    assert "total" not in keepalives(progress, 1)[0]
    report(progress, 3, 4)
    assert keepalives(progress, 1)[0]["total"] == 4
    report(progress, 4, 4)
    assert "total" not in keepalives(progress, 1)[0]


def test_a_long_row_of_messages_never_stops_growing() -> None:
    progress = Progress("t", "com.example/")
    shown = [params(progress.reported(told({"message": "m"})))["progress"] for _ in range(20_000)]
    assert all(single(before) < single(after) for before, after in itertools.pairwise(shown))
    assert shown[-1] < 20
