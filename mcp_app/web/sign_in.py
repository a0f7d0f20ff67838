"""The sign-in of the application in which we are mounted: a function of the ASGI scope says who calls.

What a caller may do is not decided here, only who it is.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from ..protocol.errors import Unauthorized

Principal = Callable[[dict[str, Any]], str | Awaitable[str | None] | None]
"""Gets the ASGI scope of a request; returns the caller's name, or None for nobody; plain or a coroutine function."""

CHALLENGE = {"WWW-Authenticate": "Bearer"}
"""RFC 9110, 11.6.1: a 401 names a way to sign in. MCP's clients send a token like this; what else the host takes, only
its own middleware can say, in a 401 of its own."""

SIGN_IN_SECONDS = 10.0
"""How long a coroutine function may take to say who calls: a look-up in a session store that does not answer."""


class SignIn:
    """Asks the function for the caller of each request."""

    def __init__(self, principal: Principal) -> None:
        if not callable(principal):
            raise TypeError(f"principal= is a function of the ASGI scope, not {principal!r}")
        self._principal = principal

    async def principal(self, scope: Mapping[str, Any]) -> str:
        """The caller's name. Raises Unauthorized if the function says that nobody is signed in, and otherwise what the
        function raises; TypeError, ValueError or TimeoutError for what cannot be a name."""
        found: object = self._principal(cast("dict[str, Any]", scope))
        if inspect.isawaitable(found):
            try:
                async with asyncio.timeout(SIGN_IN_SECONDS) as limit:
                    found = await found
            except TimeoutError:
                if not limit.expired():
                    raise
                raise TimeoutError(f"{self._place()} did not say within {SIGN_IN_SECONDS:g} s who calls") from None
        if found is None or found == "":
            raise Unauthorized("Nobody is signed in.", headers=CHALLENGE)
        if not isinstance(found, str):
            raise TypeError(f"{self._place()} returned {type(found).__name__}: a caller's name is a str, nobody's None")
        found.encode()  # UnicodeEncodeError for a lone surrogate, of which no digest can be made later
        return found

    def _place(self) -> str:
        function = inspect.unwrap(self._principal)
        code = getattr(function, "__code__", None)
        name = getattr(function, "__qualname__", repr(function))
        return f"principal={name}" + (f" ({code.co_filename}:{code.co_firstlineno})" if code else "")
