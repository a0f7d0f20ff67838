"""The cookie of a browser that is signed in: which key it signed in with, and until when, under this server's seal.

    __Host-mcp-app-8443=base64url( version 1 · id 16 · expiry 8 · HMAC-SHA256 32 · the key's id )

The key itself is not in it. Which keys there are, and what they may do, is looked up elsewhere at each request: nothing
here is asked whether a key has been revoked. The clock and the randomness are arguments.
"""

from __future__ import annotations

import base64
import hmac
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

NAME = "__Host-mcp-app"
"""RFC 6265bis, 4.1.3.2: a browser takes it from a secure origin only, for that host alone, and no other host, no
subdomain and no plain http can put one in its place."""

SIGN_IN_SECONDS = 12 * 3600
"""How long a sign-in lasts: a working day, so that what was left signed in is not for the next one."""

MAX_READ = 16
"""Cookies of ours that are read in one request, those that a page of this server has before all others: servers on
other ports of a host have theirs there, too, and to look at one takes 3 µs."""

ID_BYTES = 16
"""Random bytes that name one sign-in, by which it is signed out of."""

KEY_BYTES = 32

_VERSION = b"\x01"
_FIELDS = struct.Struct(f">{len(_VERSION)}s{ID_BYTES}sQ")  # expiry: ms since the epoch
_MAC_BYTES = 32
_MAX_TEXT = 512
_SALT = b"mcp_app sign-in"
_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Strict"
_SEPARATOR = re.compile(r"[;,]")
"""HTTP/2 sends a cookie a field (RFC 9113, 8.2.3), and fields of one name are joined by a comma. No value of ours has
either."""


@dataclass(frozen=True, slots=True)
class PageSignIn:
    """What the cookie says. `expires` is in seconds since the epoch, `id` names this sign-in."""

    key_id: str
    expires: float
    id: bytes


def derive_key(secret: str | bytes) -> bytes:
    """The key of the seal, from a secret of the settings: HKDF-SHA256 (RFC 5869, 2), for this purpose only."""
    material = secret.encode() if isinstance(secret, str) else secret
    return hmac.digest(hmac.digest(_SALT, material, "sha256"), _VERSION + b"\x01", "sha256")


def seal(sign_in: PageSignIn, keys: Sequence[bytes]) -> str:
    """The cookie's value. The first key seals."""
    fields = _FIELDS.pack(_VERSION, sign_in.id, int(sign_in.expires * 1000))
    key_id = sign_in.key_id.encode()
    mac = hmac.digest(keys[0], fields + key_id, "sha256")
    return base64.urlsafe_b64encode(fields + mac + key_id).rstrip(b"=").decode()


def unseal(text: str, keys: Sequence[bytes], now: float) -> PageSignIn | None:
    """What was sealed with any of the keys; None for all else, and after its expiry. `now`: seconds since the epoch."""
    if len(text) > _MAX_TEXT or not text.isascii():
        return None
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    # The decoder ignores foreign characters and unused bits: one sign-in has one spelling.
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != text or len(raw) <= _FIELDS.size + _MAC_BYTES:
        return None
    fields, mac, key_id = raw[: _FIELDS.size], raw[_FIELDS.size :][:_MAC_BYTES], raw[_FIELDS.size + _MAC_BYTES :]
    # All keys are always tried: the time taken must not reveal which one matches.
    if not [key for key in keys if hmac.compare_digest(hmac.digest(key, fields + key_id, "sha256"), mac)]:
        return None
    _, id_, expires = _FIELDS.unpack(fields)
    return None if now * 1000 >= expires else PageSignIn(key_id.decode(), expires / 1000, id_)


def cookies(field: str, host: str) -> list[tuple[str, str]]:
    """Name and value of the cookies of ours in a Cookie field (RFC 6265, 4.2.1), MAX_READ at most: first those of a
    page at this `host[:port]`, or at a default port, as a proxy there may have replaced the Host."""
    pairs = (pair.strip(" \t").partition("=") for pair in _SEPARATOR.split(field))
    found = [(name, value) for name, _, value in pairs if name == NAME or name.startswith(f"{NAME}-")]
    own = (NAME, name_for(f"//{host}"))
    return sorted(found, key=lambda each: each[0] not in own)[:MAX_READ]


def name_for(origin: str) -> str:
    """The cookie's name for a page of this origin. A cookie goes to every port of its host: with the port in its name
    two servers on one machine do not sign each other's callers out."""
    try:
        port = urlsplit(origin).port
    except ValueError:
        port = None
    return NAME if port is None else f"{NAME}-{port}"


def set_cookie(name: str, value: str, seconds: int) -> str:
    """The value of Set-Cookie."""
    return f"{name}={value}; Max-Age={seconds}; {_ATTRIBUTES}"


def clear_cookie(name: str) -> str:
    """The value of Set-Cookie that takes it back."""
    return set_cookie(name, "", 0)
