"""The sign-in of the application in which we are mounted: a function of the ASGI scope says who calls.

What a caller may do is not decided here, only who it is.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from ..protocol.access import Access
from ..protocol.errors import Unauthorized
from ..protocol.http import challenge
from .verifier import access_of, place

Principal = Callable[[dict[str, Any]], str | Access | Awaitable[str | Access | None] | None]
"""Gets the ASGI scope of a request; returns the caller's name, or an `Access`, or None for nobody; plain or a coroutine
function."""

CHALLENGE = {challenge.FIELD: challenge.bearer()}
"""RFC 9110, 11.6.1: a 401 names a way to sign in. MCP's clients send a token like this; what else the host takes, only
its own middleware can say, in a 401 of its own."""

HINT = "Sign in to the application that serves this, and send the same credentials here."

ANSWER_SECONDS = 10.0
"""How long a coroutine function may take to say who calls: a look-up in a session store that does not answer."""


class HostSignIn:
    """Asks the host's function for the caller of each request."""

    def __init__(self, principal: Principal) -> None:
        if not callable(principal):
            raise TypeError(f"principal= is a function of the ASGI scope, not {principal!r}")
        self._principal = principal
        self._whose = f"principal={place(principal)}"

    async def access(self, scope: Mapping[str, Any]) -> Access:
        """What the caller's sign-in gives. Raises Unauthorized if the function says that nobody is signed in, and
        otherwise what the function raises; TypeError, ValueError or TimeoutError for what cannot be a name."""
        found: object = self._principal(cast("dict[str, Any]", scope))
        if inspect.isawaitable(found):
            try:
                async with asyncio.timeout(ANSWER_SECONDS) as limit:
                    found = await found
            except TimeoutError:
                if not limit.expired():
                    raise
                raise TimeoutError(f"{self._whose} did not say within {ANSWER_SECONDS:g} s who calls") from None
        if found is None or found == "":
            raise Unauthorized("Nobody is signed in.", hint=HINT, headers=CHALLENGE)
        return access_of(found, self._whose)
