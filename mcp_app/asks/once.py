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

    def __init__(self, known: dict[str, Any]) -> None:
        self._known = known
        self._making: dict[str, asyncio.Lock] = {}

    async def value(self, key: str, make: Callable[[], Any]) -> Any:
        """The value under `key`. Raises what `make` raises, and then nothing is kept; ValueError for no JSON value."""
        async with self._making.setdefault(key, asyncio.Lock()):
            if key not in self._known:
                made = make()
                self._known[key] = json.loads(encode(await made if inspect.isawaitable(made) else made))
            return self._known[key]
