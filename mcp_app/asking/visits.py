"""Visits: pages that users were sent to, each identified by an unguessable id until the author reports its completion.

MCP 2025-11-25, client/elicitation, Completion Notifications for URL Mode Elicitation. The page and its login belong to
the author; the askers send users there. Neither is known here.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, Protocol
from urllib.parse import urlencode, urlsplit, urlunsplit

from ..protocol.errors import LogUnavailable

ID_PARAMETER = "elicitationId"
"""The query parameter of the page's URL, named as in the specification's example."""

VISIT_SECONDS = 3600.0
"""Lifetime of a visit: that of the state of the call that began it, so that its retry finds the visit."""

MAX_VISITS = 10_000
"""Visits that one `Visits` holds; one more evicts the oldest. Every call may begin one."""


LOOK_SECONDS = 15.0
"""How often one who waits looks whether the visit was completed in another process, which may have ended before it
could say so."""


class SharedVisit(NamedTuple):
    """A visit as processes that share a log know it."""

    principal: str
    completed: bool


class VisitStore(Protocol):
    """The visits of processes that share a log; mcp_app/nodes has it. All raise LogUnavailable."""

    async def begin(self, visit: Visit) -> SharedVisit:
        """Keep a visit that begins, and complete it here when another process says so. Returns it as it is known by
        now."""

    async def find(self, id: str) -> SharedVisit | None:  # noqa: A002 - the wire's name
        """The visit with that id; None for none."""

    def complete(self, visit: Visit) -> None:
        """The visit was completed in this process. On the event loop; it does not wait."""


class Visit:
    """One user's visit to one page. `principal` was sent there: the page must verify that its visitor is the same."""

    def __init__(self, id: str, principal: str, store: VisitStore | None = None) -> None:  # noqa: A002 - the wire's name
        self.id = id
        self.principal = principal
        self.completed = False
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        self._waiters = 0
        self._callback: Callable[[str], None] | None = None

    def on_completed(self, callback: Callable[[str], None]) -> None:
        """Call `callback` with the id, on the event loop, if the visit is completed while no `wait` is pending."""
        self._callback = callback

    async def wait(self) -> bool:
        """Wait until the visit is completed. Returns False if it already was."""
        if self._done.is_set():
            return False
        self._waiters += 1
        try:
            if self._store is None:
                await self._done.wait()
            else:
                await self._wait_for_others(self._store)
        finally:
            self._waiters -= 1
        return True

    async def _wait_for_others(self, store: VisitStore) -> None:
        while not self._done.is_set():
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._done.wait()
            except TimeoutError:
                with suppress(LogUnavailable):
                    found = await store.find(self.id)
                    if found is not None and found.completed:
                        self.complete_here()

    def complete(self) -> None:
        """Mark as completed, from any thread. Idempotent."""
        self.completed = True
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._completed)

    def complete_here(self) -> None:
        """It was completed in another process. On the event loop. Idempotent."""
        self.completed = True
        self._store = None
        self._completed()

    def _completed(self) -> None:
        if self._done.is_set():
            return
        if self._store is not None:
            self._store.complete(self)
        self._done.set()
        callback, self._callback = self._callback, None
        if callback is not None and not self._waiters:
            callback(self.id)


class Visits:
    """The visits to an author's pages: `ctx.ask_url(…, until=visits)` begins one, `complete` ends it.

    Kept in this process's memory for an hour. Where processes share a log, each of them may serve the page: `look_up`
    finds the visits of all. May be created anywhere, also without an event loop. Thread-safe but for `look_up`.
    """

    store: VisitStore | None = None
    """Of this process among those that share a log. On the class: a process is one of them, whatever it serves."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._visits: OrderedDict[str, tuple[Visit, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._visits)

    def find(self, id: str, principal: str | None = None) -> Visit | None:  # noqa: A002 - the wire's name
        """The visit with that id; None if it is unknown or has expired.

        principal: who the page knows its visitor to be; another's visit is None as well. Without it the page has to
            compare its visitor with the visit's `principal` itself: the link may have been passed on.
        """
        with self._lock:
            self._evict_expired()
            found = self._visits.get(id)
        if found is None or (principal is not None and found[0].principal != principal):
            return None
        return found[0]

    async def look_up(self, id: str, principal: str | None = None) -> Visit | None:  # noqa: A002 - the wire's name
        """As `find`, also for a visit that began in another process; from then on `find` and `complete` know it here.
        Call it on the server's event loop. Raises LogUnavailable."""
        visit = self.find(id, principal)
        if visit is None and self.store is not None and (shared := await self.store.find(id)) is not None:
            visit = self.begin(id, shared.principal)
            if shared.completed:
                visit.complete_here()
        return None if visit is None or (principal is not None and visit.principal != principal) else visit

    def complete(self, id: str, principal: str | None = None) -> bool:  # noqa: A002 - the wire's name
        """The user is done on the page: the call continues, or its client is notified. Returns False where `find` with
        the same arguments is None."""
        visit = self.find(id, principal)
        if visit is None:
            return False
        visit.complete()
        return True

    async def start(self, id: str, principal: str) -> Visit:  # noqa: A002 - the wire's name
        """As `begin`, for all processes that share a log: it may have been completed in another one. Raises
        LogUnavailable."""
        visit = self.begin(id, principal)
        if self.store is not None and (await self.store.begin(visit)).completed:
            visit.complete_here()
        return visit

    def begin(self, id: str, principal: str) -> Visit:  # noqa: A002 - the wire's name
        """The visit with that id, created if it is unknown: a retried call, also after a restart, has the id in its
        sealed state. Called by `ctx.ask_url`, on the event loop."""
        with self._lock:
            self._evict_expired()
            found = self._visits.get(id)
            if found is not None and found[0].principal == principal:
                return found[0]
            while len(self._visits) >= MAX_VISITS:
                self._visits.popitem(last=False)
            visit = Visit(id, principal, self.store)
            self._visits[id] = visit, self._clock() + VISIT_SECONDS
            return visit

    def _evict_expired(self) -> None:
        now = self._clock()
        while self._visits and next(iter(self._visits.values()))[1] <= now:
            self._visits.popitem(last=False)


def address(url: str, id: str) -> str:  # noqa: A002 - the wire's name
    """The page's URL with the id in its query. Raises ValueError for an invalid URL."""
    parts = urlsplit(url)
    parameter = urlencode({ID_PARAMETER: id})
    return urlunsplit(parts._replace(query=f"{parts.query}&{parameter}" if parts.query else parameter))
