"""Sessions of MCP 2025-11-25 and older: what a client and the server have agreed on, and for how long it holds.

A session is what a client can be asked for, what it subscribed to, and its requests being worked on. No method and no
HTTP is known here.
"""

from __future__ import annotations

import asyncio
import secrets
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ...eventlog import EventLog
from ...protocol import jsonrpc
from ...protocol.errors import Cancelled, Draining, Overloaded
from ...protocol.event import encode
from ...protocol.jsonrpc import Id
from ...protocol.mcp import Exchange
from ...protocol.revision import Policy
from ...protocol.session_revision import SessionRevision, negotiated
from ...runs import Run
from ...runs.register import RETRY_AFTER
from ...settings import Settings
from ..metrics import Pair
from .outbox import Outbox

MAX_SUBSCRIPTIONS = 1000
"""Resources that one session is told of: a list that a client can make as long as it likes is kept for as long."""

DEFAULT_LEVEL = "info"
"""Of log messages, until a client says otherwise: "the server MAY decide which messages to send automatically"
(2025-11-25, Logging)."""


@dataclass(frozen=True, slots=True)
class Working:
    """A request that became a run."""

    run: Run
    exchange: Exchange


@dataclass(eq=False, slots=True)
class Session:
    """One client's session. `policy` is that of its requests; None until `initialize` for the 2024-11-05 transport."""

    principal: str
    outbox: Outbox
    revision: SessionRevision = field(default_factory=lambda: negotiated(None))
    policy: Policy | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    capabilities: dict[str, Any] | None = None
    """What its client can be asked for; None until `initialize`."""
    initialized: bool = False
    level: str = DEFAULT_LEVEL
    subscribed: set[str] = field(default_factory=set)
    ended: bool = False
    touched: float = 0.0
    streams: int = 0
    """Responses being sent to it now."""
    relays: set[asyncio.Task[None]] = field(default_factory=set)
    """What brings its requests' messages to its own stream (2024-11-05)."""
    # What the register of runs forgets, a session forgets with it.
    _exchanges: weakref.WeakKeyDictionary[Run, Exchange] = field(default_factory=weakref.WeakKeyDictionary)
    _runs: weakref.WeakValueDictionary[str, Run] = field(default_factory=weakref.WeakValueDictionary)
    _by_request: weakref.WeakValueDictionary[Id, Run] = field(default_factory=weakref.WeakValueDictionary)
    _asked: dict[Id, asyncio.Future[jsonrpc.Response]] = field(default_factory=dict)

    # --- its requests ------------------------------------------------------------------------------------------------

    def begin(self, request: Id, working: Working) -> None:
        """A request is being worked on: it can be cancelled by its id, and its stream be come back to by the run's."""
        self._by_request[request] = working.run
        self._runs[working.run.id] = working.run
        self._exchanges[working.run] = working.exchange

    def working(self, run: str) -> Working | None:
        """The request whose run that is, ended or not; None for one of another session, or that was forgotten."""
        found = self._runs.get(run)
        return None if found is None else Working(found, self._exchanges[found])

    @property
    def busy(self) -> bool:
        """Whether it is being answered, or worked for."""
        return self.streams > 0 or self.worked_for

    @property
    def worked_for(self) -> bool:
        """Whether something is still to be said to it."""
        return bool(self.relays) or any(not each.over for each in self._runs.values())

    def cancel(self, request: Id) -> None:
        """notifications/cancelled; of an unknown request, or one that has ended, "MAY be ignored"."""
        run = self._by_request.get(request)
        if run is not None:
            run.stop(Cancelled("The client cancelled the request."))

    # --- what the server says of itself ------------------------------------------------------------------------------

    def notify(self, method: str, params: dict[str, Any] | None = None) -> None:
        """A notification that belongs to no request."""
        self.outbox.send(jsonrpc.notification(method, None if params is None else encode(params)))

    def expect(self) -> tuple[Id, asyncio.Future[jsonrpc.Response]]:
        """An id for a request of ours, and what its response will be. Ended with the session, the future is cancelled.

        Whoever gives up waiting cancels the future.
        """
        request = secrets.token_hex(8)
        answer: asyncio.Future[jsonrpc.Response] = asyncio.get_running_loop().create_future()
        self._asked[request] = answer
        answer.add_done_callback(lambda _: self._asked.pop(request, None))
        return request, answer

    def answered(self, response: jsonrpc.Response) -> bool:
        """A response came in; whether anybody waited for it."""
        answer = None if response.id is None else self._asked.get(response.id)
        if answer is None or answer.done():
            return False
        answer.set_result(response)
        return True

    def end(self, *, stop_runs: bool) -> None:
        """Nothing belongs to it any more."""
        self.ended = True
        self.outbox.close()
        for answer in list(self._asked.values()):
            answer.cancel()
        if stop_runs:
            for run in list(self._runs.values()):
                run.stop(Cancelled("The client's session has ended."))


class Sessions:
    """The sessions of this process, that used last at the end."""

    def __init__(self, settings: Settings, log: EventLog, clock: Callable[[], float], numbers: Pair) -> None:
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
        """What is at that URI has changed: for whoever subscribed to it."""
        for session in self._sessions.values():
            if uri in session.subscribed:
                session.notify("notifications/resources/updated", {"uri": uri})

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
