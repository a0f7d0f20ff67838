"""Changes of what is offered, brought from the thread in which they happen to those on the loop who tell clients.

Which clients want to know, and how they are told, is the listeners' own.
"""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import Protocol

from .offer import Offer

_UPDATED = "updated"


class ChangeListener(Protocol):
    """Who tells clients."""

    def list_changed(self, kind: str) -> None:
        """The list of "tools", "resources" or "prompts" is another now."""

    def resource_updated(self, uri: str) -> None:
        """What is read at that URI, in its normal form (RFC 3986, 6.2.2), is another now."""


class Changes:
    """Watches one offer until it is closed. Made on the loop that its listeners are called on.

    A change that happens again before it was told is told once: a tool that changes things in a loop of its own costs
    the server's loop one turn, and not as many as it has.
    """

    def __init__(self, offer: Offer, *listeners: ChangeListener) -> None:
        self._loop = asyncio.get_running_loop()
        self._listeners = listeners
        self._lock = threading.Lock()
        self._pending: set[tuple[str, str]] = set()
        self._closed = False
        self._unwatch = [
            offer.tools.watch(partial(self._soon, "list", "tools")),
            offer.resources.watch(partial(self._soon, "list", "resources")),
            offer.prompts.watch(partial(self._soon, "list", "prompts")),
            offer.resources.watch_updates(partial(self._soon, _UPDATED)),
        ]

    def close(self) -> None:
        """Nobody is told any more, and no thread reaches the loop. Closing twice does nothing."""
        with self._lock:
            self._closed = True
        for unwatch in self._unwatch:
            unwatch()

    def _soon(self, what: str, which: str) -> None:
        """In any thread."""
        change = (what, which)
        with self._lock:
            if self._closed or change in self._pending:
                return
            self._pending.add(change)
            if not self._loop.is_closed():  # by whoever did not close us before
                self._loop.call_soon_threadsafe(self._tell, change)

    def _tell(self, change: tuple[str, str]) -> None:
        with self._lock:
            self._pending.discard(change)
        what, which = change
        for each in self._listeners:
            if what == _UPDATED:
                each.resource_updated(which)
            else:
                each.list_changed(which)
