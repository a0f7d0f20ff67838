"""What the connections of one server share: whether it stops, who wants to know that, and which of them are there.

In the place of Hypercorn's WorkerContext. Nothing is sent or received here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypercorn.asyncio.worker_context import WorkerContext

from .draining import Draining
from .waiting import Event

if TYPE_CHECKING:
    from .connection import Connection


class Context(WorkerContext):
    """Of one server. `terminated` is set when it takes no more requests, `draining` begins before that."""

    event_class = Event

    def __init__(self, max_requests: int | None) -> None:
        super().__init__(max_requests)
        self.draining = Draining()
        self.connections: set[Connection] = set()

    def close_idle(self) -> None:
        """Close every connection that has nothing to do."""
        for connection in list(self.connections):
            connection.close_if_idle()

    def abort(self) -> None:
        """End every connection that is there, with what was not sent."""
        for connection in list(self.connections):
            connection.writer.abort()
