"""How values of databases are spelt in JSON: the table of cells.py, and that a cell is bounded."""

from __future__ import annotations

import datetime
import json
import math
import uuid
from decimal import Decimal
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.builtin.query_database.cells import (
    CELL_CHARACTERS,
    MAX_DEPTH,
    ROW_CHARACTERS,
    SHORT_CHARACTERS,
    Room,
    cell,
    interval,
    row,
    span,
)

UTC = datetime.UTC

SPELT: list[tuple[Any, Any]] = [
    (None, None),
    (True, True),
    ("", ""),
    ("größer", "größer"),
    ("a\0b", "a\0b"),
    ("\ud800 alone", "\\ud800 alone"),
    (0, 0),
    (2**53 - 1, 2**53 - 1),
    (2**53, "9007199254740992"),
    (-(2**63), "-9223372036854775808"),
    (1.5, 1.5),
    (math.nan, "NaN"),
    (math.inf, "Infinity"),
    (-math.inf, "-Infinity"),
    (Decimal("12.50"), 12.5),
    (Decimal("10.00"), 10),
    (Decimal("0.1000000000000000055"), "0.1000000000000000055"),
    (Decimal("1E+30"), 1e30),
    (Decimal("1.00000000000000000000000001E+30"), "1000000000000000000000000010000"),
    (Decimal("1E+400"), "1" + "0" * 400),
    (Decimal("1E+999999"), "1E+999999"),
    (Decimal("NaN"), "NaN"),
    (Decimal("-Infinity"), "-Infinity"),
    (b"Hello", "\\x48656c6c6f"),
    (memoryview(b"\0\xff"), "\\x00ff"),
    (datetime.date(2026, 11, 30), "2026-11-30"),
    (datetime.datetime(2026, 11, 30, 12, 30), "2026-11-30T12:30:00"),
    (datetime.datetime(2026, 11, 30, 12, 30, tzinfo=UTC), "2026-11-30T12:30:00+00:00"),
    (datetime.time(12, 30, 0, 500_000), "12:30:00.500000"),
    (datetime.timedelta(days=3, hours=4, microseconds=1), "P3DT4H0.000001S"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (ip_network("10.0.0.0/8"), "10.0.0.0/8"),
    ([1, None, [2**60, b"\1"]], [1, None, ["1152921504606846976", "\\x01"]]),
    ((1, "a"), [1, "a"]),
    ({"a": Decimal("1.5"), "b": {"c": math.nan}}, {"a": 1.5, "b": {"c": "NaN"}}),
    ({7: "a", None: "b", True: "c", 1.5: "d"}, {"7": "a", "null": "b", "true": "c", "1.5": "d"}),
]


@pytest.mark.parametrize(("value", "spelt"), SPELT, ids=repr)
def test_each_value_has_its_spelling(value: Any, spelt: Any) -> None:
    found = cell(value)
    assert found == spelt
    assert type(found) is type(spelt)


@pytest.mark.parametrize(
    ("parts", "spelt"),
    [
        ((0, 0, 0), "PT0S"),
        ((14, 3, 14_706_500_000), "P1Y2M3DT4H5M6.5S"),
        ((-14, -3, -14_706_500_000), "P-1Y-2M-3DT-4H-5M-6.5S"),
        ((0, -1, 3_600_000_000), "P-1DT1H"),
        ((0, 0, -500_000), "PT-0.5S"),
        ((0, 0, -60_000_000), "PT-1M"),
        ((0, 0, -90_000_001), "PT-1M-30.000001S"),
        ((1, 0, 0), "P1M"),
    ],
)
def test_an_interval_keeps_months_days_and_time_apart(parts: tuple[int, int, int], spelt: str) -> None:
    assert interval(*parts) == spelt


@given(st.integers(-(10**5), 10**5), st.integers(-(10**6), 10**6), st.integers(-(2**63), 2**63 - 1))
def test_an_interval_says_what_it_is_made_of(months: int, days: int, microseconds: int) -> None:
    numbers: dict[str, Decimal] = {}
    text, time = interval(months, days, microseconds).removeprefix("P"), False
    number = ""
    for character in text:
        if character in "-.0123456789":
            number += character
        elif character == "T":
            time = True
        else:
            numbers["min" if character == "M" and time else character], number = Decimal(number), ""
    assert numbers.get("Y", 0) * 12 + numbers.get("M", 0) == months
    assert numbers.get("D", 0) == days
    seconds = numbers.get("H", 0) * 3600 + numbers.get("min", 0) * 60 + numbers.get("S", 0)
    assert seconds * 1_000_000 == microseconds


def test_a_range_is_written_as_mathematics_does() -> None:
    day = datetime.date(2026, 11, 30)
    room = Room(100)
    assert span(1, 5, lower_inclusive=True, upper_inclusive=False, room=room) == "[1,5)"
    assert span(None, day, lower_inclusive=False, upper_inclusive=True, room=room) == "(,2026-11-30]"


def test_a_long_text_says_how_long_it_was() -> None:
    assert cell("Once upon a time", 9) == "Once upon… (9 of 16 characters)"
    assert cell("Once upon", 9) == "Once upon"
    assert cell(b"\1" * 1000, 6) == "\\x010101… (3 of 1000 bytes)"


def test_what_is_too_long_in_an_array_or_an_object_says_so() -> None:
    assert cell(list(range(10)), 8) == [0, 1, 2, 3, "… (4 of 10 items)"]
    assert cell(["abc", "defgh", "i"], 6) == ["abc", "d… (1 of 5 characters)", "… (2 of 3 items)"]
    assert cell({"abc": "def", "g": 1}, 6) == {"abc": "def", "…": "1 of 2 members"}
    found = cell([None] * 10_000_000)
    assert isinstance(found, list)
    assert found[-1] == f"… ({CELL_CHARACTERS} of 10000000 items)"


def test_what_is_nested_without_end_has_one() -> None:
    value: list[Any] = []
    value.append(value)
    found: Any = cell(value)
    for _ in range(MAX_DEPTH):
        (found,) = found
    assert found == "… (nested too deeply)"


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text(st.characters())
    | st.text(st.characters(categories=["Cs"]))
    | st.binary()
    | st.dates()
    | st.datetimes(timezones=st.none() | st.just(UTC))
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.ip_addresses()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.none(), inner),
    max_leaves=50,
)


@given(values, st.integers(0, 200))
def test_whatever_it_is_it_becomes_json_of_about_so_many_characters(value: Any, limit: int) -> None:
    text = json.dumps(cell(value, limit), allow_nan=False, ensure_ascii=False)
    text.encode()
    # Each level says once what was left out; a number, and what escapes a character, are not cut.
    assert len(text) <= 6 * limit + 90 * (MAX_DEPTH + 1)


@given(st.lists(values, max_size=20))
def test_a_row_is_its_cells(made: list[Any]) -> None:
    assert row(made) == [cell(each) for each in made]


def test_a_row_of_many_long_cells_is_cut_as_well() -> None:
    found = row(["x" * 10_000] * 1_000)
    assert found[0] == "x" * CELL_CHARACTERS + f"… ({CELL_CHARACTERS} of 10000 characters)"
    assert found[-1] == "x" * SHORT_CHARACTERS + f"… ({SHORT_CHARACTERS} of 10000 characters)"
    kept = sum(str(each).count("x") for each in found)
    assert kept <= ROW_CHARACTERS + 1_000 * SHORT_CHARACTERS
