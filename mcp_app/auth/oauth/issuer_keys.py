"""The public keys of one issuer, as it publishes them (RFC 7517), and whether one of them has signed a token.

The cryptography is joserfc's. Nothing is fetched here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry, deserialize_compact

from ...protocol.errors import Unauthorized
from .algorithms import ALGORITHMS, suits
from .token import MAX_TOKEN, UnverifiedToken

MAX_KEYS = 64
"""Of one issuer: two are usual, ten in the middle of a rotation. Further ones are not looked at."""
MAX_CANDIDATES = 4
"""Keys with which a token is tried that names none: each is a verification that somebody unknown asks for."""

_PUBLIC = frozenset({"kty", "n", "e", "crv", "x", "y"})
"""What is taken of a key. That it is fit for an algorithm is decided by our table, and its id is ours to compare."""
_CLASSES: Mapping[str, type[RSAKey] | type[ECKey] | type[OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}


class _Registry(JWSRegistry):
    """A header may be as long as a token, as some carry certificates. Parameters that nobody here knows are ignored
    (RFC 7515, 4)."""

    max_header_length = MAX_TOKEN

    def get_alg(self, name: str) -> JWSAlgModel:
        """Without the warning that issuers should write Ed25519 for EdDSA: who calls can change nothing about it."""
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


_REGISTRY = _Registry(strict_check_header=False)


class IssuerKeys:
    """The keys of one document. Each is made when a token first names it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Raises ValueError for what is no set of keys. A key in it that is of no use is left out (RFC 7517, 5)."""
        keys = document.get("keys")
        if not isinstance(keys, list):
            raise ValueError('it has no list of "keys" (RFC 7517, 5)')  # noqa: TRY004 - what was fetched is wrong
        self._published = [key for key in keys[:MAX_KEYS] if isinstance(key, dict)]
        self._made: dict[int, Key | None] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IssuerKeys) and self._published == other._published

    __hash__ = None  # type: ignore[assignment]

    def names(self, token: UnverifiedToken) -> bool:
        """Whether there is a key that may have signed it."""
        return bool(self._candidates(token))

    def verify(self, text: str, token: UnverifiedToken) -> None:
        """Raises Unauthorized unless one of the keys signed the token."""
        for index in self._candidates(token)[:MAX_CANDIDATES]:
            key = self._key(index)
            if key is not None and _signed(text, key):
                return
        raise Unauthorized("The token's signature is not its issuer's.")

    def _candidates(self, token: UnverifiedToken) -> list[int]:
        return [
            index
            for index, key in enumerate(self._published)
            if suits(key, token.algorithm) and token.key_id in ("", key.get("kid", token.key_id))
        ]

    def _key(self, index: int) -> Key | None:
        if index not in self._made:
            published = self._published[index]
            parameters = {name: value for name, value in published.items() if name in _PUBLIC}
            try:
                self._made[index] = _CLASSES[published["kty"]].import_key(parameters)
            except (JoseError, ValueError, TypeError):
                self._made[index] = None  # a point that is on no curve, a number that is none
        return self._made[index]


def _signed(text: str, key: Key) -> bool:
    try:
        deserialize_compact(text, key, registry=_REGISTRY)
    except (JoseError, ValueError, TypeError):
        return False
    return True
