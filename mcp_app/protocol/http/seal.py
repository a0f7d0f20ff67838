"""`requestState`: what a tool has been answered so far, carried by the client and believed only when we sealed it.

MCP 2026-07-28, basic/patterns/mrtr, Server Requirements 4 and 5: the state is an attacker's input; sealed into it are
who may bring it back, on which request, and until when. It is protected, not secret: the client can read the payload.
Any process with one of the keys opens it, so it survives a restart and another node. That it is used only once cannot
be known here; `fingerprint` is what a log of used ones has to keep.

    base64url( version 1 · nonce 16 · expiry 8 · principal 16 · request 16 · payload … · HMAC-SHA256 32 )

The standard library's HMAC, and no clock and no source of randomness: both are arguments.
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

from ..event import encode, number
from ..mcp.rpc_error import Code, RpcError

MIN_SECRET_BYTES = 16
"""Of the setting's secret: 128 bits, if it is random. Less can be tried out on one sealed state, offline."""

MAX_PAYLOAD_BYTES = 256 * 1024
"""Of encoded JSON. A state travels twice with every round, in bodies of at most 1 MiB that hold answers beside it."""

NONCE_BYTES = 16
"""Random for each seal: two states of the same payload are two states, of which each may be used once."""

_VERSION = b"\x01"
_TAG_BYTES = 16  # of each binding: nobody may choose two principals or requests that have the same one
_MAC_BYTES = 32
_FIELDS = struct.Struct(f">{len(_VERSION)}s{NONCE_BYTES}sQ{_TAG_BYTES}s{_TAG_BYTES}s")  # expiry: ms since the epoch
_MAX_TEXT = math.ceil((_FIELDS.size + MAX_PAYLOAD_BYTES + _MAC_BYTES) * 4 / 3)
_SALT = b"mcp_app requestState"
_NOT_SALIENT = frozenset({"_meta", "inputResponses", "requestState"})


class Reason(Enum):
    """Why a state was refused; the value is what its bearer is told."""

    TAMPERED = "requestState is not one that this server gave out, or it was changed."
    EXPIRED = "requestState has expired."
    OTHER_PRINCIPAL = "requestState was given to another caller."
    OTHER_REQUEST = "requestState was given for another method or other parameters."
    USED = "requestState was used before, and is good for one use."


class StateRefused(RpcError):
    """A `requestState` that is not to be believed: INVALID_PARAMS, with the `reason`."""

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
    """The key that a setting's secret gives for this purpose alone: HKDF-SHA256 (RFC 5869, 2), one block.

    Raises ValueError for a secret of less than MIN_SECRET_BYTES.
    """
    material = secret.encode() if isinstance(secret, str) else secret
    if len(material) < MIN_SECRET_BYTES:
        raise ValueError(f"the secret for requestState has {len(material)} bytes; it needs {MIN_SECRET_BYTES}")
    extracted = hmac.digest(_SALT, material, "sha256")
    return hmac.digest(extracted, b"seal" + _VERSION + b"\x01", "sha256")


def digest(params: Mapping[str, Any]) -> bytes:
    """A digest of the parameters that must be the same when the request comes again: all but what a retry adds.

    The order of names does not count, nor how a number is written (1.0 may come back as 1 from a client in JavaScript).
    """
    salient = {name: _plain(value) for name, value in params.items() if name not in _NOT_SALIENT}
    return hashlib.sha256(json.dumps(salient, sort_keys=True, separators=(",", ":")).encode()).digest()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return number(value) if isinstance(value, float) else value


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
    """The payload, a JSON value, as URL-safe ASCII that `unseal` opens for this principal and request until `expires`.

    `keys` are of `derive_key`: the first seals. `digest` is of `digest(params)`. `expires` counts seconds since the
    epoch, `nonce` is NONCE_BYTES of randomness.

    Raises ValueError when the payload is no JSON value, or larger than MAX_PAYLOAD_BYTES.
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
    """The payload that was sealed into `text`, with any of the `keys`. `now` counts seconds since the epoch.

    Raises StateRefused with the reason. That a state was tampered with is found before anything in it is looked at.
    """
    raw = _decoded(text)
    signed, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    # All keys are tried, whichever fits: how long that takes says nothing.
    fitting = [key for key in keys if hmac.compare_digest(_mac(key, signed), mac)]
    if not fitting:
        raise StateRefused(Reason.TAMPERED)
    _, _, expires, principal_tag, request_tag = _FIELDS.unpack_from(signed)
    if now * 1000 >= expires:
        raise StateRefused(Reason.EXPIRED)
    if not hmac.compare_digest(principal_tag, _principal_tag(fitting[0], principal)):
        raise StateRefused(Reason.OTHER_PRINCIPAL)
    if not hmac.compare_digest(request_tag, _request_tag(fitting[0], method, digest)):
        raise StateRefused(Reason.OTHER_REQUEST)
    return json.loads(signed[_FIELDS.size :])


def fingerprint(text: str) -> str:
    """What tells a state that was unsealed from every other one, in 64 characters: for a log of those that were used.

    No second text opens as the same state, so one cannot be used twice by writing it in another way.
    """
    return hashlib.sha256(text.encode()).hexdigest()


def _decoded(text: str) -> bytes:
    """The bytes in a text of ours; its version, without which nothing is known of the rest, included."""
    if len(text) > _MAX_TEXT or not text.isascii():
        raise StateRefused(Reason.TAMPERED)
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise StateRefused(Reason.TAMPERED) from None
    written = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    # The decoder passes over foreign characters and unused bits: only the text that we would write is ours.
    if written != text or len(raw) < _FIELDS.size + _MAC_BYTES or not raw.startswith(_VERSION):
        raise StateRefused(Reason.TAMPERED)
    return raw


def _mac(key: bytes, signed: bytes) -> bytes:
    return hmac.digest(key, b"state" + signed, "sha256")


# Keyed, so that a state does not give away its principal to who tries out names; each use of the key begins with
# another word.


def _principal_tag(key: bytes, principal: str) -> bytes:
    return hmac.digest(key, b"principal" + principal.encode(), "sha256")[:_TAG_BYTES]


def _request_tag(key: bytes, method: str, digest: bytes) -> bytes:
    return hmac.digest(key, b"request" + hashlib.sha256(method.encode()).digest() + digest, "sha256")[:_TAG_BYTES]
