"""The page's sign-in: a browser shows an API key once, and gets a cookie that stands for it.

The cookie's format is in sign_in_cookie.py, keys are key_verifier.py's. The key is asked for at each request, so that
one that is revoked, or given other scopes, is so here as well. What a sign-in opens has a credential of its own, the
key's id and the sign-in's: with the sign-in it ends, and the key's holder goes on elsewhere.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from ..protocol.access import Access
from ..protocol.errors import InvalidRequest, Unauthorized
from ..protocol.event import encode
from ..protocol.this_machine import is_this_machine
from ..web.guard import Guard
from ..web.messages import NO_CONTENT, Answer, Request, json_answer
from . import sign_in_cookie as cookie
from .authentication import Authentication
from .key_verifier import KeyVerifier
from .verifier import Verifier

MAX_SIGNED_OUT = 10_000
"""Sign-ins that were ended before they expired, and are remembered until they do; the oldest are forgotten first."""


class PageSignIns(Verifier):
    """Knows the callers of the page by its cookie. `clock` returns seconds since the epoch."""

    def __init__(
        self, keys: KeyVerifier, given_secrets: Sequence[str] = (), *, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        # Without a secret that others have, too: to sign in again after a restart is all that comes of it.
        self._seals = [cookie.derive_key(each) for each in given_secrets or (secrets.token_bytes(cookie.KEY_BYTES),)]
        self._clock = clock
        self._signed_out: dict[str, float] = {}
        """When each would have expired, by its credential."""
        self.share: Callable[[Mapping[str, float]], Awaitable[None]] = _with_nobody
        """Tells other processes of such."""

    def verify(self, request: Request) -> Access | None:
        """Credentials that a browser adds by itself count only in a request of our own page, or in one that the guard
        has let pass by its Origin."""
        fields = request.headers
        if "cookie" not in fields or "authorization" in fields or not _is_of_an_own_page(request):
            return None
        return self._found(request)

    def sign_in(self, access: Access, origin: str) -> tuple[str, str]:
        """Name and value of the cookie that stands for the key of this access in pages of `origin`."""
        expires = self._clock() + cookie.SIGN_IN_SECONDS
        one = cookie.PageSignIn(access.credential, expires, secrets.token_bytes(cookie.ID_BYTES))
        return cookie.name_for(origin), cookie.seal(one, self._seals)

    async def sign_out(self, request: Request) -> list[str]:
        """End the request's sign-ins. Returns the names of the cookies that held them. Raises LogUnavailable where
        other processes could not be told."""
        found = dict(self._sealed(request, self._clock()))
        if found:
            ended = {_credential(one): one.expires for one in found.values()}
            self.remember(ended)
            await self.share(ended)
        return list(found)

    def remember(self, ended: Mapping[str, float]) -> None:
        """These sign-ins, by their credentials, were ended before they expire."""
        now = self._clock()
        for credential, expires in ended.items():
            if len(self._signed_out) >= MAX_SIGNED_OUT:
                self._signed_out = {each: until for each, until in self._signed_out.items() if until > now}
            if len(self._signed_out) >= MAX_SIGNED_OUT:
                del self._signed_out[next(iter(self._signed_out))]
            self._signed_out[credential] = expires

    def signed_in_as(self, request: Request) -> str | None:
        """What the key is called of whom the cookie says that it calls; None where it does not."""
        access = self.verify(request)
        return None if access is None else self._keys.name_of(access)

    def signed_out(self, access: Access) -> bool:
        return access.credential in self._signed_out

    def is_of_key(self, access: Access) -> bool:
        """Whether the access is that of a key, which can be found again."""
        found = self._keys.access_of(access.credential) if access.credential else None
        return found is not None and found.principal == access.principal

    def _found(self, request: Request) -> Access | None:
        now = self._clock()
        for _, one in self._sealed(request, now):
            if (credential := _credential(one)) in self._signed_out:
                continue
            access = self._keys.access_of(one.key_id)
            if access is not None:
                expires = one.expires if access.expires is None else min(one.expires, access.expires)
                return replace(access, expires=expires, credential=credential)
        return None

    def _sealed(self, request: Request, now: float) -> Iterator[tuple[str, cookie.PageSignIn]]:
        """The request's sign-ins that have not expired, with the names of their cookies."""
        headers = request.headers
        for name, value in cookie.cookies(headers.get("cookie", ""), headers.get("host", "")):
            if (one := cookie.unseal(value, self._seals, now)) is not None:
                yield name, one


class PageSignInRoutes:
    """What the page asks to sign in, to sign out, and to learn who it calls as."""

    def __init__(self, guard: Guard, authentication: Authentication) -> None:
        self._guard = guard
        self._sign_ins = authentication.find(PageSignIns)
        self._asks = authentication.refuses_anonymous

    async def show(self, request: Request) -> Answer:
        """Who the page calls as, and whether it has to sign in. Answered whoever asks."""
        access, sign_ins = request.access, self._sign_ins
        name = None if sign_ins is None else sign_ins.signed_in_as(request)
        state = {
            "caller": name or (None if access.anonymous else access.principal),
            "asks": self._asks,
            "by_key": sign_ins is not None,
            "signed_in": name is not None,
        }
        return json_answer(200, encode(state))

    async def sign_in(self, request: Request) -> Answer:
        """Set the cookie for the API key in Authorization. Raises Unauthorized for no valid key, InvalidRequest where
        the browser would not keep the cookie."""
        self._guard.check_start(request)
        sign_ins = self._sign_ins
        if sign_ins is None:
            raise InvalidRequest("This server has no API keys to sign in with.", hint="Use an MCP client.")
        if not _is_secure(request):
            raise InvalidRequest(
                "A sign-in needs https, or this machine: over plain http others could read the key.",
                hint="Open the page by its https address.",
            )
        if "authorization" not in request.headers or not sign_ins.is_of_key(request.access):
            raise Unauthorized("This is no API key of this server, or it has expired or was revoked.", hint=_HINT)
        name, value = sign_ins.sign_in(request.access, request.headers.get("origin", ""))
        return Answer(
            204, (*NO_CONTENT.headers, ("Set-Cookie", cookie.set_cookie(name, value, cookie.SIGN_IN_SECONDS)))
        )

    async def sign_out(self, request: Request) -> Answer:
        """End the sign-in, and take the cookie back. Answered whoever asks, as often as it is asked."""
        self._guard.check_start(request)
        names = [] if self._sign_ins is None else await self._sign_ins.sign_out(request)
        return Answer(204, (*NO_CONTENT.headers, *(("Set-Cookie", cookie.clear_cookie(name)) for name in names)))


async def _with_nobody(_: Mapping[str, float]) -> None:
    """Without a shared log there is nobody to tell."""


_HINT = "Whoever runs the server lists its keys with: mcp-app keys list"


def _credential(one: cookie.PageSignIn) -> str:
    return f"{one.key_id}/{one.id.hex()}"


def _is_of_an_own_page(request: Request) -> bool:
    """Not of an image, a script or a link of another site, which browsers send without an Origin (SameSite=Strict takes
    another port of this host for the same site)."""
    return "origin" in request.headers or request.headers.get("sec-fetch-site", "none") in {"none", "same-origin"}


def _is_secure(request: Request) -> bool:
    """Whether the browser keeps a cookie that is Secure: it goes by the address of the page."""
    origin = request.headers.get("origin")
    parts = urlsplit(origin if origin is not None else f"{request.scheme}://{request.headers.get('host', '')}")
    return parts.scheme == "https" or is_this_machine(parts.hostname or "")
