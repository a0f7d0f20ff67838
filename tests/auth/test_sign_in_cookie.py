"""The cookie of a browser that is signed in: opened by its server until it expires, and nothing else is opened."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.auth.sign_in_cookie import (
    ID_BYTES,
    MAX_READ,
    NAME,
    PageSignIn,
    clear_cookie,
    cookies,
    derive_key,
    name_for,
    seal,
    set_cookie,
    unseal,
)

KEY, OLDER, FOREIGN = (derive_key(name * 16) for name in "kof")
HOST = "localhost:8000"
NOW = 1_790_000_000.0
ONE = PageSignIn("a1b2c3", NOW + 60, bytes(range(ID_BYTES)))


def test_what_was_sealed_is_opened_until_it_expires() -> None:
    text = seal(ONE, [KEY])
    assert unseal(text, [KEY], NOW) == ONE
    assert unseal(text, [KEY], NOW + 59.999) == ONE
    assert unseal(text, [KEY], NOW + 60) is None


def test_any_of_the_secrets_opens_it_so_that_they_can_be_changed() -> None:
    assert unseal(seal(ONE, [OLDER, KEY]), [KEY, OLDER], NOW) == ONE
    assert unseal(seal(ONE, [FOREIGN]), [KEY, OLDER], NOW) is None


def test_each_changed_character_is_noticed() -> None:
    text = seal(ONE, [KEY])
    for at in range(len(text)):
        other = "A" if text[at] != "A" else "B"
        assert unseal(text[:at] + other + text[at + 1 :], [KEY], NOW) is None, at
    for changed in (text[:-1], text + "A", text + "=", f" {text}", text + "\n", text.swapcase()):
        assert unseal(changed, [KEY], NOW) is None


def test_another_key_cannot_be_put_in_its_place() -> None:
    raw = base64.urlsafe_b64decode(seal(ONE, [KEY]) + "==")
    forged = raw.replace(b"a1b2c3", b"a1b2c4")
    assert forged != raw
    assert unseal(base64.urlsafe_b64encode(forged).rstrip(b"=").decode(), [KEY], NOW) is None


@given(st.text() | st.text(string.ascii_letters + string.digits + "-_", max_size=600) | st.just("A" * 100_000))
def test_anything_else_is_nobody(text: str) -> None:
    assert unseal(text, [KEY], NOW) is None


@given(
    st.text(st.characters(codec="ascii", exclude_characters="\x00"), min_size=1, max_size=64),
    st.binary(min_size=ID_BYTES, max_size=ID_BYTES),
)
def test_whatever_a_key_is_called_it_comes_back(key_id: str, id_: bytes) -> None:
    sign_in = PageSignIn(key_id, NOW + 1, id_)
    text = seal(sign_in, [KEY])
    assert unseal(text, [KEY], NOW) == sign_in
    assert set(text) <= set(string.ascii_letters + string.digits + "-_")


def test_a_cookies_name_has_the_port_so_that_servers_on_one_machine_are_told_apart() -> None:
    assert name_for("https://tools.example.com") == NAME
    assert name_for("http://localhost:8000") == f"{NAME}-8000"
    assert name_for("https://[::1]:8443") == f"{NAME}-8443"
    assert name_for("null") == name_for("") == name_for("https://x:99999") == NAME


@pytest.mark.parametrize(
    "field",
    [
        f"a=b; {NAME}-8000=x; {NAME}=y; c=d",
        f"a=b, {NAME}-8000=x, {NAME}=y",  # as HTTP/2 splits the field, and it is joined again
        f"{NAME}-8000=x;{NAME}=y",
        f'other="; {NAME}-8000=x; {NAME}=y',
    ],
)
def test_ours_are_read_among_others(field: str) -> None:
    assert cookies(field, HOST) == [(f"{NAME}-8000", "x"), (NAME, "y")]


@pytest.mark.parametrize("field", ["", ";", "=", f"x{NAME}=1", f"{NAME}x=1", "a=" + NAME, f"{NAME.lower()}=1"])
def test_what_is_called_otherwise_is_not_ours(field: str) -> None:
    assert cookies(field, HOST) == []


def test_a_field_full_of_cookies_costs_a_few() -> None:
    assert len(cookies("; ".join(f"{NAME}-{number}=x" for number in range(1000)), HOST)) == MAX_READ


@pytest.mark.parametrize(
    ("name", "host"),
    [
        (f"{NAME}-8000", HOST),
        (f"{NAME}-8000", "[::1]:8000"),
        (NAME, "tools.example.com"),
        (NAME, "behind-a-proxy:8000"),
        (NAME, ""),
    ],
)
def test_those_of_other_servers_on_the_host_do_not_hide_the_own_one(name: str, host: str) -> None:
    """A browser sends the oldest first."""
    others = [f"{NAME}-{port}=x" for port in range(9000, 9100)]
    assert cookies("; ".join([*others, f"{name}=mine"]), host)[0] == (name, "mine")


def test_a_browser_keeps_it_from_scripts_other_sites_and_plain_http() -> None:
    said = set_cookie(NAME, "x", 60)
    assert said.startswith(f"{NAME}=x; Max-Age=60; ")
    assert set(said.split("; ")[2:]) == {"Path=/", "Secure", "HttpOnly", "SameSite=Strict"}
    assert clear_cookie(NAME).startswith(f"{NAME}=; Max-Age=0; ")
