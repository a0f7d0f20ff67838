"""How a key is made and read, without a file."""

from __future__ import annotations

import secrets
import string

from hypothesis import given
from hypothesis import strategies as st

from mcp_app.auth import keys

LETTERS = string.ascii_letters + string.digits


def bits(number: int) -> keys.Key:
    """The key whose random bits are all those of one number."""
    return keys.make(lambda count: number % 2**count)


@given(st.integers(min_value=0, max_value=2**keys.SECRET_BITS - 1))
def test_what_is_made_is_read(number: int) -> None:
    key = bits(number)
    assert keys.parse(key.text) == key
    assert key.text.startswith(f"mcpk_{key.id}")
    assert len(key.text) == len("mcpk_") + 12 + 43 + 6
    assert set(key.text[5:]) <= set(LETTERS)
    assert keys.ID.fullmatch(key.id)


def test_the_secret_has_256_random_bits() -> None:
    asked: list[int] = []

    def random(count: int) -> int:
        asked.append(count)
        return 2**count - 1

    keys.make(random)
    assert asked[1] == 256
    secret = {bits(number).text[17:60] for number in (0, 1, 2**255, 2**256 - 1)}
    assert len(secret) == 4
    made = {keys.make(secrets.randbits).text for _ in range(1000)}
    assert len(made) == 1000


@given(st.integers(min_value=0), st.integers(min_value=0, max_value=65), st.sampled_from(LETTERS + "_-.= é\0"))
def test_a_key_with_one_other_character_is_none(number: int, place: int, character: str) -> None:
    text = bits(number).text
    changed = text[:place] + character + text[place + 1 :]
    assert (keys.parse(changed) is None) == (changed != text)


@given(st.integers(min_value=0), st.integers(min_value=0, max_value=66))
def test_a_part_of_a_key_is_none(number: int, characters: int) -> None:
    text = bits(number).text
    for other in (text[:characters], text[characters:], text[:characters] + text):
        assert (keys.parse(other) is None) == (other != text)


@given(st.text())
def test_any_text_is_no_key(text: str) -> None:
    assert keys.parse(text) is None
    assert keys.parse(f"mcpk_{text}") is None


def test_the_digest_is_that_of_the_whole_key() -> None:
    one, other = bits(1), bits(2)
    assert one.digest == keys.digest(one.text) != other.digest
    assert len(one.digest) == 32
    assert keys.digest("\ud800é") != one.digest  # what a JSON body may have in the place of a key
