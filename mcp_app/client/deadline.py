"""The one deadline of a call: extended while the server sends, fixed once the user cancels.

What is awaited, and how an expired deadline is reported, is not known here.
"""

from __future__ import annotations

import asyncio
from types import TracebackType


class Deadline:
    """An async context manager around all waiting for the server: raises TimeoutError there when it expires."""

    def __init__(self) -> None:
        self._timeout = asyncio.timeout(None)
        self._leaving = False

    @property
    def leaving(self) -> bool:
        """Whether `leave` was called."""
        return self._leaving

    def extend(self, seconds: float) -> None:
        """Expire `seconds` from now instead of at the earlier time. Does nothing after `leave`."""
        if not self._leaving:
            self._set(seconds)

    def leave(self, seconds: float) -> None:
        """Expire `seconds` from now; only another `leave` can change that."""
        self._leaving = True
        self._set(seconds)

    def _set(self, seconds: float) -> None:
        # An expired timeout is about to raise TimeoutError, and asyncio refuses to reschedule it.
        if not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time() + seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._timeout.__aexit__(kind, error, trace)
