"""What a token claims: which are taken, and what the refusal of each other one says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oauth_tokens import ISSUER, NOW, RESOURCE, SERVER, claims

from mcp_app.auth.oauth.claims import LEEWAY_SECONDS, Grant, check
from mcp_app.auth.oauth.resources import Audiences
from mcp_app.protocol.errors import Unauthorized

AUDIENCES = Audiences([RESOURCE, SERVER, "api://tools"])


def checked(now: float = NOW, kind: str = "at+jwt", endless: bool = False, **changes: Any) -> Grant:
    return check(claims(**changes), ISSUER, AUDIENCES, now, kind=kind, endless=endless)


def test_a_good_token_gives_its_subject_scopes_and_expiry() -> None:
    assert checked(scope="read write") == Grant("alice", frozenset({"read", "write"}), NOW + 600 + LEEWAY_SECONDS)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"iss": f"{ISSUER}/"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"iss": [ISSUER]}, "another issuer"),
        ({"aud": "https://other.test/mcp"}, "not for this server"),
        ({"aud": None}, "not for this server"),
        ({"aud": []}, "not for this server"),
        ({"aud": [1, None, {"a": SERVER}]}, "not for this server"),
        ({"aud": f"{SERVER}.evil.test"}, "not for this server"),
        ({"aud": f"{RESOURCE}/other"}, "not for this server"),
        ({"exp": None}, "does not say when it expires"),
        ({"exp": NOW - LEEWAY_SECONDS}, "has expired"),
        ({"exp": str(NOW + 600)}, "exp is no number"),
        ({"exp": True}, "exp is no number"),
        ({"nbf": NOW + LEEWAY_SECONDS + 1}, "not valid before"),
        ({"nbf": "now"}, "nbf is no number"),
        ({"sub": None}, "no subject"),
        ({"sub": ""}, "no subject"),
        ({"sub": 7}, "no subject"),
        ({"sub": "a" * 256}, "no subject"),
        ({"sub": "alice\nroot"}, "no subject"),
        ({"sub": "alice\u2028"}, "no subject"),
        ({"cnf": {"jkt": "x"}}, "bound to a key"),
        ({"token_type": "DPoP"}, "token_type says"),
        ({"token_type": ["Bearer"]}, "token_type says"),
        ({"token_use": "id"}, "token_use says"),
        ({"token_use": "refresh_token"}, "token_use says"),
        ({"scope": 7}, "scope is neither"),
        ({"scp": {"read": True}}, "scp is neither"),
        ({"scope": " ".join(map(str, range(1001)))}, "more than 1000"),
    ],
    ids=str,
)
def test_a_token_is_refused_in_words(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(Unauthorized, match=says):
        checked(**changes)


@pytest.mark.parametrize("kind", ["", "jwt", "at+jwt"])
def test_types_of_access_tokens(kind: str) -> None:
    assert checked(kind=kind).subject == "alice"


@pytest.mark.parametrize("kind", ["dpop+jwt", "logout+jwt", "token-introspection+jwt", "at+jwt "])
def test_what_is_no_access_token_is_refused(kind: str) -> None:
    with pytest.raises(Unauthorized, match="no access token"):
        checked(kind=kind)


@pytest.mark.parametrize(
    "audience",
    [
        SERVER,
        f"{SERVER}/",
        f"{SERVER}:443",
        SERVER.upper().replace("HTTPS", "https"),
        f"{RESOURCE}/",
        ["account", RESOURCE],
        "api://tools",
    ],
    ids=str,
)
def test_one_audience_of_ours_is_enough_however_it_is_spelt(audience: object) -> None:
    assert checked(aud=audience).subject == "alice"


def test_it_may_say_that_it_is_for_its_bearer() -> None:
    assert checked(token_type="Bearer", token_use="access").subject == "alice"


def test_clocks_may_differ_a_little() -> None:
    assert checked(exp=NOW - LEEWAY_SECONDS + 1).expires == NOW + 1
    assert checked(nbf=NOW + LEEWAY_SECONDS).subject == "alice"


def test_an_answer_of_the_issuer_may_lack_what_it_knows_itself() -> None:
    assert checked(iss=None, exp=None, endless=True).expires is None
    with pytest.raises(Unauthorized):
        checked(iss="https://other.test", endless=True)
    with pytest.raises(Unauthorized):
        checked(aud=None, endless=True)


@pytest.mark.parametrize(
    ("changes", "scopes"),
    [
        ({"scope": "read  write"}, {"read", "write"}),
        ({"scope": None}, set()),
        ({"scope": ""}, set()),
        ({"scope": None, "scp": ["read", "write"]}, {"read", "write"}),
        ({"scope": None, "scp": "read write"}, {"read", "write"}),
        ({"scope": ["read", 7, "a b", ""]}, {"read"}),
        ({"scope": 'read a"b a\\b ä \x7f'}, {"read"}),
        ({"scope": "read\nwrite"}, set()),
    ],
    ids=str,
)
def test_scopes_as_issuers_spell_them(changes: dict[str, Any], scopes: set[str]) -> None:
    assert checked(**changes).scopes == scopes


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted({*claims(), "nbf", "scp", "cnf"})), JSON))
def test_whatever_it_claims_is_granted_or_refused(changes: dict[str, Any]) -> None:
    try:
        grant = check(claims() | changes, ISSUER, AUDIENCES, NOW)
    except Unauthorized:
        return
    assert 0 < len(grant.subject) <= 255
    assert grant.expires is not None
    assert grant.expires > NOW
