"""`?encrypt=1`: what is stored, unreadable to who can read Redis but not MCP_APP_SECRET.

AES-256-GCM, with a key for each run, node and document, derived from the secret by HKDF-SHA256 (RFC 5869): so the 2**32
random nonces that one key allows (NIST SP 800-38D, 8.3) are never used up, and what was sealed for one place opens
nowhere else. Numbers, times, sizes, owners and the names of documents stay
readable: Redis finds and computes by them. Nothing is stored here.

    version (0xe1) · of which secret 4 · nonce 12 · ciphertext … · tag 16
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Sequence
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = b"\xe1"
"""Not the first byte of anything in clear: a node without `?encrypt=1` sees that it cannot read it."""
_SALT = b"mcp_app event log"
_NONCE_BYTES = 12
_ID_BYTES = 4
_TAG_BYTES = 16
_HEAD_BYTES = len(VERSION) + _ID_BYTES + _NONCE_BYTES

KEYS_KEPT = 4096
"""Ciphers that are kept: deriving one takes 10 µs, and a run that is worked on needs its own for each event."""


class Unsealed(ValueError):
    """The bytes were not sealed by one of these secrets for this place, or were changed."""


class NoCipher:
    """Without `?encrypt=1`: everything as it is."""

    def mark(self, principal: str) -> str:
        """By which runs of one principal are known to be one's."""
        return hashlib.sha256(principal.encode()).hexdigest()[:32]

    def seal(self, place: str, data: bytes) -> bytes:
        return data

    def open(self, place: str, data: bytes) -> bytes:
        return data


class Cipher:
    """Seals with the first of the secrets, and opens what any of them has sealed: so they can be changed one node after
    the other."""

    def __init__(self, secrets: Sequence[str]) -> None:
        roots = [hmac.digest(_SALT, secret.encode(), "sha256") for secret in secrets]
        self._roots = {_expand(root, b"id")[:_ID_BYTES]: root for root in roots}
        self._first = next(iter(self._roots))
        self._marks = _expand(roots[0], b"principals")
        self._cipher = lru_cache(KEYS_KEPT)(self._derive)

    def mark(self, principal: str) -> str:
        """As that of NoCipher; nobody can try names out."""
        return hmac.digest(self._marks, principal.encode(), "sha256").hex()[:32]

    def seal(self, place: str, data: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        head = VERSION + self._first + nonce
        return head + self._cipher(self._first, place).encrypt(nonce, data, None)

    def open(self, place: str, data: bytes) -> bytes:
        """Raises Unsealed."""
        version, which, nonce = data[:1], data[1 : 1 + _ID_BYTES], data[1 + _ID_BYTES : _HEAD_BYTES]
        if version != VERSION or which not in self._roots or len(data) < _HEAD_BYTES + _TAG_BYTES:
            raise Unsealed("not encrypted by one of the secrets in MCP_APP_SECRET")
        try:
            return self._cipher(which, place).decrypt(nonce, data[_HEAD_BYTES:], None)
        except InvalidTag:
            raise Unsealed("changed, or moved from another place") from None

    def _derive(self, which: bytes, place: str) -> AESGCM:
        return AESGCM(_expand(self._roots[which], b"place " + place.encode()))


def _expand(root: bytes, info: bytes) -> bytes:
    """One block of HKDF-Expand (RFC 5869, 2.3)."""
    return hmac.new(root, info + b"\x01", hashlib.sha256).digest()
