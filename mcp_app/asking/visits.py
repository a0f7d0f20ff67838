"""Pages that users were sent to, each known by an id that nobody can guess, until what they do there is done.

MCP 2025-11-25, client/elicitation, Completion Notifications for URL Mode Elicitation. The page itself, and whoever is
logged in there, is the author's; how a user is sent there is the askers'.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit, urlunsplit

ID_PARAMETER = "elicitationId"
"""Of the page's URL, as the specification's own example has it."""

VISIT_SECONDS = 3600.0
"""For how long a visit is known: as long as the state of the call that asked for it can be brought back."""

MAX_VISITS = 10_000
"""Visits known at once, of one `Visits`: for one more the oldest is forgotten. Every call may begin one."""


class Visit:
    """One user's way to one page. `principal` is who was sent there: the page has to see that it is who came."""

    def __init__(self, id: str, principal: str) -> None:  # noqa: A002 - the wire's name
        self.id = id
        self.principal = principal
        self.completed = False
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        self._awaited = 0
        self._tell: Callable[[str], None] | None = None

    def tell(self, tell: Callable[[str], None]) -> None:
        """Call `tell` with the id, on the loop, if the visit is completed while nobody waits for it."""
        self._tell = tell

    async def done(self) -> bool:
        """Wait until it is completed. Whether that was still to come."""
        if self._done.is_set():
            return False
        self._awaited += 1
        try:
            await self._done.wait()
        finally:
            self._awaited -= 1
        return True

    def complete(self) -> None:
        """In any thread. Completing twice does nothing."""
        self.completed = True
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._completed)

    def _completed(self) -> None:
        if self._done.is_set():
            return
        self._done.set()
        tell, self._tell = self._tell, None
        if tell is not None and not self._awaited:
            tell(self.id)


class Visits:
    """The visits to an author's pages: `ctx.ask_url(…, until=visits)` begins one, `complete` ends it.

    This process's memory, for an hour: a page that another process serves has to tell this one. May be made anywhere,
    and used in any thread.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._visits: OrderedDict[str, tuple[Visit, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._visits)

    def find(self, id: str) -> Visit | None:  # noqa: A002 - the wire's name
        """The visit of that id, whose `principal` is who was sent; None for one that never was, or is forgotten."""
        with self._lock:
            self._forget_old()
            found = self._visits.get(id)
        return None if found is None else found[0]

    def complete(self, id: str) -> bool:  # noqa: A002 - the wire's name
        """What the user was sent for is done: the call goes on, or its client is told. Whether the id is known.

        Check first, on the page, that who came is who was sent.
        """
        visit = self.find(id)
        if visit is None:
            return False
        visit.complete()
        return True

    def begin(self, id: str, principal: str) -> Visit:  # noqa: A002 - the wire's name
        """The visit of that id, a new one if it is not known: a call that comes again, also after a restart, has it
        in its own sealed state. Called by `ctx.ask_url`, on the loop."""
        with self._lock:
            self._forget_old()
            found = self._visits.get(id)
            if found is not None and found[0].principal == principal:
                return found[0]
            while len(self._visits) >= MAX_VISITS:
                self._visits.popitem(last=False)
            visit = Visit(id, principal)
            self._visits[id] = visit, self._clock() + VISIT_SECONDS
            return visit

    def _forget_old(self) -> None:
        now = self._clock()
        while self._visits and next(iter(self._visits.values()))[1] <= now:
            self._visits.popitem(last=False)


def address(url: str, id: str) -> str:  # noqa: A002 - the wire's name
    """The page's URL, with the id in its query. Raises ValueError for what is no URL."""
    parts = urlsplit(url)
    said = urlencode({ID_PARAMETER: id})
    return urlunsplit(parts._replace(query=f"{parts.query}&{said}" if parts.query else said))
