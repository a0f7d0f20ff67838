"""Forwards changes of the offer from any thread to the listeners on the event loop that notify clients.

Which clients are notified, and how, is decided by the listeners.
"""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import Protocol

from .offer import Offer

_UPDATED = "updated"


class ChangeListener(Protocol):
    """Notifies clients."""

    def list_changed(self, kind: str) -> None:
        """Called when the list of "tools", "resources" or "prompts" has changed."""

    def resource_updated(self, uri: str) -> None:
        """Called when the content of a resource has changed; the URI is normalised (RFC 3986, 6.2.2)."""


class Changes:
    """Watches one offer until it is closed. Must be created on the event loop on which its listeners are to be called.

    Equal changes are merged until the listeners have been called: a tool that makes changes in a loop costs the event
    loop one callback, not one per iteration.
    """

    def __init__(self, offer: Offer, *listeners: ChangeListener) -> None:
        self._loop = asyncio.get_running_loop()
        self._listeners = listeners
        self._lock = threading.Lock()
        self._pending: set[tuple[str, str]] = set()
        self._closed = False
        self._unwatch = [
            offer.tools.watch(partial(self._schedule, "list", "tools")),
            offer.resources.watch(partial(self._schedule, "list", "resources")),
            offer.prompts.watch(partial(self._schedule, "list", "prompts")),
            offer.resources.watch_updates(partial(self._schedule, _UPDATED)),
        ]

    def close(self) -> None:
        """Stop calling the listeners; no thread schedules a callback any more. Idempotent."""
        with self._lock:
            self._closed = True
        for unwatch in self._unwatch:
            unwatch()

    def _schedule(self, what: str, subject: str) -> None:
        """Called in any thread. `subject` is the kind of a list, or the URI of a resource."""
        change = (what, subject)
        with self._lock:
            if self._closed or change in self._pending:
                return
            self._pending.add(change)
            if not self._loop.is_closed():  # the owner may have closed the loop without calling close()
                self._loop.call_soon_threadsafe(self._notify, change)

    def _notify(self, change: tuple[str, str]) -> None:
        with self._lock:
            self._pending.discard(change)
        what, subject = change
        for each in self._listeners:
            if what == _UPDATED:
                each.resource_updated(subject)
            else:
                each.list_changed(subject)
