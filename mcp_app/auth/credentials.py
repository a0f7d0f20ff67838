"""What a request carries in its Authorization field: a scheme, and a token or parameters (RFC 9110, 11.4).

Pure: no key and no token is known here.
"""

from __future__ import annotations

import re

from ..protocol.errors import InvalidCredentials

MAX_CHARACTERS = 16 * 1024
"""Characters of the whole field. Tokens with many claims have some KiB, and a server of large ones would have to verify
what anybody sends."""

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - a token of RFC 9110, 5.6.2
_TOKEN68 = r"[A-Za-z0-9._~+/-]+=*"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PARAMETER = rf"{_TOKEN}[ \t]*=[ \t]*(?:{_TOKEN}|{_QUOTED})"

_ONE_TOKEN = re.compile(rf"{_TOKEN} +{_TOKEN68}[ \t]*", re.ASCII)
_PARAMETERS = re.compile(rf"{_TOKEN} +{_PARAMETER}(?:[ \t]*,[ \t]*{_PARAMETER})*[ \t]*", re.ASCII)


def check_credentials(field: str) -> None:
    """Raises InvalidCredentials for a field's value that is not one scheme and what belongs to it; so is that of two
    fields, with a comma between them. Nothing of the value is in the message."""
    if len(field) > MAX_CHARACTERS:
        raise InvalidCredentials(f"The Authorization field has more than {MAX_CHARACTERS} characters.")
    if not (_ONE_TOKEN.fullmatch(field) or _PARAMETERS.fullmatch(field)):
        raise InvalidCredentials("The Authorization field is not one scheme and its token, as in: Bearer TOKEN.")


def bearer_token(field: str | None) -> str | None:
    """The Bearer token of an Authorization field (RFC 6750, 2.1); None without one. The field has been checked before
    verifiers see it: of one that is malformed this may be anything."""
    if field is None:
        return None
    scheme, _, token = field.partition(" ")
    return token.strip(" \t") if scheme == "Bearer" or scheme.lower() == "bearer" else None
