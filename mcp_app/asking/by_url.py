"""Asking a client of a session that takes no stream: its call ends with the pages to open, and is made again.

MCP 2025-11-25, client/elicitation, URL Elicitation Required Error. A form cannot be asked for in this way. What a call
asked is kept here between it and the next, as in a revision without sessions it would travel with the client.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..protocol.asking import UrlRequired
from .asker import URL, Ask
from .by_retry import CallState, Rounds

T = TypeVar("T")

REFERRAL_SECONDS = 3600.0
"""For how long a call can be made again after its pages were opened: that of a `requestState`."""

MAX_REFERRALS = 32
"""Calls of one session that are known to have asked: for one more the oldest is forgotten, and asks again. What
`ctx.once` made in them is kept as well, and so they are few."""

_ACCEPTED = {"action": "accept"}


class Referrals:
    """What calls of one session have asked for, by what makes a call the same. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._states: OrderedDict[str, tuple[CallState, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._states)

    def take(self, call: str) -> CallState | None:
        """What that call had asked for, once."""
        found = self._states.pop(call, None)
        return None if found is None or found[1] <= self._clock() else found[0]

    def keep(self, call: str, state: CallState) -> None:
        self._states.pop(call, None)
        while len(self._states) >= MAX_REFERRALS:
            self._states.popitem(last=False)
        self._states[call] = state, self._clock() + REFERRAL_SECONDS


class Referred(Rounds):
    """The asker for one call whose client declared that it opens pages.

    That the call is made again is the answer: the client opened what it was told to. Where the author says when a
    visit is completed, that is, and until then the same page is asked for. `tell` tells the client of a completed one.
    """

    def __init__(self, referrals: Referrals, call: str, tell: Callable[[str], None]) -> None:
        state = referrals.take(call)
        super().__init__(URL, state, dict.fromkeys(state.asked, _ACCEPTED) if state else {})
        self._referrals = referrals
        self._call = call
        self._tell = tell

    def results(self, ask: Ask[Any], key: str) -> list[Mapping[str, Any]]:
        if ask.visit is None:
            return super().results(ask, key)
        return [_ACCEPTED] if ask.visit.completed else []

    def _required(self) -> UrlRequired:
        elicitations = []
        for ask, _ in self._pending.values():
            id_ = secrets.token_hex(16)
            if ask.visit is not None:
                id_ = ask.visit.id
                ask.visit.tell(self._tell)
            elicitations.append({**ask.params, "elicitationId": id_})
        self._state.asked = {key: ask.digest for key, (ask, _) in self._pending.items()}
        self._referrals.keep(self._call, self._state)
        return UrlRequired(elicitations)
