"""The challenge of a 401 or 403: how a caller may get what it lacks (RFC 6750, 3; RFC 9728, 5.1).

Pure. Who is challenged is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..scopes import write_scopes

FIELD = "WWW-Authenticate"

METADATA_PATH = "/.well-known/oauth-protected-resource"
"""Where the document is that a challenge names, the path of its resource behind it (RFC 9728, 3)."""


def bearer(error: str | None = None, scopes: Iterable[str] = ()) -> str:
    """A challenge for a Bearer token. `error` is one of RFC 6750, 3.1, and only for who has shown credentials; `scopes`
    are all that the operation needs, of characters that need no escape."""
    wanted = write_scopes(scopes)
    parameters = [f'error="{error}"'] if error else []
    parameters += [f'scope="{wanted}"'] if wanted else []
    return f"Bearer {', '.join(parameters)}" if parameters else "Bearer"


def with_metadata(
    headers: Sequence[tuple[str, str]], url: str, scopes: Iterable[str] = ()
) -> tuple[tuple[str, str], ...]:
    """The header fields, with the URL of the protected resource's metadata in their Bearer challenge. `scopes` are what
    a client is to ask for where the challenge names none."""
    return tuple((name, _named(value, url, scopes) if name == FIELD else value) for name, value in headers)


def _named(challenge: str, url: str, scopes: Iterable[str]) -> str:
    if challenge.partition(" ")[0] != "Bearer" or "resource_metadata=" in challenge:
        return challenge
    wanted = "" if "scope=" in challenge else write_scopes(scopes)
    parameters = [f'resource_metadata="{url}"', *([f'scope="{wanted}"'] if wanted else [])]
    return f"{challenge}{', ' if ' ' in challenge else ' '}{', '.join(parameters)}"
