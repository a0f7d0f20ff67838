"""Values that are computed once per call, although its function may run again from the start. Nothing is asked here."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable
from typing import Any

from ..protocol.event import encode


class Once:
    """Values by key, each computed by a function at its first use.

    `known` holds those of earlier rounds, and of attempts before this one; new ones are added to it. Values must be
    JSON-serialisable, and are returned as decoded from JSON, in the first round as in every other.
    """

    __slots__ = ("_idle", "_locks", "_making", "keep", "known")

    def __init__(self, known: dict[str, Any]) -> None:
        self.known = known
        self.keep: Callable[[], Awaitable[None]] | None = None
        """Keeps `known` elsewhere, after each new value."""
        self._locks: dict[str, asyncio.Lock] = {}
        self._making = 0
        self._idle: asyncio.Event | None = None  # created by the first `idle`, which few calls need

    async def value(self, key: str, make: Callable[[], Any]) -> Any:
        """Return the value of `key`, computed by `make` if there is none.

        Raises what `make` raises, and ValueError for a value that is not JSON; nothing is stored then.
        """
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key not in self.known:
                await self.note(key, await self._computed(make))
            return self.known[key]

    async def note(self, key: str, value: Any) -> None:
        """Know the value of `key`, which is JSON."""
        self.known[key] = value
        if self.keep is not None:
            await self.keep()

    async def idle(self) -> None:
        """Wait until no `make` is running: if the round ended earlier, the value would be lost and computed again."""
        while self._making:
            self._idle = self._idle or asyncio.Event()
            self._idle.clear()
            await self._idle.wait()

    async def _computed(self, make: Callable[[], Any]) -> Any:
        self._making += 1
        try:
            value = make()
            while inspect.isawaitable(value):  # a thread's outcome, which may be a coroutine
                value = await value
            return json.loads(encode(value))
        finally:
            self._making -= 1
            if self._idle is not None:
                self._idle.set()
