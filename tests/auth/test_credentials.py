"""What an Authorization field is read as."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.auth.credentials import MAX_CHARACTERS, bearer_token, check_credentials
from mcp_app.protocol.errors import InvalidCredentials

RIGHT = [
    ("Bearer abc", "abc"),
    ("bEaReR abc==", "abc=="),
    ("Bearer   abc \t", "abc"),
    ("Bearer a.b-c_d~e+f/g=", "a.b-c_d~e+f/g="),
    ("Basic Zm9vOmJhcg==", None),
    ("DPoP abc", None),
    ('Digest username="a, b", realm="x\\"y"', None),
]
"""A field, and its Bearer token."""

WRONG = [
    "",
    " ",
    "Bearer",
    "Bearer ",
    " Bearer abc",
    "Bearer abc def",
    "Bearer abc, Bearer def",
    ", Bearer abc",
    "Bearer abc, ",
    "Bearer abc,def",
    'Bearer "abc"',
    "Bearer abc\0",
    "Bearer abc\n",
    "Bearer é",
    "Bearer =",
    "Bearer=abc",
    "abc",
    "Basic Zm9v, Bearer abc",
    'Digest username="a", Bearer abc',
    'Digest username="a',
    "Bearer " + "a" * MAX_CHARACTERS,
    "a" * 65_536,
]


@pytest.mark.parametrize(("field", "token"), RIGHT)
def test_one_scheme_and_its_token(field: str, token: str | None) -> None:
    check_credentials(field)
    assert bearer_token(field) == token


@pytest.mark.parametrize("field", WRONG)
def test_what_is_none_is_refused_and_not_repeated(field: str) -> None:
    with pytest.raises(InvalidCredentials) as caught:
        check_credentials(field)
    assert caught.value.status == 400
    assert "abc" not in caught.value.message
    assert "WWW-Authenticate" not in caught.value.headers


@given(st.sampled_from(RIGHT), st.sampled_from(RIGHT), st.sampled_from([", ", ",", ",\t"]))
def test_two_fields_are_refused_whatever_they_are(one: tuple[str, object], other: tuple[str, object], by: str) -> None:
    with pytest.raises(InvalidCredentials):
        check_credentials(f"{one[0]}{by}{other[0]}")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(field: str) -> None:
    try:
        check_credentials(field)
    except InvalidCredentials:
        return
    scheme, space, token = field.partition(" ")
    assert scheme
    assert space
    assert token.strip(" \t")
    assert bearer_token(field) == (token.strip(" \t") if scheme.lower() == "bearer" else None)


@pytest.mark.parametrize("evil", ["Digest " + "a=b," * 4000, "Digest " + 'a="' * 5000, "Digest a=" + "\\" * 16_000])
def test_a_hostile_field_takes_no_time(evil: str) -> None:
    with pytest.raises(InvalidCredentials):
        check_credentials(evil)  # the bound of each test is what it must end in


def test_a_bearer_token_is_of_that_scheme_alone() -> None:
    assert bearer_token(None) is None
    for field in ("Bearer abc", "bEARER   abc \t"):
        assert bearer_token(field) == "abc"
    for field in ("Basic abc", "Bearer", "BearerX abc", ""):
        assert not bearer_token(field)
