"""`OAuth`: knows who calls by an access token, signed by an issuer or explained by it.

What was found is kept for as long as it holds, so that the next request with the same token costs a look. The parts of
the decision are in the modules beside this one.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from ...protocol.access import Access
from ...protocol.errors import NotReady, Unauthorized
from ...protocol.scopes import Hierarchy
from ...web.messages import Request
from ..credentials import bearer_token
from ..verifier import Verifier
from .claims import Grant, check
from .introspection import Introspection
from .issuer import Issuer
from .issuer_keys import IssuerKeys
from .outlet import Outlet
from .resources import ProtectedResources
from .token import MAX_TOKEN, UnverifiedToken, parse

logger = logging.getLogger("mcp_app.auth")

MAX_KEPT = 10_000
"""Tokens of which is kept what they are worth. The one unused longest is forgotten, and verified again."""
MAX_KEPT_CHARACTERS = 16 * 1024 * 1024
"""Of the fields of all of them: some have their owner's photograph in them, and some many spaces before them."""
BELIEVED_SECONDS = 1.0
"""How often it is looked at whether what a token was found to be worth still holds."""
INTROSPECTED_SECONDS = 5.0
"""How long an issuer's answer is believed: so long a token that it has taken back may still be used."""


@dataclass(slots=True)
class _Kept:
    """What a token was found to be worth."""

    access: Access
    until: float
    """When it is looked at again; seconds of the verifier's clock."""
    token: str
    field: str
    """The request's, with the token in it."""
    issuer: Issuer | None
    keys: IssuerKeys | None
    """By which it was verified; None where its issuer was asked."""
    believed: float = 0.0
    """Until then nothing is looked at."""


