"""A number of places that callers share: each gets one in its turn, and no caller gets all of them.

What a place is for is not known here.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter

from ..limits.rotation import Rotation
from ..protocol.payer import NOBODY, Payer

KEPT_FREE = 8
"""One place of so many is out of each caller's reach, and at least one if there are two: while one caller's calls hang,
another's short ones find a place. Who calls from this machine may have all."""

PAYER: contextvars.ContextVar[Payer] = contextvars.ContextVar("mcp_app.payer", default=NOBODY)
"""Whose run it is that this task works for."""

_Caller = tuple[str, bool]


class FairPlaces:
    """`limit` places. Who has acquired one releases it, as the same caller."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._most = limit - max(1, limit // KEPT_FREE) if limit > 1 else limit
        self._taken: Counter[_Caller] = Counter()
        self._waiting: Rotation[_Caller, asyncio.Future[None]] = Rotation()

    @property
    def all_taken(self) -> bool:
        """Whether nobody would get one now."""
        return not self._free

    @property
    def whose(self) -> str:
        """Whose bound holds up who waits, for an error's words."""
        return "one caller may have" if self._free else "this server takes"

    def locked(self) -> bool:
        """Whether this task's caller would have to wait."""
        return not self._free or not self._may(_caller(PAYER.get()))

    async def acquire(self) -> None:
        """Take one, in this task's caller's turn."""
        caller = _caller(PAYER.get())
        if self._free and self._may(caller):  # then nobody waits who may have it
            self._take(caller)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(turn, caller)
        try:
            await turn
        except BaseException:
            self._waiting.discard(turn)
            if turn.done() and not turn.cancelled():  # it was given in this very turn of the loop
                self._give_back(caller)
            raise

    def release(self, payer: Payer) -> None:
        """Give one back that `payer` had."""
        self._give_back(_caller(payer))

    def _give_back(self, caller: _Caller) -> None:
        self._free += 1
        self._taken[caller] -= 1
        if not self._taken[caller]:
            del self._taken[caller]
        while self._free and (found := self._waiting.pop_if(self._may)) is not None:
            following, turn = found
            if not turn.done():
                self._take(following)
                turn.set_result(None)

    def _take(self, caller: _Caller) -> None:
        self._free -= 1
        self._taken[caller] += 1

    def _may(self, caller: _Caller) -> bool:
        return caller[1] or self._taken[caller] < self._most


def _caller(payer: Payer) -> _Caller:
    return payer.key, payer.local
