"""RFC 8259 as this server takes it: what is read, what is refused, and that nothing else can happen."""

from __future__ import annotations

import json
import math
import re
import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcp_app.protocol.errors import InvalidRequest
from mcp_app.protocol.http.strict_json import MAX_DEPTH, loads


def refused(body: bytes) -> str:
    with pytest.raises(InvalidRequest) as raised:
        loads(body)
    assert len(raised.value.message) < 300, "a message does not repeat the body"
    return raised.value.message


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"null", None),
        (b" \t\r\n true \n", True),
        (b"-0", 0),
        (b"-0.0", 0.0),
        (b"1e-400", 0.0),
        (b"1.5e3", 1500.0),
        (b"18446744073709551616", 2**64),
        (str(int(sys.float_info.max)).encode(), int(sys.float_info.max)),
        (b"-" + str(int(sys.float_info.max)).encode(), -int(sys.float_info.max)),
        (b'"\\ud83d\\ude00 \xf0\x9f\x98\x80 \\u0000 \\/"', "😀 😀 \0 /"),
        (b'{"a": {"a": 1}, "": []}', {"a": {"a": 1}, "": []}),
        # RFC 8259, 13: the standard's own example.
        (
            b'{"Image": {"Width": 800, "Animated": false, "IDs": [116, 943], "Latitude": 37.7668}}',
            {"Image": {"Width": 800, "Animated": False, "IDs": [116, 943], "Latitude": 37.7668}},
        ),
    ],
)
def test_what_is_read(body: bytes, value: Any) -> None:
    read = loads(body)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "The body is empty"),
        (b" \n\t ", "The body is empty"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8: byte 0"),
        (b'{"a": "\xc3("}', "not UTF-8: byte 7"),
        (b'"\xed\xa0\x80"', "not UTF-8: byte 1"),  # a surrogate in UTF-8's clothes
        (b'"\xc0\x80"', "not UTF-8: byte 1"),  # an overlong NUL
        (b"{'a': 1}", "not JSON: .* line 1, column 2"),
        (b'{"a": 1,}', "not JSON"),
        (b"[1 2]", "not JSON"),
        (b"// x\n1", "not JSON"),
        (b"01", "not JSON"),
        (b"+1", "not JSON"),
        (b".5", "not JSON"),
        (b"1.", "not JSON"),
        (b"0x10", "not JSON"),
        (b'"a\nb"', "not JSON"),
        (b'"a\0b"', "not JSON"),
        (b'"\\x41"', "not JSON"),
        (b'"open', "not JSON"),
        (b"{} {}", "not JSON: Extra data"),
        (b"undefined", "not JSON"),
        (b"NaN", "NaN is not JSON"),
        (b'{"a": [-Infinity]}', "-Infinity is not JSON"),
        (b"Infinity", "Infinity is not JSON"),
        (b"1e999", "out of range"),
        (b"[-1e309]", "out of range"),
        (b"9" * 310, "out of range"),
        (b"-" + b"9" * 310, "out of range"),
        (b"9" * 100_000, "out of range"),
        (str(2**1024).encode(), "out of range"),
        (b'{"a": 1, "a": 1}', '"a" stands twice'),
        (b'[{"b": {"a": 1, "\\u0061": 2}}]', '"a" stands twice'),
        (b'{"' + b"n" * 1000 + b'": 1, "' + b"n" * 1000 + b'": 1}', "stands twice"),
        (b'"\\ud800"', "half of a surrogate pair"),
        (b'["\\ude00\\ud83d"]', "half of a surrogate pair"),
        (b'{"\\ud800": 1}', "half of a surrogate pair"),
        (b'{"a": {"b": [{"\\udfff": 1}]}}', "half of a surrogate pair"),
    ],
)
def test_what_is_refused(body: bytes, says: str) -> None:
    assert re.search(says, refused(body)), refused(body)


def test_what_was_read_is_named() -> None:
    for body, says in ((b"", "params is empty"), (b"{", "params is not JSON"), (b"[" * 100, "params nests deeper")):
        with pytest.raises(InvalidRequest, match=says):
            loads(body, "params")


