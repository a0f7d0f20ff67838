"""What is stored with ?encrypt=1: unreadable, unmovable, and readable after a secret was changed."""

from __future__ import annotations

import pytest

pytest.importorskip("cryptography", reason="needs the extra redis")

from hypothesis import given
from hypothesis import strategies as st

from mcp_app.eventlog.redis.cipher import Cipher, NoCipher, Unsealed

OLD, NEW = "the first secret, long", "the second secret, long"


@given(data=st.binary(max_size=1000), place=st.text())
def test_what_was_sealed_is_opened(data: bytes, place: str) -> None:
    cipher = Cipher([OLD])
    sealed = cipher.seal(place, data)
    assert Cipher([OLD]).open(place, sealed) == data
    assert len(data) < 8 or data not in sealed


def test_two_of_the_same_differ() -> None:
    cipher = Cipher([OLD])
    assert cipher.seal("run/a", b"x") != cipher.seal("run/a", b"x")


def test_it_opens_at_its_place_only() -> None:
    cipher = Cipher([OLD])
    with pytest.raises(Unsealed):
        cipher.open("run/b", cipher.seal("run/a", b"x"))


def test_each_changed_bit_is_noticed() -> None:
    cipher = Cipher([OLD])
    sealed = cipher.seal("run/a", b"data")
    for at in range(len(sealed)):
        changed = bytes(byte ^ (1 if at == here else 0) for here, byte in enumerate(sealed))
        with pytest.raises(Unsealed):
            cipher.open("run/a", changed)
    for cut in range(len(sealed)):
        with pytest.raises(Unsealed):
            cipher.open("run/a", sealed[:cut])


def test_a_secret_is_changed_one_node_after_the_other() -> None:
    old, both, new = Cipher([OLD]), Cipher([NEW, OLD]), Cipher([NEW])
    assert both.open("run/a", old.seal("run/a", b"x")) == b"x"
    assert new.open("run/a", both.seal("run/a", b"x")) == b"x"
    with pytest.raises(Unsealed, match="MCP_APP_SECRET"):
        new.open("run/a", old.seal("run/a", b"x"))


def test_what_was_stored_in_clear_is_not_taken_for_sealed() -> None:
    with pytest.raises(Unsealed):
        Cipher([OLD]).open("run/a", NoCipher().seal("run/a", b"\x01something that is long enough to be sealed"))


def test_a_principal_has_one_mark_for_all_who_share_a_secret() -> None:
    assert Cipher([OLD]).mark("somebody") == Cipher([OLD]).mark("somebody") != Cipher([NEW]).mark("somebody")
    assert "somebody" not in NoCipher().mark("somebody")
