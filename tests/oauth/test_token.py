"""The parts of a token: what is read, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oauth_tokens import EC, claims, part, signed

from mcp_app.auth.oauth.token import MAX_TOKEN, parse


def test_the_parts() -> None:
    token = parse(signed(claims(), typ="application/AT+JWT"))
    assert token is not None
    assert (token.algorithm, token.key_id, token.type, token.claims) == ("ES256", EC.kid, "at+jwt", claims())


def test_what_a_header_need_not_have() -> None:
    token = parse(signed(claims(), kid=None, typ=None, more={"nobody": "knows"}))
    assert token is not None
    assert (token.key_id, token.type) == ("", "")


HEADER, BODY = part({"alg": "ES256"}), part({"iss": "i"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "opaque",
        "a.b",
        "..",
        f"{part({'alg': 'none'})}.{BODY}.",
        f"{HEADER}.{BODY}.c2ln.x.y",
        f"{HEADER}.{BODY}.s ig",
        f"{HEADER}=.{BODY}.sig",
        f"{HEADER}.{BODY}.sig\n",
        f"{part(['ES256'])}.{BODY}.sig",
        f"{part({})}.{BODY}.sig",
        f"{part({'alg': 7})}.{BODY}.sig",
        f"{part({'alg': 'ES256', 'kid': 7})}.{BODY}.sig",
        f"{part({'alg': 'ES256', 'kid': 'k' * 513})}.{BODY}.sig",
        f"{part({'alg': 'ES256', 'typ': []})}.{BODY}.sig",
        f"{part({'alg': 'ES256', 'crit': ['b64'], 'b64': False})}.{BODY}.sig",
        f"{HEADER}.{part('text')}.sig",
        f"{HEADER}.YQ.sig",
        f"{HEADER}.a.sig",
        "eyJhbGciOiJSUzI1NiIsImFsZyI6Im5vbmUifQ." + f"{BODY}.sig",  # alg stands there twice
        f"{HEADER}.{'W1tb' * 4000}.sig",
        f"{HEADER}.{part({'sub': 'a' * MAX_TOKEN})}.sig",
    ],
    ids=lambda text: text[:60],
)
def test_what_is_none(text: str) -> None:
    assert parse(text) is None


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9_-]{0,20}"))
def test_whatever_it_is_nothing_is_raised(text: str) -> None:
    parse(text)
