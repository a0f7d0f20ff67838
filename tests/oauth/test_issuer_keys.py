"""Keys as issuers publish them: who may have signed what, and that nobody else has."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, Key, OctKey, RSAKey
from oauth_tokens import EC, EDWARDS, OTHER_EC, RSA, claims, part, published, signed

from mcp_app.auth.oauth.issuer_keys import MAX_CANDIDATES, MAX_KEYS, IssuerKeys
from mcp_app.auth.oauth.token import parse
from mcp_app.protocol.errors import Unauthorized


def takes(keys: IssuerKeys, text: str) -> bool:
    """Whether the token is believed; whoever has no key for it is not asked to verify it."""
    token = parse(text)
    assert token is not None
    if not keys.names(token):
        return False
    try:
        keys.verify(text, token)
    except Unauthorized:
        return False
    return True


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        *((RSA, name) for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        (EC, "ES256"),
        (ECKey.generate_key("P-384", {"kid": "p384"}), "ES384"),
        (ECKey.generate_key("P-521", {"kid": "p521"}), "ES512"),
        (EDWARDS, "EdDSA"),
        (EDWARDS, "Ed25519"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_algorithm(key: Key, algorithm: str) -> None:
    keys = IssuerKeys(published(RSA, EC, EDWARDS) if key in (RSA, EC, EDWARDS) else published(key))
    text = signed(claims(), key, algorithm)
    assert takes(keys, text)
    head, body, signature = text.split(".")
    middle = len(signature) // 2
    forged = signature[:middle] + ("A" if signature[middle] != "A" else "B") + signature[middle + 1 :]
    assert not takes(keys, f"{head}.{body}.{forged}")
    assert not takes(keys, f"{head}.{part(claims(sub='root'))}.{signature}")
    assert not takes(keys, f"{head}.{body}.{signature[:8]}")


def test_never_hmac_with_a_public_key() -> None:
    pem, document = RSA.as_pem(private=False), published(RSA)
    for secret in (pem, pem.strip(), json.dumps(document["keys"][0]).encode(), b""):
        text = f"{part({'alg': 'HS256', 'kid': 'rsa-1'})}.{part(claims())}"
        signature = hmac.digest(secret, text.encode(), "sha256")
        forged = f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
        assert not takes(IssuerKeys(document), forged)
        assert not takes(
            IssuerKeys({"keys": [*document["keys"], {"kty": "oct", "k": "c2VjcmV0", "kid": "rsa-1"}]}), forged
        )


def test_a_secret_that_is_published_verifies_nothing() -> None:
    shared = OctKey.generate_key(256, {"kid": "shared"})
    document = {"keys": [{**shared.as_dict(private=True), "kid": "shared"}]}
    assert not takes(IssuerKeys(document), signed(claims(), shared, "HS256"))


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS1", "ES256K", "dir", "", "RS256 "])
def test_other_algorithms_have_no_key(algorithm: str) -> None:
    head = part({"alg": algorithm, "kid": "rsa-1"})
    token = parse(f"{head}.{part(claims())}.c2ln")
    assert token is not None
    assert not IssuerKeys(published(RSA, EC)).names(token)


def test_a_key_of_another_type_or_curve_is_not_tried() -> None:
    keys = IssuerKeys(published(RSA))
    assert not takes(keys, signed(claims(), EC, kid="rsa-1"))
    wrong_curve = ECKey.generate_key("P-384", {"kid": "ec-1"})
    assert not takes(IssuerKeys(published(wrong_curve)), signed(claims(), EC))


@pytest.mark.parametrize(
    "change",
    [{"use": "enc"}, {"alg": "ES384"}, {"key_ops": ["sign"]}, {"key_ops": "verify"}, {"kid": "another"}, {"x": "AAAA"}],
    ids=str,
)
def test_what_a_key_says_of_itself_counts(change: dict[str, Any]) -> None:
    document = published(EC)
    assert takes(IssuerKeys(document), signed(claims()))
    document["keys"][0] |= change
    assert not takes(IssuerKeys(document), signed(claims()))


@pytest.mark.parametrize("bits", [1024, 16384])
def test_a_weak_key_and_one_that_is_slow_on_purpose_are_not_used(bits: int) -> None:
    document = {"keys": [{"kty": "RSA", "kid": "rsa-1", "e": "AQAB", "n": "v" * (bits // 6)}]}
    token = parse(signed(claims(), RSA, "RS256"))
    assert token is not None
    assert not IssuerKeys(document).names(token)


def test_a_header_that_brings_its_own_key_is_not_believed() -> None:
    own = OTHER_EC.as_dict(private=False)
    text = signed(claims(), OTHER_EC, kid="ec-1", jwk=own, jku="https://evil.test/keys", x5u="https://evil.test/c")
    assert not takes(IssuerKeys(published(EC)), text)


def test_a_token_that_names_no_key_is_tried_with_a_few() -> None:
    text = signed(claims(), EC, kid=None)
    assert takes(IssuerKeys(published(OTHER_EC, EC)), text)
    assert takes(IssuerKeys({"keys": [{**published(EC)["keys"][0], "kid": None}]} | {}), signed(claims(), EC, kid=None))
    many = [ECKey.generate_key("P-256", {"kid": str(n)}) for n in range(MAX_CANDIDATES)]
    assert not takes(IssuerKeys(published(*many, EC)), text)


def test_a_key_without_an_id_may_be_meant_by_any() -> None:
    [key] = published(EC)["keys"]
    del key["kid"]
    assert takes(IssuerKeys({"keys": [key]}), signed(claims()))


def test_what_is_no_key_is_left_out() -> None:
    rubbish: list[Any] = [7, None, "key", {}, {"kty": "EC", "crv": "P-256", "x": 1, "y": None}, {"kty": ["EC"]}]
    assert takes(IssuerKeys({"keys": [*rubbish, *published(EC)["keys"]]}), signed(claims(), kid=None))
    assert not takes(IssuerKeys({"keys": [{}] * MAX_KEYS + published(EC)["keys"]}), signed(claims()))


@pytest.mark.parametrize("document", [{}, {"keys": {}}, {"keys": None}, {"kty": "EC"}])
def test_what_is_no_set(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no list of"):
        IssuerKeys(document)


def test_sets_are_equal_when_they_publish_the_same() -> None:
    assert IssuerKeys(published(EC)) == IssuerKeys(published(EC))
    assert IssuerKeys(published(EC)) != IssuerKeys(published(EC, RSA))


JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.text(max_size=3), max_size=2)
FIELDS = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "use", "alg", "key_ops"])


@given(st.lists(st.dictionaries(FIELDS, JSON | st.sampled_from(["RSA", "EC", "OKP", "P-256", "Ed25519"])), max_size=4))
def test_whatever_is_published_only_the_issuers_key_signs(keys: list[dict[str, Any]]) -> None:
    assert not takes(IssuerKeys({"keys": keys}), signed(claims()))
    assert takes(IssuerKeys({"keys": [*keys[:2], *published(EC)["keys"]]}), signed(claims()))


def test_a_large_rsa_key_is_made_once() -> None:
    key = RSAKey.generate_key(3072, {"kid": "large"})
    keys = IssuerKeys(published(key))
    text = signed(claims(), key, "RS256")
    assert takes(keys, text)
    assert takes(keys, text)
    assert len(keys._made) == 1
