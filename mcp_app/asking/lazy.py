"""The asker of a call without a session that has asked nothing yet, as most never do.

How such a call asks is by_retry.py's; what its round is made of, whoever gives `make` knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .asker import Ask, Emit, End
from .by_retry import Rounds
from .once import Once

T = TypeVar("T")


class Unasked:
    """Rounds that are made for the first question, or for the first value that must not be made twice."""

    __slots__ = ("_end", "_make", "_rounds", "capabilities")

    polled = False

    def __init__(self, capabilities: Mapping[str, Any], make: Callable[[], Rounds]) -> None:
        self.capabilities = capabilities
        self._make = make
        self._rounds: Rounds | None = None
        self._end: End | None = None

    @property
    def once(self) -> Once:
        return self._round().once

    def attach(self, emit: Emit, end: End) -> None:
        self._end = end

    async def ask(self, ask: Ask[T], key: str) -> T:
        """As `Rounds.ask`."""
        return await self._round().ask(ask, key)

    def _round(self) -> Rounds:
        if self._rounds is None:
            self._rounds = self._make()
            self._rounds.end = self._end
        return self._rounds
