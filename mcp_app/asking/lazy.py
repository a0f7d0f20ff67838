"""Lazy: builds the real asker at the first question, which most calls never ask.

The real one is by_retry.py's; what it is built from is known only to `make`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .asker import Ask, Emit, End
from .by_retry import RetryAsker
from .once import Once

T = TypeVar("T")


class LazyAsker:
    """Creates a `RetryAsker` by `make` at the first question or the first `once`."""

    __slots__ = ("_asker", "_end", "_make", "capabilities")

    polled = False

    def __init__(self, capabilities: Mapping[str, Any], make: Callable[[], RetryAsker]) -> None:
        self.capabilities = capabilities
        self._make = make
        self._asker: RetryAsker | None = None
        self._end: End | None = None

    @property
    def once(self) -> Once:
        return self._real().once

    def attach(self, emit: Emit, end: End) -> None:
        self._end = end

    async def ask(self, ask: Ask[T], key: str) -> T:
        """As `RetryAsker.ask`."""
        return await self._real().ask(ask, key)

    def _real(self) -> RetryAsker:
        if self._asker is None:
            self._asker = self._make()
            self._asker.end = self._end
        return self._asker
