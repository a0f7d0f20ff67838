"""Events and entries as values: what they weigh, which ends a stream, and how values are encoded."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.protocol import plain_events
from mcp_app.protocol.event import Event, EventType, decode, encode, number

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))  # what UTF-8 can carry


def test_the_words_of_the_wire() -> None:
    assert list(dict.fromkeys(plain_events.WORDS.values())) == [
        "started", "restarted", "progress", "log", "ask", "let_go", "complete", "input_required", "error",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", list(EventType))
def test_which_events_are_last(kind: EventType) -> None:
    assert Event(kind, b"1").last is (kind.value in {"complete", "input_required", "error"})


def test_an_event_weighs_its_data_and_its_metadata() -> None:
    assert Event(EventType.LOG, b"12345").size == 5
    assert Event(EventType.LOG, b"12345", b"{}").size == 7


@pytest.mark.parametrize(
    ("value", "shown"),
    [(15.0, "15"), (15, "15"), (0.1, "0.1"), (-2.0, "-2"), (-0.0, "0"), (1e300, "1e+300"), (2.0**53, str(2.0**53))],
)
def test_numbers_as_people_write_them(value: float, shown: str) -> None:
    assert repr(number(value)) == shown


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_stays_the_same_number(value: float) -> None:
    assert number(value) == value
    assert len(repr(number(value))) < 30


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)
    )
)
def test_encoded_values_are_one_line_of_the_same_json(value: Any) -> None:
    encoded = encode(value)
    assert json.loads(encoded) == value
    assert encoded.decode().splitlines() == [encoded.decode()], "one line, whoever splits it"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("\u2028", r"\u2028"),
        ("\u2029\x85", r"\u2029\u0085"),
        ("\\\u2028", r"\\\u2028"),  # a backslash, and then the character
        ("é\xa8\xa9", "é\xa8\xa9"),
        ("\u2027\u202a\x84\x86\ua8a9", "\u2027\u202a\x84\x86\ua8a9"),
    ],
)
def test_the_line_ends_that_only_unicode_knows_are_escaped_and_nothing_else(text: str, written: str) -> None:
    assert encode({text: [text]}).decode() == f'{{"{written}":["{written}"]}}'
    assert decode(encode(text)) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_has_no_number_for_is_null(value: float) -> None:
    assert encode({"a": [value]}) == b'{"a":[null]}'


@pytest.mark.parametrize("value", [object(), b"\xff", "\ud800", {"\udfff": 1}, [object()], {object(): 1}])
def test_what_cannot_be_encoded(value: Any) -> None:
    with pytest.raises(ValueError, match="not serialisable as JSON"):
        encode(value)


def test_what_never_ends_cannot_be_encoded() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(ValueError, match="not serialisable"):
        encode(cycle)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


@given(JSON_VALUES)
def test_what_was_encoded_is_decoded_as_json_is(value: Any) -> None:
    encoded = encode(value)
    assert decode(encoded) == json.loads(encoded)


@pytest.mark.parametrize("levels", [1, 199, 200, 210, 250])
def test_as_deep_as_can_be_encoded_can_be_decoded(levels: int) -> None:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    assert decode(encode(value)) == value
