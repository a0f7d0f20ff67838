"""One issuer's keys: fetched when they are needed, kept while they are fresh, and through an outage.

However many tokens name a key that nobody knows, the issuer is asked now and then: whoever calls cannot make this
server attack it. Which claims are taken is decided in claims.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ...protocol.errors import NotReady, Unauthorized
from .discovery import addresses, keys_address
from .issuer_keys import IssuerKeys
from .outlet import FetchFailed, Outlet
from .token import UnverifiedToken

logger = logging.getLogger("mcp_app.auth")

FRESH_SECONDS = 300.0
"""Keys older than this are fetched again, beside the request that needed them: so long a key that its issuer has taken
back may still be believed."""
OUTAGE_SECONDS = 86400.0
"""So long keys are believed that cannot be fetched again."""
PAUSE_SECONDS = 5.0
"""Between two fetches, whatever asks for them: a token that is signed with a new key waits at most so long."""
WAIT_SECONDS = 5.0
"""How long a request waits for a fetch."""


class Issuer:
    """An authorization server whose tokens are taken."""

    def __init__(self, name: str, keys_url: str, outlet: Outlet, clock: Callable[[], float]) -> None:
        """name: as tokens have it, letter for letter. keys_url: where its keys are; "" where its metadata say it.

        `clock` gives seconds of which only differences count.
        """
        self.name = name
        self._keys_url = keys_url
        self._found_url = ""
        self._outlet = outlet
        self._clock = clock
        self._keys: IssuerKeys | None = None
        self._fetched = 0.0
        self._next_fetch = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        self._problem = ""

    @property
    def current(self) -> IssuerKeys | None:
        """The keys that are believed now; None where there are none. Must be called in a loop: what is no longer fresh
        is fetched again, beside what is going on. The same object as long as the issuer has the same keys."""
        if self._keys is None:
            return None
        age = self._clock() - self._fetched
        if age > FRESH_SECONDS:
            self._fetch()
        return self._keys if age <= OUTAGE_SECONDS else None

    def known(self, token: UnverifiedToken) -> IssuerKeys | None:
        """The keys, where they are known and one of them may have signed the token."""
        keys = self.current
        return keys if keys is not None and keys.names(token) else None

    async def keys(self, token: UnverifiedToken) -> IssuerKeys:
        """As `known`, after a fetch if need be.

        Raises Unauthorized if no key of the issuer may have signed the token, NotReady if that cannot be known now.
        """
        if (keys := self.known(token)) is not None:
            return keys
        fetching = self._fetch()
        if fetching is not None:
            await asyncio.wait({fetching}, timeout=WAIT_SECONDS)
            if (keys := self.known(token)) is not None:
                return keys
        if self._problem or self.current is None:
            raise NotReady(
                "The keys of the token's issuer cannot be fetched at the moment.",
                headers={"Retry-After": f"{PAUSE_SECONDS:.0f}"},
            )
        raise Unauthorized("The token is signed with a key, or by an algorithm, that its issuer does not have.")

    def prepare(self) -> None:
        """Fetch the keys, so that the first token need not wait."""
        self._fetch()

    async def close(self) -> None:
        """End a fetch. Idempotent."""
        fetching, self._fetching = self._fetching, None
        if fetching is not None:
            fetching.cancel()
            await asyncio.wait({fetching})

    def _fetch(self) -> asyncio.Task[None] | None:
        """The fetch that is under way, or begins now; None while none is due."""
        if self._fetching is None and self._clock() >= self._next_fetch:
            self._fetching = asyncio.create_task(self._fetched_anew(), name=f"keys of {self.name}")
        return self._fetching

    async def _fetched_anew(self) -> None:
        try:
            keys = IssuerKeys(await self._outlet.get(await self._address()))
        except (FetchFailed, ValueError) as error:
            self._failed(str(error))
        else:
            if self._problem:
                logger.warning("the keys of the issuer %s can be fetched again", self.name)
            if keys != self._keys:
                self._keys = keys
            self._fetched, self._problem = self._clock(), ""
        finally:
            self._next_fetch = self._clock() + PAUSE_SECONDS
            self._fetching = None

    async def _address(self) -> str:
        if self._keys_url or self._found_url:
            return self._keys_url or self._found_url
        problems = []
        for address in addresses(self.name):
            try:
                self._found_url = keys_address(self.name, await self._outlet.get(address))
            except FetchFailed as error:
                problems.append(str(error))
            except ValueError as error:
                problems.append(f"{address}: {error}")
            else:
                return self._found_url
        raise FetchFailed("; ".join(problems))

    def _failed(self, problem: str) -> None:
        """One line for an outage, not one for each attempt."""
        self._found_url = ""  # its metadata may name another
        if problem != self._problem:
            believed = "" if self._keys is None else "; those that are known are believed for up to a day"
            logger.warning("the keys of the issuer %s cannot be fetched: %s%s", self.name, problem, believed)
        self._problem = problem
