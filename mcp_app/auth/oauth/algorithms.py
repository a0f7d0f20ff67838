"""The algorithms by which an access token may be signed, and which keys each may be verified with.

A table. No cryptography is in here, and no algorithm with a shared secret may be: a public key would be that secret
(RFC 8725, 2.1). Nor may `none`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple


class KeyKind(NamedTuple):
    """A type of key (RFC 7517, 4.1), and its curve; "" for a type without one."""

    kty: str
    crv: str = ""


ALGORITHMS: Final[Mapping[str, tuple[KeyKind, ...]]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), (KeyKind("RSA"),)),
    "ES256": (KeyKind("EC", "P-256"),),
    "ES384": (KeyKind("EC", "P-384"),),
    "ES512": (KeyKind("EC", "P-521"),),
    "EdDSA": (KeyKind("OKP", "Ed25519"), KeyKind("OKP", "Ed448")),
    "Ed25519": (KeyKind("OKP", "Ed25519"),),
    "Ed448": (KeyKind("OKP", "Ed448"),),
}
"""RFC 7518, 3.1; RFC 8037, 3.1; RFC 9864, 2.2."""

MIN_RSA_BITS = 2048
"""RFC 7518, 3.3."""
MAX_RSA_BITS = 8192
"""A key of 16,384 bits makes each verification ten times as long, whoever asks for it."""


def suits(key: Mapping[str, Any], algorithm: str) -> bool:
    """Whether a key, as its issuer publishes it, may verify a signature of that algorithm.

    What the key says of itself counts: its type, its curve, its use, its operations and its algorithm (RFC 7517, 4).
    """
    if not any(key.get("kty") == kty and key.get("crv", "") == crv for kty, crv in ALGORITHMS.get(algorithm, ())):
        return False
    if key.get("use", "sig") != "sig" or key.get("alg", algorithm) != algorithm:
        return False
    operations = key.get("key_ops", ["verify"])
    if not (isinstance(operations, list) and "verify" in operations):
        return False
    return key["kty"] != "RSA" or MIN_RSA_BITS <= _bits(key.get("n")) <= MAX_RSA_BITS


def _bits(modulus: object) -> int:
    """About how many: base64url has six for each character. Too few rather than too many: 2,048 are 342 characters."""
    return len(modulus) * 6 // 8 * 8 if isinstance(modulus, str) else 0
