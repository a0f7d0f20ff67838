"""How scopes are spelt, and which imply others."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.protocol.access import ANONYMOUS, UNKNOWN, Access
from mcp_app.protocol.http.challenge import bearer, with_metadata
from mcp_app.protocol.scopes import MAX_SCOPES, Hierarchy, check_scopes, read_scopes, write_scopes

SCOPE = st.text("abcdefg:/.-_!#[]", min_size=1, max_size=5)


@pytest.mark.parametrize("scope", ["read", "a:b/c.d", "!", "#[]~", "x" * 256])
def test_a_scope_is_of_visible_ascii(scope: str) -> None:
    assert check_scopes([scope, scope]) == {scope}


@pytest.mark.parametrize("scope", ["", " ", "a b", 'a"b', "a\\b", "é", "a\n", "a\x7f", "x" * 257])
def test_what_is_none_is_refused(scope: str) -> None:
    with pytest.raises(ValueError, match="is no scope"):
        check_scopes(["read", scope])


def test_scopes_are_a_list_of_texts() -> None:
    with pytest.raises(TypeError, match="not the text 'read'"):
        check_scopes("read")
    with pytest.raises(TypeError, match="not int"):
        check_scopes([1])  # type: ignore[list-item]
    with pytest.raises(ValueError, match=f"more than {MAX_SCOPES}"):
        check_scopes(map(str, range(MAX_SCOPES + 1)))


@given(st.frozensets(SCOPE))
def test_what_is_written_is_read(scopes: frozenset[str]) -> None:
    assert read_scopes(write_scopes(scopes)) == scopes
    assert read_scopes(f"  {'  '.join(scopes)} ") == scopes


def test_a_scope_implies_those_behind_it() -> None:
    hierarchy = Hierarchy.read("admin>write>read, audit > read,")
    assert hierarchy.implied(frozenset({"admin"})) == {"admin", "write", "read"}
    assert hierarchy.implied(frozenset({"audit", "other"})) == {"audit", "read", "other"}
    assert hierarchy.implied(frozenset()) == frozenset()
    assert hierarchy.scopes == {"admin", "write", "read", "audit"}


def test_without_a_hierarchy_a_scope_implies_itself() -> None:
    granted = frozenset({"admin", "x"})
    assert Hierarchy.read("").implied(granted) is granted


@pytest.mark.parametrize(
    "text", ["a>a", "a>b>a", "a>b, b>c, c>a", "x>a, a>b, b>a", "a", "a>", ">a", "a>>b", "a b>c", 'a>"b"', "a>é"]
)
def test_a_circle_and_what_is_no_chain_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"circle|no chain"):
        Hierarchy.read(text)


def test_a_circle_is_named_in_its_direction() -> None:
    with pytest.raises(ValueError, match=r"(a>b>c>a|b>c>a>b|c>a>b>c) is a circle"):
        Hierarchy.read("a>b, b>c, c>a")


@given(st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=4, unique=True).map(sorted), max_size=6), st.data())
def test_what_is_implied_is_all_that_can_be_reached(chains: list[list[int]], data: st.DataObject) -> None:
    hierarchy = Hierarchy.read(",".join(">".join(map(str, chain)) for chain in chains))
    granted = frozenset(data.draw(st.sets(st.integers(0, 9).map(str))))
    reached = set(granted)
    while more := {str(b) for chain in chains for a, b in pairwise(chain) if str(a) in reached} - reached:
        reached |= more
    implied = hierarchy.implied(granted)
    assert implied == reached
    assert hierarchy.implied(implied) is implied


def test_access_to_whatever_there_is_and_to_what_needs_no_scope() -> None:
    needed = frozenset({"read", "write"})
    assert ANONYMOUS.may(needed)
    assert UNKNOWN.may(frozenset())
    assert not UNKNOWN.may(needed)
    assert ANONYMOUS.anonymous
    assert UNKNOWN.anonymous
    assert not Access("ann").anonymous


def test_access_needs_all_scopes() -> None:
    needed = frozenset({"read", "write"})
    assert Access("ann", frozenset({"read", "write", "x"})).may(needed)
    assert not Access("ann", frozenset({"read"})).may(needed)


def test_who_can_step_up_sees_what_it_may_not_do() -> None:
    needed = frozenset({"write"})
    key, token = Access("key:1", frozenset({"read"})), Access("i s", frozenset({"read"}), steps_up=True)
    assert (key.sees(needed), token.sees(needed), token.may(needed)) == (False, True, False)


def test_claims_are_not_shown() -> None:
    access = Access("ann", claims={"email": "ann@example.com"})
    assert "example.com" not in repr(access)
    assert access == Access("ann")
    assert hash(access) == hash(Access("ann"))


def test_a_challenge_names_scopes_and_metadata() -> None:
    assert bearer() == "Bearer"
    assert bearer("invalid_token") == 'Bearer error="invalid_token"'
    whole = bearer("insufficient_scope", ["write", "read"])
    assert whole == 'Bearer error="insufficient_scope", scope="read write"'
    url = "https://x/.well-known/oauth-protected-resource"
    fields = (("Vary", "Accept"), ("WWW-Authenticate", whole))
    [vary, (_, named)] = with_metadata(fields, url)
    assert (vary, named) == (fields[0], f'{whole}, resource_metadata="{url}"')
    assert with_metadata((("WWW-Authenticate", "Bearer"),), url)[0][1] == f'Bearer resource_metadata="{url}"'
    assert with_metadata((("WWW-Authenticate", named),), url)[0][1] == named
    assert with_metadata((("WWW-Authenticate", "Basic"),), url)[0][1] == "Basic"
