"""A connection whose peer is gone has no idle timer, which would keep it for another 75 seconds; an idle one has one.

Upstream, the timer of an idle connection is one of the tasks that the connection's task group waits for at its end,
and it runs to the end of keep_alive_timeout when the peer has reset the connection: three tasks and some buffers for
each. A stream that ends after its connection starts such a timer as well. Here the timer ends with the connection, and
only a living connection gets one. It also gets one when the last of its HTTP/2 streams was reset, as a page does that
closes its EventSource: upstream, such a connection is never closed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from h2.events import Event as H2Event
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Event, Updated
from hypercorn.protocol.h2 import H2Protocol

from mcp_app.server.fixes.replacing import Fix, Replacement

ReadData = Callable[[TCPServer], Awaitable[None]]
HandleEvents = Callable[[H2Protocol, list[H2Event]], Awaitable[None]]
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


def also_after_a_reset(old: HandleEvents) -> HandleEvents:
    """As upstream, which says that a connection is idle only when an answer has ended, and a reset takes the stream
    away before that. Saying it twice does nothing."""

    async def _handle_events(self: H2Protocol, events: list[H2Event]) -> None:
        worked = bool(self.streams)
        await old(self, events)
        if worked and not self.streams:
            await self.send(Updated(idle=True))

    return _handle_events


def _is_over(server: TCPServer) -> bool:
    """Whether there is nothing more to come from the peer: it has said so, the connection broke, or we close it."""
    return server.reader.at_eof() or server.reader.exception() is not None or server.writer.is_closing()


FIX = Fix(
    name="idle_timer",
    defect="a connection whose peer is gone stays until keep_alive_timeout, one whose last stream was reset for ever",
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
        Replacement(
            H2Protocol,
            "_handle_events",
            "3378aef0a2348f0def6e0044697ba0623985794f9b186efb5fbaf12733f4feb5",
            also_after_a_reset,
        ),
    ),
)
