"""State shared by the connections of one server: its shutdown, the callbacks subscribed to that, the open connections,
and the number of malformed requests.

In place of Hypercorn's WorkerContext. This module does no I/O.
"""

from __future__ import annotations

from typing import Protocol

from hypercorn.asyncio.worker_context import WorkerContext

from .draining import DrainCallbacks
from .malformed import MalformedRequests
from .waiting import LazyEventWrapper


class OpenConnection(Protocol):
    """What the server does to its connections when it stops."""

    def close_if_idle(self) -> None:
        """Close it if it has no active request."""

    def abort(self) -> None:
        """Abort it, discarding unsent bytes."""

    def retire(self) -> None:
        """Have the peer open another connection for what it asks next, when it has no active request."""

    def retire_busy(self) -> None:
        """The same, in the middle of its requests."""

    @property
    def is_idle(self) -> bool:
        """Whether it has no active request."""


class ServerContext(WorkerContext):
    """One per server. `is_retiring` where others accept in its place; `is_stopping` as soon as a stop is ordered; then
    `draining` begins; `terminated` is set when it accepts no more requests."""

    event_class = LazyEventWrapper

    def __init__(self, max_requests: int | None) -> None:
        super().__init__(max_requests)
        self.is_stopping = False
        self.draining = DrainCallbacks()
        self.malformed = MalformedRequests()
        self.connections: set[OpenConnection] = set()
        self.is_retiring = False
        self.is_ending = False
        """Whether it retires or is terminated: one look for each request."""

    def retire(self) -> None:
        """Have every connection end that can, without a request that fails; also those that are still opening."""
        self.is_retiring = self.is_ending = True
        for connection in list(self.connections):
            connection.retire()

    def retire_busy(self) -> None:
        """Have those end, too, that always have an active request."""
        for connection in list(self.connections):
            connection.retire_busy()

    async def terminate_requests(self) -> None:
        """Accept no more requests, and close every connection that has no active one."""
        self.is_ending = True
        await self.terminated.set()
        self.close_idle_connections()

    def close_idle_connections(self) -> None:
        """Close every connection that has no active request."""
        for connection in list(self.connections):
            connection.close_if_idle()

    def abort_connections(self) -> None:
        """Abort every open connection, discarding unsent bytes."""
        for connection in list(self.connections):
            connection.abort()
