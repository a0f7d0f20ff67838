"""The dialect of one server: what all transports share, made once, and how it ends when the server stops.

A transport brings a message to `stateless` or to `methods`, and says where what became of it goes. No message is read
here, and no request is answered.
"""

from __future__ import annotations

import asyncio

from ...config.settings import Settings
from ...eventlog import EventLog
from ...protocol.mcp.revisions import REVISIONS
from ...runs import Runs
from ...web.metrics import Metrics
from .answering import Answering
from .changes import Changes
from .offer import Offer
from .sessions.register import Sessions
from .sessions.requests import SessionMethods
from .stateless.request_state import States
from .stateless.requests import StatelessMethods
from .stateless.subscriptions import Subscriptions
from .stateless.tasks import Tasks


class McpSpeaker:
    """MCP of every revision, as one server speaks it. Must be created on the event loop."""

    def __init__(self, settings: Settings, offer: Offer, runs: Runs, log: EventLog, metrics: Metrics) -> None:
        clock = asyncio.get_running_loop().time
        self.answering = Answering(settings, metrics, clock)
        self.sessions = Sessions(settings, log, clock, metrics.sessions)
        self.methods = SessionMethods(offer, runs)
        self._runs = runs
        self._subscriptions = Subscriptions(settings, metrics, clock)
        self._changes = Changes(offer, self._subscriptions, self.sessions)
        self._tasks = Tasks(settings, runs, metrics, self._subscriptions.task_changed)
        self.stateless = StatelessMethods(
            offer, runs, self.answering, States(settings, log), REVISIONS, self._subscriptions, self._tasks
        )

    async def drain(self) -> None:
        """Shut down: end every run, stream and session with its last message, and accept nothing new."""
        self._changes.close()
        self._subscriptions.refuse()
        self.sessions.refuse()
        await asyncio.gather(self._runs.drain(), self._end_subscriptions())
        await self.sessions.drain()

    async def _end_subscriptions(self) -> None:
        """Subscribers of a task get its final state before their stream ends."""
        await self._tasks.settled()
        self._subscriptions.end()
