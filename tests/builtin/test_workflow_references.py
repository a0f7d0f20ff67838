"""Arguments from earlier results: JSON Pointer, references and what only looks like one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.builtin.run_workflow.pointers import Nowhere, tokens, value_at
from mcp_app.builtin.run_workflow.references import Problem, Reference, filled, found

# RFC 6901, 5
DOCUMENT = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, 'k"l': 6, " ": 7, "m~n": 8}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", DOCUMENT),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_the_examples_of_rfc_6901(pointer: str, value: Any) -> None:
    assert value_at(DOCUMENT, tokens(pointer)) == value


def test_a_tilde_is_unescaped_last() -> None:
    assert tokens("/~01") == ("~1",)
    assert value_at({"~1": "found", "/": "wrong"}, tokens("/~01")) == "found"


@pytest.mark.parametrize("pointer", ["foo", "foo/0", "#/foo", " /foo", "/~", "/~2", "/a~", "/ok/~x"])
def test_what_is_no_pointer(pointer: str) -> None:
    with pytest.raises(ValueError, match="JSON Pointer"):
        tokens(pointer)


@pytest.mark.parametrize(
    "pointer",
    ["/foo/2", "/foo/-", "/foo/01", "/foo/-1", "/foo/1.0", "/foo/٣", "/foo/0/0", "/nothing", "//", "/foo/" + "9" * 400],
)
def test_what_leads_to_nothing(pointer: str) -> None:
    with pytest.raises(Nowhere):
        value_at(DOCUMENT, tokens(pointer))


def test_an_index_is_a_name_where_there_is_an_object() -> None:
    assert value_at({"01": "x", "0": "y"}, tokens("/01")) == "x"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["$from", "$literal", "pointer", "default", "a", "~/"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON)
def test_every_place_of_a_value_is_found_by_its_pointer(value: Any) -> None:
    ahead: list[tuple[str, Any]] = [("", value)]
    while ahead:
        pointer, there = ahead.pop()
        assert value_at(value, tokens(pointer)) is there
        items = there.items() if isinstance(there, dict) else enumerate(there) if isinstance(there, list) else ()
        for name, each in items:
            escaped = str(name).replace("~", "~0").replace("/", "~1")
            ahead.append((f"{pointer}/{escaped}", each))


@given(JSON)
def test_any_data_passes_as_it_is_as_a_literal(value: Any) -> None:
    written = {"x": [{"$literal": value}]}
    assert list(found(written, ())) == []
    assert filled(written, pytest.fail) == {"x": [value]}


@given(JSON)
def test_what_looks_like_a_reference_is_one_or_a_mistake(value: Any) -> None:
    """Nothing with one of the two names passes as data."""
    seen = list(found(value, ()))
    if all(isinstance(each, Reference) for each in seen):
        result = filled(value, lambda reference: ("given", reference.step))
        assert ("$from" in str(without_literals(value))) == ("('given'," in str(result))


def without_literals(value: Any) -> Any:
    if isinstance(value, dict):
        if "$literal" in value:
            return None
        return {name: without_literals(each) for name, each in value.items()}
    return [without_literals(each) for each in value] if isinstance(value, list) else value


def test_references_are_found_where_they_stand() -> None:
    written = {"a": [1, {"b": {"$from": "one", "pointer": "/x~1y/0"}}], "c": {"$from": "two", "default": None}}
    assert list(found(written, ("params",))) == [
        Reference(("params", "a", 1, "b"), "one", "/x~1y/0", ("x/y", "0")),
        Reference(("params", "c"), "two", "", (), (None,)),
    ]
    assert filled(written, lambda each: each.step) == {"a": [1, {"b": "one"}], "c": "two"}


@pytest.mark.parametrize(
    ("value", "place", "problem"),
    [
        ({"$from": "a", "point": "/x"}, (), 'which has "pointer" and "default" besides, not "point"'),
        ({"$from": "a", "$literal": 1}, (), "nothing may stand"),
        ({"$literal": 1, "x": 2}, (), "nothing may stand"),
        ({"$from": 7}, (), "the id of a step"),
        ({"$from": "a", "pointer": None}, (), "the id of a step"),
        ({"$from": "a", "pointer": "x"}, ("pointer",), "begins with"),
        ([{"y": {"$from": "a", "pointer": "/~"}}], (0, "y", "pointer"), "~0"),
    ],
)
def test_what_is_not_written_as_a_reference_is_named(value: Any, place: tuple[Any, ...], problem: str) -> None:
    [named] = found(value, ())
    assert isinstance(named, Problem)
    assert named.place == place
    assert problem in named.problem


def test_values_are_passed_and_not_copied() -> None:
    large = list(range(1000))
    assert filled({"a": [{"$from": "x"}]}, lambda _: large)["a"][0] is large
