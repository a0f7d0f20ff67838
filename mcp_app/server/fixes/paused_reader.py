"""HTTP/1.1: a client that sent more than one request and left before the answer's end leaves nothing behind.

Upstream, the task that reads a connection pauses at what follows a request, until its answer is over. Where a write
finds before then that the client has gone, nobody wakes that task: it waits until the process stops, with what it has
read, and keep_alive_timeout does not end it. Here the end of the connection ends the pause.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hypercorn.events import Closed, Event
from hypercorn.protocol.h11 import H11Protocol

from mcp_app.server.fixes.replacing import Fix, Replacement

Handle = Callable[[H11Protocol, Event], Awaitable[None]]


class ClientLeft(Exception):
    """What the paused task goes on with; nobody but this fix sees it."""


class Over:
    """In the place of the protocol's `can_read`: there is nothing to wait for any more."""

    async def clear(self) -> None:
        """It was not set, either."""

    async def set(self) -> None:
        """Nobody waits for it."""

    async def wait(self) -> None:
        """Raises ClientLeft."""
        raise ClientLeft

    def is_set(self) -> bool:
        """Whether reading may go on."""
        return False


def end_the_pause(old: Handle) -> Handle:
    """As upstream; who is paused then goes on, and does not pause again: what it has is not looked at any more."""

    async def handle(self: H11Protocol, event: Event) -> None:
        try:
            await old(self, event)
        except ClientLeft:
            return
        if isinstance(event, Closed):
            paused, self.can_read = self.can_read, Over()
            await paused.set()

    return handle


FIX = Fix(
    name="paused_reader",
    defect="an HTTP/1.1 client that sends more than one request, and leaves, leaves a task until the process stops",
    replacements=(
        Replacement(
            H11Protocol, "handle", "3b56e067447488df5e480fc728e20c7fcc9f5813374172a197fa555ec13c0e1c", end_the_pause
        ),
    ),
)
