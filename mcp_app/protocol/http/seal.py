"""`requestState`: the answers that a tool has got so far, held by the client and authenticated by this server's seal.

MCP 2026-07-28, basic/patterns/mrtr, Server Requirements 4 and 5: the state is attacker-controlled input, so the seal
binds it to a principal, a request and an expiry. It is authenticated, not encrypted: the client can read the payload.
Any process with one of the keys can open it, so it survives restarts and works on every node. Single use cannot be
enforced here; a log of used states stores their `fingerprint`.

    base64url( version 1 · nonce 16 · expiry 8 · principal 16 · request 16 · payload … · HMAC-SHA256 32 )

Uses the standard library's HMAC. The clock and the randomness are arguments.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import struct
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from ..event import encode, normalised
from ..mcp.rpc_error import Code, RpcError

MIN_SECRET_BYTES = 16
"""Minimum length of the secret: 128 bits, if it is random. Less can be brute-forced offline from one sealed state."""

MAX_PAYLOAD_BYTES = 256 * 1024
"""Bytes of JSON. A state is sent twice in every round, in bodies of at most 1 MiB that also hold the answers."""

NONCE_BYTES = 16
"""Random bytes in each seal: two states with the same payload differ, and each may be used once."""

_VERSION = b"\x01"
_TAG_BYTES = 16  # of each binding: collisions of principals or requests must be infeasible
_MAC_BYTES = 32
_FIELDS = struct.Struct(f">{len(_VERSION)}s{NONCE_BYTES}sQ{_TAG_BYTES}s{_TAG_BYTES}s")  # expiry: ms since the epoch
_MAX_TEXT = math.ceil((_FIELDS.size + MAX_PAYLOAD_BYTES + _MAC_BYTES) * 4 / 3)
_SALT = b"mcp_app requestState"
_RETRY_FIELDS = frozenset({"_meta", "inputResponses", "requestState"})


class Reason(Enum):
    """Why a state was rejected; the value is the message for the client."""

    TAMPERED = "requestState is not one that this server gave to this caller, or it was changed."
    """Also for that of another caller: who tries states out learns nothing."""
    EXPIRED = "requestState has expired."
    OTHER_REQUEST = "requestState was given for another method or other parameters."
    USED = "requestState was used before, and is good for one use."


class StateRefused(RpcError):
    """The `requestState` is not valid: INVALID_PARAMS, with the `reason`."""

    def __init__(self, reason: Reason) -> None:
        data = {
            "code": "request_state_refused",
            "message": reason.value,
            "hint": "Start the request again without requestState and inputResponses.",
            "reason": reason.name.lower(),
        }
        super().__init__(Code.INVALID_PARAMS, reason.value, data=data)
        self.reason = reason


def derive_key(secret: str | bytes) -> bytes:
    """Derive a key for this purpose only from a secret of the settings: HKDF-SHA256 (RFC 5869, 2), one block.

    Raises ValueError for a secret of less than MIN_SECRET_BYTES.
    """
    material = secret.encode() if isinstance(secret, str) else secret
    if len(material) < MIN_SECRET_BYTES:
        raise ValueError(f"the secret for requestState has {len(material)} bytes; it needs {MIN_SECRET_BYTES}")
    extracted = hmac.digest(_SALT, material, "sha256")
    return hmac.digest(extracted, b"seal" + _VERSION + b"\x01", "sha256")


def digest(params: Mapping[str, Any]) -> bytes:
    """A digest of the parameters that must be equal when the request is retried: all but those that a retry adds.

    The order of names is ignored, and so is the notation of numbers (JavaScript clients send 1.0 back as 1).
    """
    stable = {name: normalised(value) for name, value in params.items() if name not in _RETRY_FIELDS}
    return hashlib.sha256(json.dumps(stable, sort_keys=True, separators=(",", ":")).encode()).digest()


def seal(
    payload: Any,
    *,
    keys: Sequence[bytes],
    principal: str,
    method: str,
    digest: bytes,
    expires: float,
    nonce: bytes,
) -> str:
    """Seal a JSON value into URL-safe ASCII, which `unseal` opens for this principal and request until `expires`.

    `keys` come from `derive_key`; the first one seals. `digest` comes from `digest(params)`. `expires` is in seconds
    since the epoch, `nonce` is NONCE_BYTES random bytes.

    Raises ValueError when the payload is not a JSON value, or larger than MAX_PAYLOAD_BYTES.
    """
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"the nonce has {len(nonce)} bytes, not {NONCE_BYTES}")
    encoded = encode(payload)
    if len(encoded) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"the state has {len(encoded)} bytes of JSON; at most {MAX_PAYLOAD_BYTES} can be sealed")
    key = keys[0]
    fields = _FIELDS.pack(
        _VERSION, nonce, int(expires * 1000), _principal_tag(key, principal), _request_tag(key, method, digest)
    )
    signed = fields + encoded
    return base64.urlsafe_b64encode(signed + _mac(key, signed)).rstrip(b"=").decode()


def unseal(
    text: str,
    *,
    keys: Sequence[bytes],
    principal: str,
    method: str,
    digest: bytes,
    now: float,
) -> Any:
    """The payload that was sealed into `text` with any of the `keys`. `now` is in seconds since the epoch.

    Raises StateRefused with the reason. The MAC is verified before any field is used.
    """
    raw = _decoded(text)
    signed, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    # All keys are always tried: the time taken must not reveal which one matches.
    matching = [key for key in keys if hmac.compare_digest(_mac(key, signed), mac)]
    if not matching:
        raise StateRefused(Reason.TAMPERED)
    _, _, expires, principal_tag, request_tag = _FIELDS.unpack_from(signed)
    if not hmac.compare_digest(principal_tag, _principal_tag(matching[0], principal)):
        raise StateRefused(Reason.TAMPERED)
    if now * 1000 >= expires:
        raise StateRefused(Reason.EXPIRED)
    if not hmac.compare_digest(request_tag, _request_tag(matching[0], method, digest)):
        raise StateRefused(Reason.OTHER_REQUEST)
    return json.loads(signed[_FIELDS.size :])


def fingerprint(text: str) -> str:
    """An identifier of an unsealed state, 64 characters: for a log of the states that were used.

    Exactly one text unseals to a given state, so a state cannot be used twice under another spelling.
    """
    return hashlib.sha256(text.encode()).hexdigest()


def _decoded(text: str) -> bytes:
    """Decode the text and check its length and version, which determines the layout of the rest."""
    if len(text) > _MAX_TEXT or not text.isascii():
        raise StateRefused(Reason.TAMPERED)
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise StateRefused(Reason.TAMPERED) from None
    canonical = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    # The decoder ignores foreign characters and unused bits: only the canonical encoding is accepted.
    if canonical != text or len(raw) < _FIELDS.size + _MAC_BYTES or not raw.startswith(_VERSION):
        raise StateRefused(Reason.TAMPERED)
    return raw


def _mac(key: bytes, signed: bytes) -> bytes:
    return hmac.digest(key, b"state" + signed, "sha256")


# Keyed, so that a state does not reveal its principal to a client that tries out names. Each use of the key has its own
# prefix.


def _principal_tag(key: bytes, principal: str) -> bytes:
    return hmac.digest(key, b"principal" + principal.encode(), "sha256")[:_TAG_BYTES]


def _request_tag(key: bytes, method: str, digest: bytes) -> bytes:
    return hmac.digest(key, b"request" + hashlib.sha256(method.encode()).digest() + digest, "sha256")[:_TAG_BYTES]
