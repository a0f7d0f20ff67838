"""The value of Idempotency-Key: a String of Structured Fields, or the same without quotation marks; and what makes two
calls the same."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_app.protocol.errors import InvalidRequest
from mcp_app.protocol.http.idempotency_key import MAX_CHARACTERS, check_key, parse_field, repeatable
from mcp_app.protocol.policy import PLAIN_DETACHED, PLAIN_POST_KEYED

UUID = "8e03978e-40d5-43e8-bc93-6894a57f9324"


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (f'"{UUID}"', UUID),
        (UUID, UUID),
        (f' "{UUID}"\t', UUID),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ("stainless-python-retry-" + UUID, "stainless-python-retry-" + UUID),
        ("Zm9vYmFyYmF6cXV4MTIzNA==", "Zm9vYmFyYmF6cXV4MTIzNA=="),
        ('"order 17, of 2026-12-01"', "order 17, of 2026-12-01"),
        (r'"a \"quoted\" back\\slash"', r'a "quoted" back\slash'),
        (f'"{UUID}";v=1;x', UUID),
        (f'"{UUID}"; v="a;b\\"c"', UUID),
        (f'"{UUID}";at=@1;b=?0;c=:aGk=:;d=token', UUID),
        ("k" * 16, "k" * 16),
        ("k" * MAX_CHARACTERS, "k" * MAX_CHARACTERS),
    ],
)
def test_a_key(value: str, key: str) -> None:
    assert parse_field(value) == key


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        '""',
        "short",
        '"fifteen chars.."',
        "k" * (MAX_CHARACTERS + 1),
        f'"{"k" * (MAX_CHARACTERS + 1)}"',
        f"{UUID}, {UUID}",  # sent twice (RFC 9110, 5.3)
        f'"{UUID}", "{UUID}"',
        f'"{UUID}',
        f'{UUID}"',
        f'"{UUID}" x',
        f'"{UUID}";',
        f'"{UUID}";V=1',
        f"{UUID};v=1",
        f"{UUID} and more",
        r'"an unknown \escape, long"',
        '"tab\tin a long enough key"',
        '"n\xf6t ASCII but long enough"',
        "n\xf6t-ASCII-but-long-enough",
        "'single-quotation-marks are none'",
        '"' + "\\" * 100_001,
        ";" * 100_000,
    ],
)
def test_what_is_no_key(value: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse_field(value)
    assert raised.value.message.startswith("Idempotency-Key ")
    assert UUID in raised.value.hint, "an example"
    assert len(raised.value.message) < 200


@pytest.mark.parametrize("value", [None, 16, ["k" * 16], {"key": UUID}, "k" * 15, "k" * 256, "\n" * 20, "\ud800" * 20])
def test_what_is_no_key_in_json(value: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"^params\._meta\.x "):
        check_key(value, "params._meta.x")


def test_what_makes_two_calls_the_same() -> None:
    first = repeatable(UUID, PLAIN_POST_KEYED, {"a": 1, "b": {"x": [1.0, "y"], "z": None}})
    assert first == repeatable(UUID, PLAIN_POST_KEYED, {"b": {"z": None, "x": [1, "y"]}, "a": 1.0})


@pytest.mark.parametrize("params", [{}, {"a": "1"}, {"a": 2}, {"a": 1, "b": None}, {"A": 1}, {"a": [1]}, {"a": True}])
def test_what_makes_them_different(params: dict[str, Any]) -> None:
    assert repeatable(UUID, PLAIN_POST_KEYED, {"a": 1}) != repeatable(UUID, PLAIN_POST_KEYED, params)


def test_another_way_to_call_is_another_call() -> None:
    assert repeatable(UUID, PLAIN_POST_KEYED, {}) != repeatable(UUID, PLAIN_DETACHED, {})
