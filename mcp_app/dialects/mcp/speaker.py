"""The dialect of one server: what all transports share, made once, and how it ends when the server stops.

A transport brings a message to `stateless` or to `methods`, and says where what became of it goes. No message is read
here, and no request is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ...config.settings import Settings
from ...eventlog import EventLog
from ...nodes import Node
from ...protocol.mcp.revisions import REVISIONS
from ...runs import Runs
from ...web.metrics import Metrics
from .announcements import Announcements
from .answering import Answering
from .changes import ChangeListener, Changes
from .offer import Offer
from .sessions.register import Sessions
from .sessions.requests import SessionMethods
from .sessions.session_letters import SessionLetters
from .sessions.shared_sessions import SharedSessions
from .stateless.request_state import States
from .stateless.requests import StatelessMethods
from .stateless.subscriptions import Subscriptions
from .stateless.tasks import Tasks


class McpSpeaker:
    """MCP of every revision, as one server speaks it. Must be created on the event loop."""

    def __init__(
        self, settings: Settings, offer: Offer, runs: Runs, log: EventLog, metrics: Metrics, node: Node | None = None
    ) -> None:
        """`node` is this process among those that share a log; None without one."""
        clock = asyncio.get_running_loop().time
        self.answering = Answering(settings, metrics, clock)
        shared = None if node is None else SharedSessions(node, settings.session_idle_seconds, clock)
        self.sessions = Sessions(settings, log, clock, metrics.sessions, shared)
        self.methods = SessionMethods(offer, runs, self.answering)
        self._runs = runs
        self._subscriptions = Subscriptions(settings, metrics, clock)
        listeners: list[ChangeListener] = [self._subscriptions, self.sessions]
        self._announcements: Announcements | None = None
        on_record: Callable[[str], None] | None = None
        if node is not None and shared is not None:
            SessionLetters(node, self.sessions, shared)
            node.on_joined(self.sessions.reclaim)
            self._announcements = Announcements(node, self._subscriptions, self.sessions)
            listeners.append(self._announcements)
            on_record = self._announcements.task_changed
            node.take_over.on_ended = lambda record: self._task_changed(record.id)
        self._changes = Changes(offer, *listeners)
        self._tasks = Tasks(settings, runs, metrics, offer, self._subscriptions.task_changed, on_record, node)
        self.stateless = StatelessMethods(
            offer, runs, self.answering, States(settings, log, node), REVISIONS, self._subscriptions, self._tasks
        )

    def _task_changed(self, run: str) -> None:
        """A run that may be a task was ended here for a process that is gone."""
        self._subscriptions.task_changed(run)
        if self._announcements is not None:
            self._announcements.task_changed(run)

    async def drain(self) -> None:
        """Shut down: end every run, stream and session with its last message, and accept nothing new."""
        self._changes.close()
        self._subscriptions.refuse()
        self.sessions.refuse()
        await asyncio.gather(self._runs.drain(), self._end_subscriptions())
        await self.sessions.drain()
        if self._announcements is not None:
            await self._announcements.settled()

    async def _end_subscriptions(self) -> None:
        """Subscribers of a task get its final state before their stream ends."""
        await self._tasks.settled()
        self._subscriptions.end()
