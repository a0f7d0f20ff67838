"""Forwards changes of the offer from any thread to the listeners on the event loop that notify clients.

With each change goes what a client needs to be told of it: its scopes. Which clients are notified, and how, is decided
by the listeners.
"""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import Protocol

from ...authoring.permitted import Scoped
from .offer import Offer

_UPDATED = "updated"

Needed = frozenset[frozenset[str]]
"""The scopes of each item that has changed: whoever is shown one of them has something to read again."""

_NOTHING: frozenset[str] = frozenset()

EVERYBODY: Needed = frozenset({_NOTHING})


class ChangeListener(Protocol):
    """Notifies clients."""

    def list_changed(self, kind: str, needed: Needed) -> None:
        """Called when the list of "tools", "resources" or "prompts" has changed."""

    def resource_updated(self, uri: str, needed: Needed) -> None:
        """Called when the content of a resource has changed; the URI is normalised (RFC 3986, 6.2.2)."""


class Changes:
    """Watches one offer until it is closed. Must be created on the event loop on which its listeners are to be called.

    Equal changes are merged until the listeners have been called: a tool that makes changes in a loop costs the event
    loop one callback, not one per iteration.
    """

    def __init__(self, offer: Offer, *listeners: ChangeListener) -> None:
        self._loop = asyncio.get_running_loop()
        self._listeners = listeners
        self._resources = offer.resources
        self._lock = threading.Lock()
        self._pending: dict[tuple[str, str], set[frozenset[str]]] = {}
        self._closed = False
        self._unwatch = [
            offer.tools.watch_items(partial(self._schedule_list, "tools")),
            offer.resources.watch_items(partial(self._schedule_list, "resources")),
            offer.prompts.watch_items(partial(self._schedule_list, "prompts")),
            offer.resources.watch_updates(self._schedule_update),
        ]

    def close(self) -> None:
        """Stop calling the listeners; no thread schedules a callback any more. Idempotent."""
        with self._lock:
            self._closed = True
        for unwatch in self._unwatch:
            unwatch()

    def _schedule_list(self, kind: str, item: Scoped | None) -> None:
        """Of an item that is not known everybody is told; of one that is hidden nobody, as no list has it."""
        if item is None or not item.hidden:
            self._schedule("list", kind, _NOTHING if item is None else item.scopes)

    def _schedule_update(self, uri: str) -> None:
        found = self._resources.at(uri)
        self._schedule(_UPDATED, uri, _NOTHING if found is None else found[0].scopes)

    def _schedule(self, what: str, subject: str, needed: frozenset[str]) -> None:
        """Called in any thread. `subject` is the kind of a list, or the URI of a resource."""
        change = (what, subject)
        with self._lock:
            if self._closed:
                return
            if (pending := self._pending.get(change)) is not None:
                pending.add(needed)
                return
            self._pending[change] = {needed}
            if not self._loop.is_closed():  # the owner may have closed the loop without calling close()
                self._loop.call_soon_threadsafe(self._notify, change)

    def _notify(self, change: tuple[str, str]) -> None:
        with self._lock:
            needed = frozenset(self._pending.pop(change))
        what, subject = change
        for each in self._listeners:
            if what == _UPDATED:
                each.resource_updated(subject, needed)
            else:
                each.list_changed(subject, needed)
