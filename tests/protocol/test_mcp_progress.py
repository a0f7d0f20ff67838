"""Progress as notifications: built of bytes that are there, and the same as if it had been parsed and written anew."""

from __future__ import annotations

import itertools
import json
import math
import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from mcp_app.protocol.event import encode, number
from mcp_app.protocol.mcp.progress import Progress, message_in

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False).map(number)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["message", "a"]) | TEXTS, inner),
)


def params(message: bytes) -> dict[str, Any]:
    said = json.loads(message)
    assert (said["jsonrpc"], said["method"], len(said)) == ("2.0", "notifications/progress", 3)
    found: dict[str, Any] = said["params"]
    return found


@given(TEXTS | st.integers(), NUMBERS, st.none() | NUMBERS, st.none() | TEXTS)
def test_what_ctx_progress_said(token: str | int, done: float, total: float | None, message: str | None) -> None:
    numbers = {"progress": done} if total is None else {"progress": done, "total": total}
    data = encode({} if message is None else {"message": message})
    said = message_in(data)
    assert said is not None
    expected = {"progressToken": token, **numbers} | ({"message": message} if message else {})
    assert params(Progress(token, "com.example/").told(said, encode(numbers))) == expected


@given(TEXTS, st.none() | NUMBERS, st.none() | NUMBERS, st.booleans(), JSON)
def test_what_was_partial(line: str, done: float | None, total: float | None, content: bool, data: Any) -> None:
    given = {"progress": done, "total": total, "content": True if content else None}
    said = {name: value for name, value in given.items() if value is not None}
    metadata = encode(said) if said else b""
    shown = params(Progress("t", "com.example/").partial(line, metadata, encode(data)))
    assert shown.pop("_meta") == {"com.example/partial": data}
    assert shown.pop("progress") == (0 if done is None else done)
    assert shown.pop("message", "") == line
    assert shown == {"progressToken": "t"} | ({} if total is None else {"total": total})


@given(st.lists(st.none() | NUMBERS))
@example([sys.float_info.max, None, 5, sys.float_info.max])
def test_the_number_grows_by_the_tools_own_where_that_grows(given: list[float | None]) -> None:
    progress = Progress(1, "com.example/")
    shown = [
        params(progress.told(b"", b"" if each is None else encode({"progress": each, "total": 9})))["progress"]
        for each in given
    ]
    assert all(before < after or before == sys.float_info.max for before, after in itertools.pairwise(shown))
    at = -math.inf
    for each, said in zip(given, shown, strict=True):
        assert isinstance(said, int | float)
        if each is not None and each > at:
            assert said == each
        at = said


@given(JSON)
def test_a_message_is_an_object_with_nothing_else(value: Any) -> None:
    found = message_in(encode(value))
    if value == {}:
        assert found == b""
    elif isinstance(value, dict) and value.keys() == {"message"} and isinstance(value["message"], str):
        assert found == (encode(value["message"]) if value["message"] else b"")
    else:
        assert found is None


class Twice(BaseModel):
    """Says the same name twice, which is no object that two readers would understand alike."""

    first: str = Field("one", serialization_alias="message")
    second: str = Field("two", serialization_alias="message")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"message":""}', b""),
        (b'{"message":"a"}', b'"a"'),
        (rb'{"message":"\""}', rb'"\""'),
        (rb'{"message":"\\"}', rb'"\\"'),
        (rb'{"message":"}\"}"}', rb'"}\"}"'),
        (b'{"message":"a","more":"b"}', None),
        (b'{"message":5}', None),
        (b'"message"', None),
        (encode(Twice()), b'"two"'),
    ],
)
def test_messages_with_quotes_in_them(data: bytes, message: bytes | None) -> None:
    assert message_in(data) == message
