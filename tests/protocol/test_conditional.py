"""If-None-Match as RFC 9110, 13.1.2 reads it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.protocol.http.conditional import entity_tag, matches

TAG = '"xyzzy"'


@pytest.mark.parametrize(
    "field",
    [
        # 13.1.2's own examples
        '"xyzzy"',
        'W/"xyzzy"',
        '"xyzzy", "r2d2xxxx", "c3piozzzz"',
        'W/"xyzzy", W/"r2d2xxxx", W/"c3piozzzz"',
        "*",
        ' "xyzzy" ',
        "\t*\t",
        '"other","xyzzy"',
        ', ,"xyzzy",,',
        '"a,b", "xyzzy"',
    ],
)
def test_the_caller_has_it(field: str) -> None:
    assert matches(TAG, field)


@pytest.mark.parametrize(
    "field",
    [
        None,
        "",
        " ",
        ",",
        '"other"',
        'W/"other"',
        "xyzzy",  # no quotes: no tag
        'w/"xyzzy"',  # W is case-sensitive
        'W/ "xyzzy"',
        '"xyzzy',
        'xyzzy"',
        '"a, "xyzzy", b"',  # the quotes are "a, " and ", b"
        '"XYZZY"',
        '"*"',
        '*, "xyzzy"',  # not in the grammar: no condition
        '"xyzzy" "other"',  # no comma
        '"xyzzy";q=1',
        '"xyz zy"',
        '"xyzzy\x7f"',
    ],
)
def test_the_caller_has_it_not(field: str | None) -> None:
    assert not matches(TAG, field)


def test_a_weak_tag_of_ours_compares_weakly_too() -> None:
    assert matches('W/"xyzzy"', TAG)


opaque = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters='"\x7f'), max_size=12)
tags = st.builds(lambda weak, text: f'{"W/" if weak else ""}"{text}"', st.booleans(), opaque)


@given(opaque, st.lists(tags, max_size=5), st.sampled_from([",", ", ", " ,\t", ",, "]))
def test_in_a_list_exactly_the_listed_tags_match(own: str, others: list[str], comma: str) -> None:
    etag = f'"{own}"'
    listed = etag in [tag.removeprefix("W/") for tag in others]
    assert matches(etag, comma.join(others)) is listed
    assert matches(etag, comma.join([*others, etag]))
    assert matches(etag, comma.join([f"W/{etag}", *others]))


@given(st.text(max_size=40))
def test_no_field_value_is_an_exception(field: str) -> None:
    assert matches(TAG, field) in (True, False)


def test_a_long_field_costs_linear_time() -> None:
    """8 KiB is what a header may have; a reading that backtracks would not come back."""
    assert not matches(TAG, '"' * 8001)
    assert not matches(TAG, '"a",' * 2000)
    assert not matches(TAG, "," * 8000 + "x")


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_the_tag_is_strong_valid_and_of_the_bytes(one: bytes, other: bytes) -> None:
    assert re.fullmatch(r'"[0-9a-f]{32}"', entity_tag(one))
    assert (entity_tag(one) == entity_tag(other)) is (one == other)
