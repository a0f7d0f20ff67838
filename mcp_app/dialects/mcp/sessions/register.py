"""The register of this process's sessions: their maximum number, their idle timeout, and notifications to many of them.

A single session is in session.py. No method and no HTTP is known here.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

from ....config.settings import Settings
from ....eventlog import EventLog
from ....protocol.access import Access
from ....protocol.errors import Draining, LogUnavailable, Overloaded
from ....protocol.mcp.jsonrpc import RpcError
from ....protocol.policy import MCP_2024_11_05, Policy
from ....runs.at_work import RETRY_AFTER
from ....web.metrics import InFlight
from ..changes import EVERYBODY, Needed
from .outbox import Outbox
from .session import Session
from .session_record import SessionRecord
from .shared_sessions import SharedSessions

logger = logging.getLogger("mcp_app.mcp")


class Sessions:
    """The sessions of this process, ordered by last use."""

    def __init__(
        self,
        settings: Settings,
        log: EventLog,
        clock: Callable[[], float],
        numbers: InFlight,
        shared: SharedSessions | None = None,
    ) -> None:
        """`shared` are those of all processes that share a log with this one."""
        self._settings = settings
        self._shared = shared
        self._due_seconds = settings.session_idle_seconds if shared is None else shared.renew_seconds
        self._background: set[asyncio.Task[None]] = set()
        self._numbers = numbers
        self._log = log
        self._clock = clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._draining = False

    def __len__(self) -> int:
        return len(self._sessions)

    async def begin(self, access: Access, policy: Policy | None = None) -> Session:
        """Create a session of this caller. Raises what `check` raises, LogUnavailable."""
        self.check()
        session_id = secrets.token_hex(16)
        session = Session(SessionRecord(access, policy), Outbox(self._log, session_id), session_id)
        await session.outbox.open()
        if self._shared is not None:
            await self._shared.create(session)
        self._add(session)
        return session

    def check(self) -> None:
        """Raises Draining, and Overloaded if the maximum number of sessions is in use; both with Retry-After."""
        if self._draining:
            raise Draining("The server is being stopped and takes no new session.", headers=RETRY_AFTER)
        self._least_recent()

    def here(self, session_id: str) -> Session | None:
        """The session with that id, if it is known in this process."""
        return self._sessions.get(session_id)

    async def find(self, session_id: str, access: Access) -> Session | None:
        """The principal's session with that id, or None. Restarts the session's idle timeout. From now on it is told of
        what this access is shown. Raises Overloaded, LogUnavailable."""
        if self._shared is None:
            found = self._sessions.get(session_id)
        else:
            found = await self.look_up(session_id, access.principal)
        if found is None or found.principal != access.principal:
            return None
        if self._shared is not None:
            await self._shared.renew(found, access)
        found.record.access = access
        self._use(found)
        return found

    async def look_up(self, session_id: str, principal: str | None = None) -> Session | None:
        """The session as all processes know it; None for one that has ended, and for another principal's. Raises
        Overloaded, LogUnavailable."""
        assert self._shared is not None  # noqa: S101 - else there is nothing to look up
        shared = await self._shared.read(session_id)
        session = self._sessions.get(session_id)
        if shared is None:
            if session is not None:
                self.end_here(session)
            return None
        if principal is not None and shared.record.access.principal != principal:
            return None
        if session is None:
            session = Session(shared.record, Outbox(self._log, session_id), session_id, version=shared.version)
            await self._shared.copy(session)
            session = self._sessions.get(session_id) or self._add(session)
        self._shared.learn(session, shared)
        return session

    async def end(self, session: Session) -> None:
        """End a session and its runs, in every process. Idempotent. Raises LogUnavailable."""
        self.end_here(session)
        if self._shared is not None:
            await self._shared.remove(session)

    def end_here(self, session: Session) -> None:
        """End what of a session, and of its runs, is in this process. Idempotent."""
        self._forget(session, stop_runs=True)

    def _forget(self, session: Session, *, stop_runs: bool = False) -> None:
        if self._sessions.pop(session.id, None) is not None:
            self._numbers.ended.add()
            session.end(stop_runs=stop_runs)

    async def reclaim(self) -> None:
        """This process is another node from now on: see `SharedSessions.reclaim`."""
        for session in list(self._sessions.values()):
            if self._shared is not None and session.outbox.opened:
                self._spawn(self._shared.reclaim(session))

    def end_soon(self, session: Session) -> None:
        """As `end`, from what cannot wait: the other processes are told in the background."""
        self.end_here(session)
        if self._shared is not None:
            self._spawn(self._shared.remove(session))

    def _add(self, session: Session) -> Session:
        if (excess := self._least_recent(session.principal)) is not None:
            # Where processes share a log the session goes on in others, or here at its next request.
            self._forget(excess, stop_runs=self._shared is None)
        self._sessions[session.id] = session
        session.touched = self._clock()
        self._numbers.add()
        self._schedule_expiry()
        return session

    def _use(self, session: Session) -> None:
        session.touched = self._clock()
        if session.id in self._sessions:  # it may have ended meanwhile
            self._sessions.move_to_end(session.id)

    def refuse(self) -> None:
        """Called when the server shuts down: accept no new session, and end those without pending work; where processes
        share a log these go on in the others."""
        self._draining = True
        if self._timer is not None:
            self._timer.cancel()
        for session in list(self._sessions.values()):
            if session.has_pending_work:
                continue
            if self._shared is None:
                self._forget(session)
            else:
                self._spawn(self._leave(session, self._shared))

    async def drain(self) -> None:
        """End all sessions after their pending messages have been sent. `Runs.drain` must have ended the runs."""
        for session in self._sessions.values():
            session.outbox.stop_waiting()
        relays = [each for session in self._sessions.values() for each in session.relays]
        if relays:
            await asyncio.wait(relays)
        await self._settled()
        self.refuse()
        await self._settled()

    async def _leave(self, session: Session, shared: SharedSessions) -> None:
        if session.record.policy is MCP_2024_11_05:  # it ends with its stream
            await self.end(session)
            return
        await shared.leave(session)
        self._forget(session)

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(self._logged(work), name="sessions of several processes")
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _logged(self, work: Awaitable[object]) -> None:
        try:
            await work
        except (LogUnavailable, RpcError) as error:  # RpcError: it has ended meanwhile
            logger.warning("a session: %s", error)

    async def _settled(self) -> None:
        if self._background:
            await asyncio.wait(self._background)

    # --- notifications to many sessions ------------------------------------------------------------------------------

    def list_changed(self, kind: str, needed: Needed = EVERYBODY) -> None:
        """Notify the clients that are shown what has changed in the list of "tools", "resources" or "prompts"."""
        for session in self._held():
            if session.record.initialized and any(map(session.record.access.sees, needed)):
                session.notify(f"notifications/{kind}/list_changed")

    def resource_updated(self, uri: str, needed: Needed = EVERYBODY) -> None:
        """Notify the subscribers of the resource with that normalised URI who may read it, each with the spelling it
        subscribed to."""
        for session in self._held():
            spellings = session.record.subscriptions.get(uri, ())
            if spellings and any(map(session.record.access.may, needed)):
                for spelling in spellings:
                    session.notify("notifications/resources/updated", {"uri": spelling})

    def _held(self) -> Iterator[Session]:
        """Those whose outbox is held here: where processes share a log, each of them is told of a change."""
        return (each for each in self._sessions.values() if each.outbox.forward is None)

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
            due = first.touched + self._due_seconds
            self._timer = asyncio.get_running_loop().call_at(due, self._end_idle)

    def _end_idle(self) -> None:
        self._timer = None
        now = self._clock()
        for session in list(self._sessions.values()):
            if now < session.touched + self._due_seconds:
                break
            if self._shared is None and not session.busy:
                self.end_here(session)
                continue
            session.touched = now
            self._sessions.move_to_end(session.id)
            if self._shared is not None:
                self._spawn(self._look_after(session, self._shared))
        self._schedule_expiry()

    async def _look_after(self, session: Session, shared: SharedSessions) -> None:
        """It was not used here for some time: it may have been elsewhere, or be over."""
        if session.busy:
            await shared.renew(session)
        elif await self.look_up(session.id) is session and not shared.held(session):
            self._forget(session)
