"""requestState: what was sealed comes back to whom it was given, and nothing else comes back at all."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_app.protocol.http import seal as sealing
from mcp_app.protocol.http.seal import (
    MAX_PAYLOAD_BYTES,
    MIN_SECRET_BYTES,
    NONCE_BYTES,
    Reason,
    StateRefused,
    derive_key,
    digest,
    fingerprint,
    seal,
    unseal,
)
from mcp_app.protocol.mcp.rpc_error import Code

KEY, OLDER, FOREIGN = (derive_key(name * MIN_SECRET_BYTES) for name in "kof")
NONCE = bytes(range(NONCE_BYTES))
NOW = 1_790_000_000.0
PARAMS = {"name": "deploy", "arguments": {"to": "production"}}
PAYLOAD = {"answers": [{"action": "accept", "content": {"ok": True}}], "round": 1}

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def sealed(payload: Any = PAYLOAD, **changed: Any) -> str:
    given_out: dict[str, Any] = {
        "keys": [KEY],
        "principal": "alice",
        "method": "tools/call",
        "digest": digest(PARAMS),
        "expires": NOW + 600,
        "nonce": NONCE,
    }
    return seal(payload, **{**given_out, **changed})


def opened(text: str, **changed: Any) -> Any:
    expected: dict[str, Any] = {
        "keys": [KEY],
        "principal": "alice",
        "method": "tools/call",
        "digest": digest(PARAMS),
        "now": NOW,
    }
    return unseal(text, **{**expected, **changed})


def refusal(text: str, **changed: Any) -> Reason:
    with pytest.raises(StateRefused) as caught:
        opened(text, **changed)
    return caught.value.reason


# --- what comes back -------------------------------------------------------------------------------------------------


@given(payload=JSON_VALUES, principal=st.text(), method=st.text(), params=st.dictionaries(st.text(), JSON_VALUES))
def test_what_was_sealed_comes_back(payload: Any, principal: str, method: str, params: dict[str, Any]) -> None:
    bound: dict[str, Any] = {"principal": principal, "method": method, "digest": digest(params)}
    text = sealed(payload, **bound)
    assert opened(text, **bound) == payload
    assert set(text) <= set(string.ascii_letters + string.digits + "-_")


def test_another_process_with_the_same_secret_opens_it() -> None:
    assert opened(sealed(keys=[derive_key("s" * 40)]), keys=[derive_key(b"s" * 40)]) == PAYLOAD


def test_the_first_key_seals_and_all_open() -> None:
    assert opened(sealed(keys=[OLDER]), keys=[KEY, OLDER]) == PAYLOAD
    text = sealed(keys=[KEY, OLDER])
    assert opened(text, keys=[KEY]) == PAYLOAD
    assert refusal(text, keys=[OLDER]) is Reason.TAMPERED  # the second key was not used
    assert refusal(text, keys=[FOREIGN]) is Reason.TAMPERED
    assert refusal(text, keys=[]) is Reason.TAMPERED


def test_two_states_of_one_payload_are_two_states() -> None:
    one, other = sealed(), sealed(nonce=bytes(NONCE_BYTES))
    assert one != other
    assert fingerprint(one) != fingerprint(other)
    assert fingerprint(one) == fingerprint(sealed())
    assert opened(one) == opened(other)


# --- what does not ---------------------------------------------------------------------------------------------------


def raw_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def text_of(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@given(st.data())
@settings(max_examples=500)
def test_any_bit_flipped_is_refused(data: st.DataObject) -> None:
    raw = bytearray(raw_of(sealed()))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    assert refusal(text_of(bytes(raw))) is Reason.TAMPERED


def test_each_character_changed_is_refused() -> None:
    # Characters, not bytes: the last one has bits that a lenient decoder does not look at.
    text = sealed()
    for position, was in enumerate(text):
        for instead in {"A", "-", "_", "=", "+", chr(ord(was) ^ 1)} - {was}:
            assert refusal(text[:position] + instead + text[position + 1 :]) is Reason.TAMPERED


@pytest.mark.parametrize("length", [2, 3, 4, 5, 6])
def test_unused_bits_of_the_last_character_count(length: int) -> None:
    text = sealed("x" * length)
    others = set(string.ascii_letters + string.digits + "-_") - {text[-1]}
    assert {refusal(text[:-1] + instead) for instead in others} == {Reason.TAMPERED}


@pytest.mark.parametrize(
    "changed",
    [
        lambda text: text + "-TAMPERED",  # the conformance suite's
        lambda text: text + "A",
        lambda text: text + "=",
        lambda text: text + "==",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text[:-1],
        lambda text: text[1:],
        lambda text: text[4:],
        lambda text: text * 2,
        lambda text: text[:40] + "." + text[40:],
        lambda text: text[:40] + "\n" + text[40:],
        lambda text: text.lower(),
        lambda text: "",
        lambda text: "A",
        lambda text: "A" * 500,
        lambda text: text + "ä",
        lambda text: "\ud800",
        lambda text: "AQ" * 200_000_0,
    ],
)
def test_another_text_is_refused(changed: Any) -> None:
    assert refusal(changed(sealed())) is Reason.TAMPERED


@given(st.text() | st.text(alphabet=string.ascii_letters + string.digits + "-_", max_size=400))
def test_any_text_is_refused(text: str) -> None:
    assert refusal(text) is Reason.TAMPERED


@given(st.integers(0, 400), st.integers(0, 400))
def test_parts_of_two_states_make_no_third(cut: int, other_cut: int) -> None:
    one, other = sealed("first"), sealed({"is": "admin"}, nonce=bytes(NONCE_BYTES))
    mixed = one[:cut] + other[other_cut:]
    if mixed not in (one, other):
        assert refusal(mixed) is Reason.TAMPERED


def test_another_version_is_not_read() -> None:
    # Rightly signed, by a version of this program with another layout.
    signed = b"\x02" + raw_of(sealed())[1:-32]
    assert refusal(text_of(signed + hmac.digest(KEY, b"state" + signed, "sha256"))) is Reason.TAMPERED


def test_it_expires() -> None:
    text = sealed(expires=NOW + 600)
    assert opened(text, now=NOW + 599.99) == PAYLOAD
    assert refusal(text, now=NOW + 600) is Reason.EXPIRED
    assert refusal(text, now=NOW + 10**9) is Reason.EXPIRED


def test_it_is_of_one_principal() -> None:
    for other in ("bob", "", "Alice", "alice ", "alic"):
        assert refusal(sealed(), principal=other) is Reason.TAMPERED
    assert opened(sealed(principal=""), principal="") == PAYLOAD


def test_it_is_of_one_request() -> None:
    assert refusal(sealed(), method="prompts/get") is Reason.OTHER_REQUEST
    elsewhere = {**PARAMS, "arguments": {"to": "staging"}}
    assert refusal(sealed(), digest=digest(elsewhere)) is Reason.OTHER_REQUEST


def test_the_reason_that_is_given_first() -> None:
    # Nothing of a state is believed before its HMAC fits, not even that it has expired.
    assert refusal(sealed()[:-1], now=NOW + 10**6, principal="bob") is Reason.TAMPERED
    # Another caller's is refused as one that nobody was given, whatever else is wrong with it.
    assert refusal(sealed(), now=NOW + 10**6, principal="bob", method="x") is Reason.TAMPERED
    assert refusal(sealed(), principal="bob", method="x") is Reason.TAMPERED
    assert refusal(sealed(), now=NOW + 10**6, method="x") is Reason.EXPIRED


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_is_an_error_of_the_parameters(reason: Reason) -> None:
    problem = StateRefused(reason)
    assert (problem.code, problem.status, problem.id) == (Code.INVALID_PARAMS, 400, None)
    error = json.loads(problem.encode())["error"]
    assert error["message"] == reason.value
    assert error["data"]["code"] == "request_state_refused"
    assert error["data"]["reason"] == reason.name.lower()
    assert error["data"]["hint"]


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_the_largest_payload() -> None:
    largest = "x" * (MAX_PAYLOAD_BYTES - 2)
    assert opened(sealed(largest)) == largest
    with pytest.raises(ValueError, match=str(MAX_PAYLOAD_BYTES)):
        sealed(largest + "x")


def test_a_payload_that_is_no_json() -> None:
    with pytest.raises(ValueError, match="not serialisable"):
        sealed(object())


@pytest.mark.parametrize("nonce", [b"", bytes(NONCE_BYTES - 1), bytes(NONCE_BYTES + 1)])
def test_a_nonce_of_another_length(nonce: bytes) -> None:
    with pytest.raises(ValueError, match="nonce"):
        sealed(nonce=nonce)


def test_a_state_of_little_is_small() -> None:
    assert len(sealed(None)) < 130


# --- keys ------------------------------------------------------------------------------------------------------------


def test_the_key_is_hkdf_of_the_secret() -> None:
    # RFC 5869, 2.2 and 2.3, written out: PRK = HMAC(salt, IKM); T(1) = HMAC(PRK, info | 0x01).
    secret = b"0123456789abcdef"
    prk = hmac.new(b"mcp_app requestState", secret, hashlib.sha256).digest()
    assert derive_key(secret) == hmac.new(prk, b"seal\x01\x01", hashlib.sha256).digest()
    assert derive_key("0123456789abcdef") == derive_key(secret)


def test_a_secret_that_is_too_short() -> None:
    with pytest.raises(ValueError, match="16"):
        derive_key("x" * (MIN_SECRET_BYTES - 1))
    assert derive_key("ä" * (MIN_SECRET_BYTES // 2))  # bytes count, not characters


def test_the_key_of_no_state_shows_in_it() -> None:
    assert KEY not in raw_of(sealed())
    assert b"alice" not in raw_of(sealed())


# --- the digest of a request -----------------------------------------------------------------------------------------


def test_what_a_retry_adds_does_not_count() -> None:
    retry = {
        **PARAMS,
        "inputResponses": {"confirm": {"action": "accept"}},
        "requestState": "…",
        "_meta": {"progressToken": 2},
    }
    assert digest(retry) == digest(PARAMS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 2, "b": 1}}),
        ({"a": 1.0}, {"a": 1}),
        ({"a": [{"b": 1e3}]}, {"a": [{"b": 1000}]}),
        ({"a": -0.0}, {"a": 0}),
    ],
)
def test_the_same_request_in_other_words(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert digest(one) == digest(other)


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"name": "deploy"},
        {"name": "deploy", "arguments": {}},
        {"name": "deploy", "arguments": {"to": None}},
        {"name": "deploy", "arguments": {"to": "Production"}},
        {"name": "deploy", "arguments": {"to": ["production"]}},
        {"name": "deploy", "arguments": {"to": "production", "_meta": 1}},  # only the request's own _meta is left out
        {"name": "deploy", "arguments": {"to": "production", "requestState": "x"}},
        {"uri": "deploy", "arguments": {"to": "production"}},
    ],
)
def test_another_request(other: dict[str, Any]) -> None:
    assert digest(other) != digest(PARAMS)


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (0, False), (0, None), ("1", 1), ([], {}), ("", None), ([1, 2], [2, 1]), ("é", "e\u0301"), (1.5, 1)],
)
def test_values_that_differ(one: Any, other: Any) -> None:
    assert digest({"a": one}) != digest({"a": other})


@given(st.dictionaries(st.text(), JSON_VALUES))
def test_a_digest_is_of_the_value(params: dict[str, Any]) -> None:
    again = json.loads(json.dumps(dict(reversed(params.items()))))
    assert digest(again) == digest(params)
    assert len(digest(params)) == 32


def test_no_clock_and_no_randomness_but_those_that_are_given() -> None:
    assert sealed() == sealed()
    assert not {"time", "secrets", "os", "random"} & set(vars(sealing))
