"""`Verifier`: knows who calls by what a request carries. Which one is asked when, is not known here."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from ..protocol.access import Access
from ..web.messages import Request

Verify = Callable[[Request], Access | str | Awaitable[Access | str | None] | None]
"""A plain or coroutine function that says who calls; None for somebody whom it does not know. A name is an `Access` to
whatever there is."""

KEY, CERTIFICATE = "key:", "certificate:"
"""What stands before the id of a key, and before the kind of a certificate's name and the name, in a principal:
`key:0Ab1…`, `certificate:uri:spiffe://example.org/agent`."""

OURS = re.compile(rf"(?:{KEY}|{CERTIFICATE}|https?://\S+ )", re.ASCII)
"""No caller whom a function of an author's names may be taken for the holder of a key, a certificate, or a token, whose
principal is its issuer, a space, and its subject."""


class Verifier:
    """Derive from it, and define `verify`; or give a function that does what `verify` does."""

    def verify(self, request: Request) -> Access | Awaitable[Access | None] | None:
        """Who calls; None if the request has no credentials of this verifier's, so that the next one is asked.

        It may be a coroutine function; one that answers at once costs a call less. Raises `errors.Unauthorized` for
        credentials that are this verifier's and are refused, and `errors.InvalidCredentials` for malformed ones. What
        else it raises is masked. The request is complete: method, `url`, header fields, body, `peer`, `certificate`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no verify")

    def recall(self, field: str) -> Access | None:
        """What was granted before to a request with exactly this Authorization field, with all that its scopes imply,
        if that holds still and nothing else of a request matters. It spares reading the field; None asks `verify`."""
        return None

    def revoked(self, access: Access) -> bool | Awaitable[bool]:
        """Whether what it once gave this access for holds no more. Asked every few seconds for everybody who has an
        open stream or a run, so it should answer from memory. False for the access of another verifier."""
        return False

    def signed_out(self, access: Access) -> bool:
        """Whether who got this access by a sign-in has ended that since, which ends what an expiry ends. Asked as
        often as `revoked`, and first. False for the access of another verifier."""
        return False

    def metadata(self, request: Request) -> str | None:
        """The URL of the protected resource's metadata (RFC 9728) that challenges name; None where there is none."""
        return None

    first_scopes: Sequence[str] = ()
    """What challenges have clients ask for where nobody can say yet which scopes they need."""

    def documents(self) -> Mapping[str, Mapping[str, Any]]:
        """Metadata of protected resources, by the paths at which anybody may read them; none by default."""
        return {}

    async def start(self) -> None:
        """Called once on each event loop before the first request. Raises VerifierError for what prevents it: then the
        server does not start."""

    async def close(self) -> None:
        """Called when the server stops."""


class VerifierError(Exception):
    """A verifier cannot work as it is configured: the message names what is wrong, and what to do."""


class FunctionVerifier(Verifier):
    """A function of an author's as a verifier."""

    def __init__(self, function: Verify) -> None:
        self._function = function
        self._whose = f"the verifier {place(function)}"

    def verify(self, request: Request) -> Any:
        found = self._function(request)
        return self._later(found) if inspect.isawaitable(found) else self._access(found)

    async def _later(self, found: Awaitable[Any]) -> Access | None:
        return self._access(await found)

    def _access(self, found: object) -> Access | None:
        return None if found is None else access_of(found, self._whose)


def access_of(found: object, whose: str) -> Access:
    """What a function of an author's gives a caller, whom it may name only; `whose` is the function, for messages.

    Raises TypeError for what is neither a name nor an Access, ValueError for what cannot be a name.
    """
    if isinstance(found, Access):
        return found
    if not isinstance(found, str) or not found:
        raise TypeError(
            f"{whose} returned {type(found).__name__}: a caller is a name, not empty, or an Access; nobody None"
        )
    found.encode()  # UnicodeEncodeError for a lone surrogate, of which no digest can be made later
    if OURS.match(found):
        raise ValueError(
            f"{whose} returned a name that begins with {KEY} or {CERTIFICATE}, or is an issuer and a subject: those are"
            " our own"
        )
    return Access(found)


def as_verifier(given: object) -> Verifier:
    """Raises TypeError for what is neither a verifier nor a function."""
    if isinstance(given, Verifier):
        return given
    if isinstance(given, type) or not callable(given):
        raise TypeError(f"a verifier is a function of the request, or an object of a class of Verifier, not {given!r}")
    return FunctionVerifier(given)


def place(function: object) -> str:
    """A function's name, file and line, for messages to its author."""
    unwrapped: Any = inspect.unwrap(function) if callable(function) else function
    code = getattr(unwrapped, "__code__", None)
    name = getattr(unwrapped, "__qualname__", None) or type(unwrapped).__qualname__
    return str(name) + (f" ({code.co_filename}:{code.co_firstlineno})" if code else "")
