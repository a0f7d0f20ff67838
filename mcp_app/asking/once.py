"""What must not happen twice in one call, although its function may run again from the start."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable
from typing import Any

from ..protocol.event import encode


class Once:
    """Values by key, each made by its function the first time it is asked for.

    `known` are those of earlier rounds; what is made is added to it. A value is one that JSON can carry, and is given
    out as JSON brings it back, in the first round as in every other.
    """

    __slots__ = ("_idle", "_known", "_locks", "_making")

    def __init__(self, known: dict[str, Any]) -> None:
        self._known = known
        self._locks: dict[str, asyncio.Lock] = {}
        self._making = 0
        self._idle: asyncio.Event | None = None  # made when it is waited for, which few calls do

    async def value(self, key: str, make: Callable[[], Any]) -> Any:
        """The value under `key`. Raises what `make` raises, and then nothing is kept; ValueError for no JSON value."""
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key not in self._known:
                self._known[key] = await self._made(make)
            return self._known[key]

    async def idle(self) -> None:
        """Wait until nothing is being made: a round that ended meanwhile would forget it, and the next do it again."""
        while self._making:
            self._idle = self._idle or asyncio.Event()
            self._idle.clear()
            await self._idle.wait()

    async def _made(self, make: Callable[[], Any]) -> Any:
        self._making += 1
        try:
            made = make()
            return json.loads(encode(await made if inspect.isawaitable(made) else made))
        finally:
            self._making -= 1
            if self._idle is not None:
                self._idle.set()
