"""An answer that does not hear that it is cancelled, for the tests of what ends an answer.

No test's expectations belong here.
"""

from __future__ import annotations

import asyncio
from typing import Any


class Deaf:
    """Answers, and goes on through so many cancellations, as `asyncio.wait_for` of Python 3.11 can make it."""

    def __init__(self, times: int) -> None:
        self._times = times
        self.cancelled = 0
        self.begun = asyncio.Event()
        self.over = asyncio.Event()

    async def __call__(self, *_: Any) -> None:
        self.begun.set()
        while self.cancelled <= self._times:
            try:
                await self.over.wait()
                return
            except asyncio.CancelledError:
                self.cancelled += 1
        raise asyncio.CancelledError
