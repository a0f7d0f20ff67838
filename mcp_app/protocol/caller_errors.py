"""The errors of who calls: what is refused for the credentials, the place or the number of a caller's requests.

Their tree is in errors.py. No credentials are looked at here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .error_kind import ErrorKind
from .error_root import RequestError, RunError
from .http import challenge
from .scopes import write_scopes


class InvalidCredentials(RequestError):
    """The credentials are malformed, or there are two of them (RFC 6750, 3.1: invalid_request)."""

    code = "invalid_credentials"
    status = 400
    hint = "Send one field, Authorization: Bearer TOKEN, with the token or the key as it was given to you."


class Unauthorized(RequestError):
    """Nobody is signed in, or the credentials are not valid, or not any more (RFC 9110, 15.5.2)."""

    code = "unauthorized"
    status = 401
    hint = "Send a key or a token that is valid here, as Authorization: Bearer TOKEN."


class InsufficientScope(RequestError):
    """The caller is known, and may not do this: it lacks a scope (RFC 6750, 3.1). `needed`: all of the operation's."""

    code = "insufficient_scope"
    status = 403
    error_kind = ErrorKind.TOOL
    hint = "Sign in again for the scopes that WWW-Authenticate names, or ask for a key that has them."

    def __init__(self, needed: Iterable[str]) -> None:
        needed = frozenset(needed)
        super().__init__(
            f"This needs the scopes: {write_scopes(needed)}.",
            headers={challenge.FIELD: challenge.bearer("insufficient_scope", needed)},
        )
        self.needed = needed

    def object(self) -> dict[str, Any]:
        """With the `scopes`, for who does not read header fields."""
        return {**super().object(), "scopes": sorted(self.needed)}


class HostNotAllowed(RequestError):
    """The Host is not one of this server's: DNS rebinding, or a missing MCP_APP_PUBLIC_URL (RFC 9110, 15.5.20)."""

    code = "host_not_allowed"
    status = 421
    hint = "If this is a name of the server, set MCP_APP_PUBLIC_URL to its URL or add it to MCP_APP_ALLOWED_HOSTS."


class OriginNotAllowed(RequestError):
    """The request comes from a page of another origin (RFC 9110, 15.5.4)."""

    code = "origin_not_allowed"
    status = 403
    hint = "If this page may call the server, add its origin to MCP_APP_ALLOWED_ORIGINS."


class AnonymousNotAllowed(RequestError):
    """The connection arrived at an address that other machines can reach, and callers are not authenticated."""

    code = "anonymous_not_allowed"
    status = 403
    hint = "Call on 127.0.0.1, or set MCP_APP_ALLOW_ANONYMOUS=1 to let anybody who reaches the server run its tools."


class CrossSiteNotAllowed(RequestError):
    """Sec-Fetch-Site says that a page of another site is trying to start a run."""

    code = "cross_site_not_allowed"
    status = 403
    hint = "Call from a page of this server, or from one whose origin is in MCP_APP_ALLOWED_ORIGINS."


class RateLimited(RequestError):
    """The caller, its address, or all callers together ask for more than they may (RFC 6585, 4)."""

    code = "rate_limited"
    status = 429
    hint = "Try again after the seconds in Retry-After."


class CredentialsExpired(RunError):
    """The credentials of the reader, or of the caller, have expired: its stream ends, and so does a run that does not
    outlive its reader."""

    code = "credentials_expired"
    status = 401
    hint = "Get new credentials of the same caller, and come back to the run, or start the call again."


class Revoked(RunError):
    """The caller's credentials were taken back while the run was in progress."""

    code = "revoked"
    status = 401
    hint = "Ask whoever runs the server for new credentials."


CREDENTIALS_ENDED = (CredentialsExpired, Revoked)
"""With these a stream ends whose reader may come back to its run by other credentials of the same caller."""
