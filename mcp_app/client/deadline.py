"""The one deadline of a call: how long the server may be silent, until the user has had enough.

Nothing here knows what is waited for, or what to say when the time is over.
"""

from __future__ import annotations

import asyncio
from types import TracebackType


class Deadline:
    """`async with` it around everything that waits for the server: raises TimeoutError there when time is over."""

    def __init__(self) -> None:
        self._timeout = asyncio.timeout(None)
        self._leaving = False

    @property
    def leaving(self) -> bool:
        """`leave` was called."""
        return self._leaving

    def extend(self, seconds: float) -> None:
        """`seconds` from now are allowed, whatever was before. Nothing once `leave` was called."""
        if not self._leaving:
            self._set(seconds)

    def leave(self, seconds: float) -> None:
        """`seconds` from now it is over: only a later `leave` can change that."""
        self._leaving = True
        self._set(seconds)

    def _set(self, seconds: float) -> None:
        # Once it has expired the TimeoutError is on its way, and asyncio refuses a new time.
        if not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time() + seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._timeout.__aexit__(kind, error, trace)
