"""What an access token claims, held against what this server takes: issuer, audience, time, type, subject, scopes.

Pure: the clock is an argument. Signatures are verified in issuer_keys.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ...protocol.errors import Unauthorized
from ...protocol.scopes import MAX_SCOPES, check_scopes
from .resources import Audiences

LEEWAY_SECONDS = 30.0
"""By how much two clocks may differ (RFC 7519, 4.1.4). A token is good for so much longer than it says."""

MAX_SUBJECT = 255
"""Characters (OpenID Connect Core, 8)."""

TYPES = frozenset({"", "jwt", "at+jwt"})
"""RFC 9068, 2.1 has `at+jwt`; most issuers write `JWT`, or nothing. What says that it is something else (a proof, a
notice of a logout, an introspection's answer) is no access token (RFC 8725, 3.11)."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_KINDS = {
    "token_type": frozenset({"bearer", "access_token", "access"}),  # RFC 7662, 2.2: neither DPoP nor a refresh token
    "token_use": frozenset({"access", "access_token"}),  # Cognito and Hydra say by it which of theirs it is
}
"""What a token says of its use. The same issuer signs, or vouches for, other tokens with the same audience."""


class Grant(NamedTuple):
    """What a token gives. `expires` are Unix seconds, None where nothing says when."""

    subject: str
    scopes: frozenset[str]
    expires: float | None


def check(
    claims: Mapping[str, Any], issuer: str, audiences: Audiences, now: float, *, kind: str = "", endless: bool = False
) -> Grant:
    """What a token with these claims gives. Raises Unauthorized, which says what is wrong with it.

    kind: its type, of its header.
    endless: it may lack `exp` and `iss`, as it was shown to its issuer a moment ago (RFC 7662, 2.2).
    """
    if kind not in TYPES:
        raise Unauthorized(f"The token says that it is {kind[:40]!r}, which is no access token.")
    for name, known in _KINDS.items():
        if (said := claims.get(name)) is not None and str(said).lower() not in known:
            raise Unauthorized(f"The token's {name} says that it is no access token that its bearer may use.")
    if not (endless and "iss" not in claims) and claims.get("iss") != issuer:
        raise Unauthorized("The token is of another issuer than the one that was asked.")
    if not audiences.include(claims.get("aud")):
        raise Unauthorized(f"The token is not for this server: it needs the audience {audiences.main}.")
    if claims.get("cnf") is not None:
        # RFC 9449, 7.2; RFC 8705, 3: such a token is worth nothing without its key, and whoever took it has none.
        raise Unauthorized("The token is bound to a key of its client (cnf), and this server takes bearer tokens only.")
    expires = _expiry(claims, now, endless)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT or _CONTROLS.search(subject):
        raise Unauthorized(f"The token names no subject (sub) of 1 to {MAX_SUBJECT} characters.")
    return Grant(subject, scopes_of(claims), expires)


def _expiry(claims: Mapping[str, Any], now: float, endless: bool) -> float | None:
    begins, ends = _time(claims, "nbf"), _time(claims, "exp")
    if begins is not None and begins > now + LEEWAY_SECONDS:
        raise Unauthorized(f"The token is not valid before {begins:.0f} (nbf); here it is {now:.0f}.")
    if ends is None:
        if endless:
            return None
        raise Unauthorized("The token does not say when it expires (exp).")
    if ends + LEEWAY_SECONDS <= now:
        raise Unauthorized("The token has expired.")
    return ends + LEEWAY_SECONDS


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unauthorized(f"The token's {name} is no number of seconds (RFC 7519, 2: NumericDate).")
    return float(value)


def scopes_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """The scopes: `scope` as RFC 9068, 2.2.3 has it, separated by spaces, and what Okta and Entra write, `scp`; a list
    in either. What cannot be a scope (RFC 6749, 3.3) is none: it gives nothing."""
    found: set[str] = set()
    for name in ("scope", "scp"):
        value = claims.get(name, "")
        given = value.split(" ") if isinstance(value, str) else value
        if not isinstance(given, list):
            raise Unauthorized(f"The token's {name} is neither a text nor a list.")
        found.update(each for each in given if _is_scope(each))
    if len(found) > MAX_SCOPES:
        raise Unauthorized(f"The token has {len(found)} scopes, more than {MAX_SCOPES}.")
    return frozenset(found)


def _is_scope(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(check_scopes([value]))
    except ValueError:
        return False
