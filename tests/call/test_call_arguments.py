"""key=value words -> params, with and without a schema."""

from typing import Any

import pytest

from mcp_app.client.arguments import params_of, parse_object, parse_word
from mcp_app.client.outcome import CallFailed, Status

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "domain": {"type": "string"},
        "depth": {"type": "integer"},
        "deep": {"type": "boolean"},
        "ports": {"type": "array", "items": {"type": "integer"}},
        "names": {"type": "array", "items": {"type": "string"}},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "tags": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/Tag"}}, {"type": "null"}]},
        "mode": {"$ref": "#/$defs/Mode"},
        "kind": {"const": "7"},
        "options": {"$ref": "#/$defs/Options"},
        "matrix": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
        "loop": {"$ref": "#/$defs/Loop"},
        "either": {"type": ["integer", "string"]},
    },
    "$defs": {
        "Tag": {"type": "string"},
        "Mode": {"enum": ["1", "2"]},
        "Options": {"type": "object", "properties": {"a": {"type": "integer"}}},
        "Loop": {"$ref": "#/$defs/Loop"},
    },
}


def params(*words: str, schema: Any = SCHEMA, **given: Any) -> dict[str, Any]:
    return params_of([parse_word(word) for word in words], schema, given)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("domain=example.com", "example.com"),
        ("domain=123", "123"),
        ("domain=", ""),
        ("domain=a=b", "a=b"),
        ('domain="quoted"', '"quoted"'),
        ("depth=3", 3),
        ("depth=three", "three"),  # the server says what it expected
        ("deep=true", True),
        ("deep=True", "True"),
        ("ports=80", [80]),
        ("ports=[80,443]", [80, 443]),
        ("names=80", ["80"]),
        ('names=["80"]', ["80"]),
        ("note=null", "null"),
        ("note:=null", None),
        ("limit=null", None),
        ("limit=7", 7),
        ("tags=5", ["5"]),
        ("tags=null", None),
        ("mode=1", "1"),
        ("kind=7", "7"),
        ('options={"a": 1}', {"a": 1}),
        ("matrix=[[1],[2]]", [[1], [2]]),
        ("loop=1", 1),
        ("either=1", "1"),
        ("either:=1", 1),
        ("unknown=1", 1),
        ("unknown=one", "one"),
    ],
)
def test_the_schema_decides_what_a_value_is(word: str, value: object) -> None:
    [(key, got)] = params(word).items()

    assert got == value
    assert type(got) is type(value)
    assert key == word.partition("=")[0].removesuffix(":")


@pytest.mark.parametrize(
    ("word", "value"),
    [("a=1", 1), ("a=1.5", 1.5), ("a=true", True), ("a=x", "x"), ("a=[1]", [1]), ('a="1"', "1"), ("a={", "{")],
)
@pytest.mark.parametrize("schema", [None, {}, {"properties": 3}, {"properties": {"a": True}}])
def test_without_a_schema_a_value_is_json_if_it_parses(word: str, value: object, schema: object) -> None:
    assert params(word, schema=schema) == {"a": value}


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", "[" * 100_000, "9" * 5000])
def test_what_json_cannot_carry_stays_text(text: str) -> None:
    assert params(f"a={text}", schema=None) == {"a": text}


def test_a_repeated_key_is_a_list_in_the_order_given() -> None:
    assert params("ports=443", "domain=x", "ports=80") == {"ports": [443, 80], "domain": "x"}
    assert params("names=1", "names=2") == {"names": ["1", "2"]}
    assert params("tags=1", "tags:=2") == {"tags": ["1", 2]}
    assert params("a=1", "a=x", schema=None) == {"a": [1, "x"]}


def test_params_and_words_are_one_object_and_a_key_stands_in_one_of_them() -> None:
    assert params("depth=2", domain="x") == {"domain": "x", "depth": 2}
    with pytest.raises(CallFailed, match="'domain' stands in --params and"):
        params("domain=y", domain="x")


@pytest.mark.parametrize("word", ["example.com", "=x", ":=1", ""])
def test_a_word_that_is_not_key_value_is_refused_by_name(word: str) -> None:
    with pytest.raises(CallFailed) as caught:
        parse_word(word)

    assert caught.value.status == Status.REFUSED
    assert repr(word) in caught.value.message


@pytest.mark.parametrize("text", ["nope", "NaN", "{", "", "1e999", "[" * 100_000])
def test_raw_json_must_be_json(text: str) -> None:
    with pytest.raises(CallFailed, match="a:="):
        parse_word(f"a:={text}")


@pytest.mark.parametrize(
    ("text", "kind"), [("[]", "a list"), ("1", "a number"), ("null", "null"), ('"x"', "a text"), ("true", "true or")]
)
def test_params_must_be_an_object(text: str, kind: str) -> None:
    with pytest.raises(CallFailed, match=kind):
        parse_object(text, "--params")
