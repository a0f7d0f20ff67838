"""An access token as it was presented: the parts of a JSON Web Token (RFC 7519), none of which is verified yet.

Text in, values out. What they are worth is decided in claims.py and issuer_keys.py.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ...protocol.errors import InvalidRequest
from ...protocol.http.strict_json import loads
from ..credentials import MAX_CHARACTERS

MAX_TOKEN = MAX_CHARACTERS
"""Characters: those of the field in which it came. Tokens with hundreds of groups in them have 8,000."""
MAX_KEY_ID = 512

_SHAPE = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)
"""The compact form of a signature (RFC 7515, 7.1). An encrypted token has five parts, and one that is not signed
(`none`) has an empty last one: neither is one of these."""


class UnverifiedToken(NamedTuple):
    """What a token says. `key_id` is "" where it names no key, `type` in lower case and without `application/`."""

    algorithm: str
    key_id: str
    type: str
    claims: Mapping[str, Any]


def parse(text: str) -> UnverifiedToken | None:
    """The parts of a signed token; None for what is none, such as a token that only its issuer can read."""
    shape = _SHAPE.fullmatch(text) if len(text) <= MAX_TOKEN else None
    if shape is None:
        return None
    header, claims = _object(shape[1]), _object(shape[2])
    # RFC 7515, 4.1.11: what is in `crit` must be understood. Nothing that may be there is.
    if header is None or claims is None or "crit" in header:
        return None
    algorithm, key_id, kind = header.get("alg"), header.get("kid", ""), header.get("typ", "")
    if not (isinstance(algorithm, str) and isinstance(key_id, str) and isinstance(kind, str)):
        return None
    if len(key_id) > MAX_KEY_ID:
        return None
    return UnverifiedToken(algorithm, key_id, kind.lower().removeprefix("application/"), claims)


def _object(part: str) -> dict[str, Any] | None:
    try:
        value = loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)), "A part of the token")
    except (binascii.Error, InvalidRequest):
        return None
    return value if isinstance(value, dict) else None
