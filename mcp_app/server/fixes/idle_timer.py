"""A connection whose peer is gone has no idle timer, which would keep it for another 75 seconds.

Upstream, the timer of an idle connection is one of the tasks that the connection's task group waits for at its end,
and it runs to the end of keep_alive_timeout when the peer has reset the connection: three tasks and some buffers for
each. A stream that ends after its connection starts such a timer as well. Here the timer ends with the connection, and
only a living connection gets one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Event, Updated

from mcp_app.server.fixes.replacing import Fix, Replacement

ReadData = Callable[[TCPServer], Awaitable[None]]
ProtocolSend = Callable[[TCPServer, Event], Awaitable[None]]


def no_longer_than_the_connection(old: ReadData) -> ReadData:
    """As upstream; after the last byte nothing is waited for."""

    async def _read_data(self: TCPServer) -> None:
        await old(self)
        await self.idle_task.stop()

    return _read_data


def only_while_it_lives(old: ProtocolSend) -> ProtocolSend:
    """As upstream, but an `Updated` about a connection that is over changes nothing."""

    async def protocol_send(self: TCPServer, event: Event) -> None:
        if isinstance(event, Updated) and _is_over(self):
            return
        await old(self, event)

    return protocol_send


def _is_over(server: TCPServer) -> bool:
    """Whether there is nothing more to come from the peer: it has said so, the connection broke, or we close it."""
    return server.reader.at_eof() or server.reader.exception() is not None or server.writer.is_closing()


FIX = Fix(
    name="idle_timer",
    defect="a connection whose peer is gone can stay, with its tasks, until keep_alive_timeout",
    replacements=(
        Replacement(
            TCPServer,
            "_read_data",
            "8e7ad8f4bfca2fd27e8f698634a32519d2512b258e9168917455fada224b7e1e",
            no_longer_than_the_connection,
        ),
        Replacement(
            TCPServer,
            "protocol_send",
            "06144915fc094c1b4e1dc99197a0f0fd3725f642f613a2d96acb5a1458e80031",
            only_while_it_lives,
        ),
    ),
)
