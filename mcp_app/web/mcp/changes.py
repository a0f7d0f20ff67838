"""Changes of what is offered, brought from the thread in which they happen to those on the loop who tell clients.

Which clients want to know, and how they are told, is the listeners' own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from .offer import Offer


class Listener(Protocol):
    """Who tells clients."""

    def list_changed(self, kind: str) -> None:
        """The list of "tools", "resources" or "prompts" is another now."""

    def resource_updated(self, uri: str) -> None:
        """What is read at that URI, in its normal form (RFC 3986, 6.2.2), is another now."""


class Changes:
    """Watches one offer until it is closed. Made on the loop that its listeners are called on."""

    def __init__(self, offer: Offer, *listeners: Listener) -> None:
        self._loop = asyncio.get_running_loop()
        self._listeners = listeners
        self._closed = False
        self._unwatch = [
            offer.tools.watch(partial(self._soon, self._list_changed, "tools")),
            offer.resources.watch(partial(self._soon, self._list_changed, "resources")),
            offer.prompts.watch(partial(self._soon, self._list_changed, "prompts")),
            offer.resources.watch_updates(partial(self._soon, self._resource_updated)),
        ]

    def close(self) -> None:
        """Nobody is told any more. Closing twice does nothing."""
        self._closed = True
        for unwatch in self._unwatch:
            unwatch()

    def _soon(self, tell: Callable[[str], None], what: str) -> None:
        """In any thread. A loop that has ended has nobody to tell."""
        if not self._closed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(tell, what)

    def _list_changed(self, kind: str) -> None:
        for each in self._listeners:
            each.list_changed(kind)

    def _resource_updated(self, uri: str) -> None:
        for each in self._listeners:
            each.resource_updated(uri)
