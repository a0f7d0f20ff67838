"""Tokens that only their issuer can read: it is asked what each is worth (RFC 7662).

What the claims of its answer must be is decided in claims.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from ...protocol.errors import NotReady
from .outlet import FetchFailed, Outlet

logger = logging.getLogger("mcp_app.auth")

MAX_AT_ONCE = 16
"""Requests to the issuer: whoever sends many tokens that nobody knows makes no more of them."""
WAIT_SECONDS = 5.0
"""How long a request waits for its turn and the answer."""
_KIND = "access_token"
"""What all of them are, to the issuer (RFC 7662, 2.1; RFC 7009, 4.1.2)."""


class Introspection:
    """Asks the issuer, once at a time for each token."""

    def __init__(self, url: str, client: tuple[str, str], outlet: Outlet) -> None:
        """`client` are this server's id and secret at the issuer."""
        self._url = url
        self._client = client
        self._outlet = outlet
        self._turns = asyncio.Semaphore(MAX_AT_ONCE)
        self._asking: dict[str, asyncio.Task[Mapping[str, Any] | None]] = {}
        self._problem = ""

    async def claims(self, token: str) -> Mapping[str, Any] | None:
        """What the issuer says of the token; None if it is not, or no longer, good. Raises NotReady."""
        asking = self._asking.get(token)
        if asking is None:
            asking = self._asking[token] = asyncio.create_task(self._asked(token), name="introspection")
            asking.add_done_callback(lambda _: self._asking.pop(token, None))
        done, _ = await asyncio.wait({asking}, timeout=WAIT_SECONDS)
        answer = asking.result() if done and not asking.cancelled() else None
        if answer is None:
            raise NotReady("The token's issuer cannot be asked at the moment.", headers={"Retry-After": "5"})
        return answer if answer.get("active") is True else None

    async def close(self) -> None:
        """End what is asked. Idempotent."""
        asking = set(self._asking.values())
        for each in asking:
            each.cancel()
        if asking:
            await asyncio.wait(asking)

    async def _asked(self, token: str) -> Mapping[str, Any] | None:
        """The answer; None where there is none, which is one line in the log for an outage."""
        form = {"token": token, "token_type_hint": _KIND}
        try:
            async with asyncio.timeout(WAIT_SECONDS), self._turns:
                answer = await self._outlet.post(self._url, form, self._client)
        except (FetchFailed, TimeoutError) as error:
            problem = str(error) or "too many tokens wait to be asked for"
            if problem != self._problem:
                logger.warning("the issuer cannot be asked what a token is worth: %s", problem)
            self._problem = problem
            return None
        self._problem = ""
        return answer
