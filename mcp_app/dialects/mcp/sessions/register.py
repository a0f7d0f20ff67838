"""The register of this process's sessions: their maximum number, their idle timeout, and notifications to many of them.

A single session is in session.py. No method and no HTTP is known here.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from ....config.settings import Settings
from ....eventlog import EventLog
from ....protocol.access import Access
from ....protocol.errors import Draining, Overloaded
from ....protocol.policy import Policy
from ....runs.at_work import RETRY_AFTER
from ....web.metrics import InFlight
from ..changes import EVERYBODY, Needed
from .outbox import Outbox
from .session import Session
from .session_record import SessionRecord


class Sessions:
    """The sessions of this process, ordered by last use."""

    def __init__(self, settings: Settings, log: EventLog, clock: Callable[[], float], numbers: InFlight) -> None:
        self._settings = settings
        self._numbers = numbers
        self._log = log
        self._clock = clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._draining = False

    def __len__(self) -> int:
        return len(self._sessions)

    async def begin(self, access: Access, policy: Policy | None = None) -> Session:
        """Create a session of this caller. Raises what `check` raises."""
        self.check()
        if (excess := self._least_recent(access.principal)) is not None:
            self.end(excess)
        session = Session(SessionRecord(access, policy), Outbox(self._log), touched=self._clock())
        await session.outbox.open()
        self._sessions[session.id] = session
        self._numbers.add()
        self._schedule_expiry()
        return session

    def check(self) -> None:
        """Raises Draining, and Overloaded if the maximum number of sessions is in use; both with Retry-After."""
        if self._draining:
            raise Draining("The server is being stopped and takes no new session.", headers=RETRY_AFTER)
        self._least_recent()

    async def find(self, session_id: str, access: Access) -> Session | None:
        """The principal's session with that id, or None. Restarts the session's idle timeout. From now on it is told of
        what this access is shown."""
        found = self._sessions.get(session_id)
        if found is None or found.principal != access.principal:
            return None
        found.record.access = access
        found.touched = self._clock()
        self._sessions.move_to_end(session_id)
        return found

    def end(self, session: Session) -> None:
        """End a session and its runs. Idempotent."""
        if self._sessions.pop(session.id, None) is not None:
            self._numbers.ended.add()
            session.end(stop_runs=True)

    def refuse(self) -> None:
        """Called when the server shuts down: accept no new session, and end those without pending work."""
        self._draining = True
        if self._timer is not None:
            self._timer.cancel()
        for session in list(self._sessions.values()):
            if not session.has_pending_work:
                del self._sessions[session.id]
                self._numbers.ended.add()
                session.end(stop_runs=False)

    async def drain(self) -> None:
        """End all sessions after their pending messages have been sent. `Runs.drain` must have ended the runs."""
        for session in self._sessions.values():
            session.outbox.stop_waiting()
        relays = [each for session in self._sessions.values() for each in session.relays]
        if relays:
            await asyncio.wait(relays)
        self.refuse()

    # --- notifications to many sessions ------------------------------------------------------------------------------

    def list_changed(self, kind: str, needed: Needed = EVERYBODY) -> None:
        """Notify the clients that are shown what has changed in the list of "tools", "resources" or "prompts"."""
        for session in self._sessions.values():
            if session.record.initialized and any(map(session.record.access.sees, needed)):
                session.notify(f"notifications/{kind}/list_changed")

    def resource_updated(self, uri: str, needed: Needed = EVERYBODY) -> None:
        """Notify the subscribers of the resource with that normalised URI who may read it, each with the spelling it
        subscribed to."""
        for session in self._sessions.values():
            spellings = session.record.subscriptions.get(uri, ())
            if spellings and any(map(session.record.access.may, needed)):
                for spelling in spellings:
                    session.notify("notifications/resources/updated", {"uri": spelling})

    # --- the idle timeout --------------------------------------------------------------------------------------------

    def _least_recent(self, principal: str | None = None) -> Session | None:
        """The session that has to end for another of that principal's: not busy, and used least recently; one of its
        own, if there is any. None if there is room. Raises Overloaded if all are busy."""
        if len(self._sessions) < self._settings.max_sessions:
            return None
        idle = [each for each in self._sessions.values() if not each.busy]
        if not idle:
            raise Overloaded("As many sessions as this server takes are in use.", headers=RETRY_AFTER)
        return next((each for each in idle if each.principal == principal), idle[0])

    def _schedule_expiry(self) -> None:
        """Set the timer that all sessions share, for the one that was used least recently: the first."""
        if self._timer is None and self._sessions and not self._draining:
            first = next(iter(self._sessions.values()))
            due = first.touched + self._settings.session_idle_seconds
            self._timer = asyncio.get_running_loop().call_at(due, self._end_idle)

    def _end_idle(self) -> None:
        self._timer = None
        now = self._clock()
        for session in list(self._sessions.values()):
            if now < session.touched + self._settings.session_idle_seconds:
                break
            if session.busy:
                session.touched = now
                self._sessions.move_to_end(session.id)
            else:
                self.end(session)
        self._schedule_expiry()
