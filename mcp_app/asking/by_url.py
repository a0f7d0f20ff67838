"""Asking a client with a session that accepts no stream: the call ends with URLs to open, and the client retries it.

MCP 2025-11-25, client/elicitation, URL Elicitation Required Error. Forms cannot be asked for in this way. The state
between a call and its retry is kept by the server; without a session the client would carry it.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from ..protocol.asking import UrlRequired
from .asker import URL, Ask
from .by_retry import CallState, RetryAsker

T = TypeVar("T")

REFERRAL_SECONDS = 3600.0
"""How long after its pages were opened a call can be retried: the lifetime of a `requestState`."""

MAX_REFERRALS = 32
"""Calls of one session whose state is kept. One more evicts the oldest, whose retry asks again. The values of
`ctx.once` are kept with each, hence so few."""

_ACCEPTED = {"action": "accept"}


class Referrals(Protocol):
    """The referrals of one session: the state of each call that ended with URLs to open, for its retry. Keyed by a
    string that is equal for a call and its retry."""

    async def take(self, call: str) -> CallState | None:
        """Remove and return the state of that call; None when there is none or it has expired."""

    async def keep(self, call: str, state: CallState) -> None:
        """Store the state of that call for REFERRAL_SECONDS, in place of an earlier one."""


class UrlReferrals:
    """Referrals in the memory of this process. `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._states: OrderedDict[str, tuple[CallState, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._states)

    async def take(self, call: str) -> CallState | None:
        found = self._states.pop(call, None)
        return None if found is None or found[1] <= self._clock() else found[0]

    async def keep(self, call: str, state: CallState) -> None:
        self._states.pop(call, None)
        while len(self._states) >= MAX_REFERRALS:
            self._states.popitem(last=False)
        self._states[call] = state, self._clock() + REFERRAL_SECONDS


class UrlAsker(RetryAsker):
    """The asker of one call whose client declared that it opens pages.

    The retry itself is the answer: it means that the client opened the pages. Where the author reports the completion
    of a visit, that is the answer, and until then each retry is referred to the same page. `notify` is called with the
    id of a completed visit, and notifies the client.
    """

    def __init__(self, referrals: Referrals, call: str, state: CallState | None, notify: Callable[[str], None]) -> None:
        """`state` is what `referrals` had of the call."""
        super().__init__(URL, state, dict.fromkeys(state.asked, _ACCEPTED) if state else {})
        self._referrals = referrals
        self._call = call
        self._notify = notify

    def candidates(self, ask: Ask[Any], key: str) -> list[Mapping[str, Any]]:
        if ask.visit is None:
            return super().candidates(ask, key)
        return [_ACCEPTED] if ask.visit.completed else []

    async def _required(self) -> UrlRequired:
        elicitations = []
        for ask, _ in self._pending.values():
            id_ = secrets.token_hex(16)
            if ask.visit is not None:
                id_ = ask.visit.id
                ask.visit.on_completed(self._notify)
            elicitations.append({**ask.params, "elicitationId": id_})
        self._state.asked = {key: ask.digest for key, (ask, _) in self._pending.items()}
        await self._referrals.keep(self._call, self._state)
        return UrlRequired(elicitations)