# --- depth -----------------------------------------------------------------------------------------------------------


def nested(depth: int, inner: str = "") -> bytes:
    opening = "".join('{"a":' if level % 2 else "[" for level in range(depth))
    closing = "".join("}" if level % 2 else "]" for level in reversed(range(depth)))
    return (opening + (inner or "1") + closing).encode()


def test_the_depth_that_is_taken_and_the_one_that_is_not() -> None:
    value, depth = loads(nested(MAX_DEPTH)), 0
    while isinstance(value, dict | list):
        value, depth = (value["a"] if isinstance(value, dict) else value[0]), depth + 1
    assert depth == MAX_DEPTH
    assert "deeper than 64" in refused(nested(MAX_DEPTH + 1))


@pytest.mark.parametrize("text", ["[" * 1000, '\\"' + "[" * 1000, '\\\\\\"{' * 100, "[{" * 500 + "\\u005b"])
def test_brackets_in_strings_are_no_depth(text: str) -> None:
    assert loads(nested(MAX_DEPTH, f'"{text}"'))
    assert refused(nested(MAX_DEPTH + 1, f'"{text}"'))


def test_many_brackets_side_by_side_are_no_depth() -> None:
    assert len(loads(b"[" + b",".join([b'[{"a]":1}]'] * 10_000) + b"]")) == 10_000


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 100 + b"]" * 100_000,
        b"]" * 100 + b"[" * 100_000,
        b'["' + b"[" * 100_000,
        b'"\\' + b"[" * 100_000,
        b'\\"' + b"[" * 100_000,
    ],
)
def test_no_nesting_reaches_the_parsers_own_limit(body: bytes) -> None:
    refused(body)


# Each took time by the square of its size, or could: at 1 MiB that is hours, so the test's bound would end it.
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 65 + b'"' + b'\\"' * 500_000,
        b"[" * 65 + b'"' * 1_000_000,
        b"[" * 65 + b'"' + b"\\" * 1_000_001,
        b'["' + b"[" * 65 + b'",' + b'"\\"",' * 200_000,
        b"9" * 1_000_000,
        b"0." + b"9" * 1_000_000 + b"e",
        b"[" + b"0." + b"0" * 1_000_000 + b"e400000000000000000]x",
        b'"' + b"\\ud83d" * 170_000 + b'"',
    ],
    ids=range(8),
)
@pytest.mark.time_bound(20)
def test_a_full_body_of_the_worst_is_refused_in_time(body: bytes) -> None:
    refused(body)


# --- whatever comes --------------------------------------------------------------------------------------------------


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))  # what UTF-8 can carry
PIECES = st.sampled_from(
    [
        *'[]{}",:\\/ \n0123456789-+.eE',
        "true",
        "null",
        "NaN",
        "Infinity",
        "\\u",
        "\\ud800",
        "\\udc00",
        '"a"',
        '"a":',
        '\\"',
        "1e999",
        "[" * 70,
        "😀",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**300), 10**300)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    _read_or_refuse(body)


@given(st.lists(PIECES, max_size=40).map(lambda pieces: "".join(pieces).encode()))
@example(b'"\\"')
@example(b'{"a":NaN,"a":1}')
def test_any_text_that_looks_like_json_is_read_or_refused(body: bytes) -> None:
    _read_or_refuse(body)


def _read_or_refuse(body: bytes) -> None:
    try:
        value = loads(body)
    except InvalidRequest:
        return
    # What is taken, the standard library takes for the same; and it can be sent on.
    assert value == json.loads(body)
    assert json.loads(json.dumps(value, ensure_ascii=False, allow_nan=False).encode()) == value


@given(VALUES, st.booleans())
def test_all_plain_values_come_through(value: Any, ascii_only: bool) -> None:
    read = loads(json.dumps(value, ensure_ascii=ascii_only).encode())
    assert read == value
    assert repr(read) == repr(value)  # 1 is not 1.0, nor True


@given(st.floats())
def test_floats_keep_their_value(value: float) -> None:
    if math.isfinite(value):
        assert loads(json.dumps(value).encode()) == value
    else:
        refused(json.dumps(value).encode())
