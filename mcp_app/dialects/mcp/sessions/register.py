"""The sessions of this process: how many there may be, for how long, and what is told to many of them.

What one session is, is session.py's. No method and no HTTP is known here.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from ....config.settings import Settings
from ....eventlog import EventLog
from ....protocol.errors import Draining, Overloaded
from ....protocol.policy import Policy
from ....runs.register import RETRY_AFTER
from ....web.metrics import InFlight
from .outbox import Outbox
from .session import Session


class Sessions:
    """The sessions of this process, that used last at the end."""

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

    async def begin(self, principal: str, policy: Policy | None = None) -> Session:
        """A new session. Raises Draining; Overloaded when there are as many as may be, all of them in use."""
        if self._draining:
            raise Draining("The server is being stopped and takes no new session.", headers=RETRY_AFTER)
        if len(self._sessions) >= self._settings.max_sessions:
            self._end_one_unused()
        session = Session(principal, Outbox(self._log), policy=policy, touched=self._clock())
        await session.outbox.open()
        self._sessions[session.id] = session
        self._numbers.add()
        self._watch()
        return session

    def find(self, session: str, principal: str) -> Session | None:
        """The session of that id, if it is this principal's; being asked for keeps it."""
        found = self._sessions.get(session)
        if found is None or found.principal != principal:
            return None
        found.touched = self._clock()
        self._sessions.move_to_end(session)
        return found

    def end(self, session: Session) -> None:
        """End it and its runs. Ending twice does nothing."""
        if self._sessions.pop(session.id, None) is not None:
            self._numbers.ended.add()
            session.end(stop_runs=True)

    def refuse(self) -> None:
        """The server is being stopped: no session begins, and those that nothing is worked on for end."""
        self._draining = True
        if self._timer is not None:
            self._timer.cancel()
        for session in list(self._sessions.values()):
            if not session.worked_for:
                del self._sessions[session.id]
                self._numbers.ended.add()
                session.end(stop_runs=False)

    async def drain(self) -> None:
        """End all sessions, after what is still to be said. Runs are ended by `Runs.drain`, before."""
        relays = [each for session in self._sessions.values() for each in session.relays]
        if relays:
            await asyncio.wait(relays)
        self.refuse()

    # --- what is told to many ----------------------------------------------------------------------------------------

    def list_changed(self, kind: str) -> None:
        """Something was added to the list of "tools", "resources" or "prompts", or taken from it."""
        for session in self._sessions.values():
            if session.initialized:
                session.notify(f"notifications/{kind}/list_changed")

    def resource_updated(self, uri: str) -> None:
        """What is at that URI, in its normal form, has changed: whoever subscribed to it hears of it by their own."""
        for session in self._sessions.values():
            for spelt in session.subscribed.get(uri, ()):
                session.notify("notifications/resources/updated", {"uri": spelt})

    # --- how long they last ------------------------------------------------------------------------------------------

    def _end_one_unused(self) -> None:
        unused = next((each for each in self._sessions.values() if not each.busy), None)
        if unused is None:
            raise Overloaded("As many sessions as this server takes are in use.", headers=RETRY_AFTER)
        self.end(unused)

    def _watch(self) -> None:
        """One timer for all: the first is the one that was used longest ago."""
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
        self._watch()