class OAuth(Verifier):
    """Access tokens of some issuers, for the resources that this server is."""

    def __init__(
        self,
        resources: ProtectedResources,
        issuers: Mapping[str, str],
        outlet: Outlet,
        *,
        introspection: tuple[str, str, SecretStr] | None = None,
        hierarchy: Hierarchy | None = None,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """issuers: the address of each issuer's keys by its name; "" where its metadata say it.
        introspection: address, client id and secret: then the issuer, the only one, is asked what each token is worth.
        clock: Unix seconds, for what tokens say. ticks: seconds of which only differences count.
        """
        self.resources = resources
        self.first_scopes = resources.scopes
        self._outlet = outlet
        self._issuers = {name: Issuer(name, keys_url, outlet, ticks) for name, keys_url in issuers.items()}
        self._introspection = introspection
        self._hierarchy = Hierarchy({}) if hierarchy is None else hierarchy
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._fields: dict[str, str] = {}
        """The field of what is kept, by its credential."""
        self._characters = 0
        self._asking: Introspection | None = None

    # --- as a verifier -----------------------------------------------------------------------------------------------

    def verify(self, request: Request) -> Access | Awaitable[Access | None] | None:
        field = request.headers.get("authorization")
        token = bearer_token(field)
        return None if field is None or token is None else self._found(token, field)

    def recall(self, field: str) -> Access | None:
        # By the whole field: no digest of it is made. Python's hashes of texts have a secret.
        kept = self._kept.get(field)
        if kept is None:
            return None
        if self._clock() < kept.believed:
            return kept.access
        self._kept.move_to_end(field)
        return kept.access if self._holds(kept) else None

    async def revoked(self, access: Access) -> bool:
        """Whether the token's issuer has taken it back, or the key that signed it. An outage takes nothing back."""
        kept = self._kept.get(self._fields.get(access.credential, ""))
        if kept is None or kept.access.principal != access.principal:
            return False
        self._kept.move_to_end(kept.field)  # what has something open is in use, and not forgotten for others
        if self._holds(kept):
            return False
        if access.expires is not None and self._clock() >= access.expires:
            return False  # that is an end of its own
        try:
            found = self._found(kept.token, kept.field)
            return (await found if inspect.isawaitable(found) else found) is None
        except Unauthorized:
            return True
        except NotReady:
            return False

    def metadata(self, request: Request) -> str:
        return self.resources.metadata_url(request.path)

    def documents(self) -> Mapping[str, Mapping[str, Any]]:
        return self.resources.documents()

    async def start(self) -> None:
        """Its issuers are asked for their keys, but not waited for: it may be this server that they wait for."""
        self._outlet.open()
        if self._introspection is None:
            for issuer in self._issuers.values():
                issuer.prepare()

    async def close(self) -> None:
        for issuer in self._issuers.values():
            await issuer.close()
        if self._asking is not None:
            await self._asking.close()
        await self._outlet.close()

    # --- one token ---------------------------------------------------------------------------------------------------

    def _holds(self, kept: _Kept) -> bool:
        now = self._clock()
        holds = now < kept.until and (kept.issuer is None or kept.issuer.current is kept.keys)
        kept.believed = min(kept.until, now + BELIEVED_SECONDS) if holds else 0.0
        return holds

    def _found(self, text: str, field: str) -> Access | Awaitable[Access | None] | None:
        if self._introspection is not None:
            return self._introspected(text, field)
        token = parse(text)
        if token is None:
            return None
        name = token.claims.get("iss")
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        if issuer is None:
            logger.info("a token of the issuer %.200r is not taken: MCP_APP_OAUTH_ISSUERS has no such one", name)
            return None
        grant = check(token.claims, issuer.name, self.resources.audiences, self._clock(), kind=token.type)
        if (keys := issuer.known(token)) is not None:
            return self._verified(text, field, token, grant, issuer, keys)
        return self._fetched(text, field, token, grant, issuer)

    async def _fetched(self, text: str, field: str, token: UnverifiedToken, grant: Grant, issuer: Issuer) -> Access:
        return self._verified(text, field, token, grant, issuer, await issuer.keys(token))

    def _verified(
        self, text: str, field: str, token: UnverifiedToken, grant: Grant, issuer: Issuer, keys: IssuerKeys
    ) -> Access:
        keys.verify(text, token)
        access = self._access(issuer.name, grant, token.claims, text)
        self._keep(_Kept(access, grant.expires or 0.0, text, field, issuer, keys))
        return access

    async def _introspected(self, text: str, field: str) -> Access | None:
        if len(text) > MAX_TOKEN or self._introspection is None:
            return None
        if self._asking is None:
            url, name, secret = self._introspection
            self._asking = Introspection(url, (name, secret.get_secret_value()), self._outlet)
        claims = await self._asking.claims(text)
        if claims is None:
            return None  # what is kept of it stays, so that `revoked` can ask for it
        [issuer] = self._issuers
        now = self._clock()
        grant = check(claims, issuer, self.resources.audiences, now, endless=True)
        access = self._access(issuer, grant, claims, text)
        until = now + INTROSPECTED_SECONDS
        self._keep(_Kept(access, min(until, grant.expires or until), text, field, None, None))
        return access

    def _access(self, issuer: str, grant: Grant, claims: Mapping[str, Any], text: str) -> Access:
        return Access(
            # One spelling: an issuer is an address, and has no space in it.
            principal=f"{issuer} {grant.subject}",
            scopes=self._hierarchy.implied(grant.scopes),
            steps_up=True,
            expires=grant.expires,
            claims=claims,
            credential=hashlib.sha256(text.encode()).hexdigest(),
        )

    def _keep(self, kept: _Kept) -> None:
        """In the one place that a token has, however its field is spelt: its holder takes nobody else's."""
        self._forget(self._fields.get(kept.access.credential, ""))
        self._kept[kept.field] = kept
        self._fields[kept.access.credential] = kept.field
        self._characters += len(kept.field)
        while len(self._kept) > MAX_KEPT or self._characters > MAX_KEPT_CHARACTERS:
            self._forget(next(iter(self._kept)))

    def _forget(self, field: str) -> None:
        kept = self._kept.pop(field, None)
        if kept is not None:
            del self._fields[kept.access.credential]
            self._characters -= len(field)
