"""One TCP connection, in place of Hypercorn's TCPServer: reading, writing, closing, and the keep-alive timeout.

The bytes are interpreted by `http1` and `http2`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from hypercorn.asyncio.tcp_server import MAX_RECV, TCPServer
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h11 import H2CProtocolRequiredError, H2ProtocolAssumedError
from hypercorn.typing import AppWrapper, ConnectionState, LifespanState
from hypercorn.utils import parse_socket_addr

from .admission import ConnectionPlace
from .context import ServerContext
from .http1 import Http1
from .http2 import Http2
from .http2_frames import Broken
from .idle import IdleTimer
from .tls_extension import tls_extension
from .waiting import TaskGroup
from .writer import ConnectionWriter

UNREAD_SECONDS = 0.5
"""Until a connection that is not read any more is aborted, which may discard what the peer has yet to receive."""

ROOM_SECONDS = 0.25
"""Until an idle connection that makes room for another is aborted: its descriptor is needed, and a peer that does not
answer close_notify keeps it for seconds."""

log = logging.getLogger("mcp_app.server")


class Connection(TCPServer):
    """A connection whose failure, or cancellation in the middle of a request, affects no other connection.

    As released, an exception in one connection, if it ends after shutdown was requested, becomes the exception of the
    whole server: the exit status is 1 (https://github.com/pgjones/hypercorn/issues/265). Here it is logged and stays in
    its connection.
    """

    context: ServerContext
    writer: ConnectionWriter
    protocol: Http1 | Http2  # type: ignore[assignment]

    def __init__(
        self,
        app: AppWrapper,
        loop: asyncio.AbstractEventLoop,
        config: Config,
        context: ServerContext,
        state: LifespanState,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        place: ConnectionPlace,
    ) -> None:
        super().__init__(app, loop, config, context, state, reader, writer)
        self.writer = ConnectionWriter(writer.transport, reader, loop, self._on_write_error, context.terminated.is_set)
        self.idle_timer = IdleTimer(loop, config.keep_alive_timeout, self.close_if_idle)
        place.idle_since, place.close = self.idle_timer.idle_since, self._make_room
        self._is_unread = False
        """What the peer still sends is not read."""

    async def run(self) -> None:
        """Serve the connection until it ends. Raises no exception of this connection."""
        self.context.connections.add(self)
        try:
            await self._serve()
        except asyncio.CancelledError:
            # The graceful timeout is over, and the task ends here: asyncio 3.11 reports a connection task that ends as
            # cancelled with a traceback.
            self.writer.abort()
        except (Exception, BaseExceptionGroup):
            log.exception("a connection was ended by an error in the server")
            self.writer.abort()
        finally:
            self.context.connections.discard(self)

    async def protocol_send(self, event: Event) -> None:
        """Handle an event of the protocol: bytes to send, the end, or a change between idle and active.

        Bytes are written before the lock is awaited: they keep their order, and the caller waits all the same. While
        the transport has room no caller waits.
        """
        if isinstance(event, RawData):
            try:
                self.writer.write(event.data)
                if self.writer.has_backlog():
                    async with self.send_lock:
                        await self.writer.drain_or_abort()
                else:
                    await self.writer.drain()  # does not wait, but raises the transport's error
            except (OSError, RuntimeError):
                await self.protocol.handle(Closed())
        elif isinstance(event, Broken):
            await self._close_unread()
        elif isinstance(event, Closed):
            await self._close_shielded()
        elif isinstance(event, Updated) and not self._is_ending():
            if event.idle:
                self._mark_idle()
            else:
                self.idle_timer.mark_active()

    def abort(self) -> None:
        """Abort it, discarding unsent bytes."""
        self.writer.abort()

    def close_if_idle(self) -> None:
        """Close it now, in its own task, unless a request has become active by then."""
        if self.idle_timer.is_idle:
            self._spawn(self._close_if_still_idle())

    def retire(self) -> None:
        """Have the peer open another connection for its next request, which another process accepts.

        Over HTTP/1.1 the next response says so: a connection that is closed while a request is on its way fails that.
        Over HTTP/2 GOAWAY says which requests were not begun, as soon as there is none.
        """
        if isinstance(self.protocol, Http1):
            self.protocol.keep_alive_requests = self.config.keep_alive_max_requests
        elif self.is_idle:
            self._spawn(self._go_away())

    def retire_busy(self) -> None:
        """The same for HTTP/2 in the middle of its requests. Some clients fail those at any GOAWAY: so this comes late,
        for who is never idle."""
        if isinstance(self.protocol, Http2) and not self.is_idle:
            self._spawn(self.protocol.announce_goaway())

    @property
    def is_idle(self) -> bool:
        """Whether it has no active request."""
        return self.idle_timer.is_idle

    def _make_room(self) -> None:
        """Close it now. A request that has come meanwhile, and was not looked at, is not begun."""
        self._is_unread = True
        self.close_if_idle()
        self.loop.call_later(ROOM_SECONDS, self.abort)

    async def _serve(self) -> None:
        """As upstream, with the engine's classes; nothing is awaited after the last byte."""
        socket = self.writer.get_extra_info("socket")
        try:
            client = parse_socket_addr(socket.family, socket.getpeername())
            server = parse_socket_addr(socket.family, socket.getsockname())
            tls = self.writer.get_extra_info("ssl_object")
            http = Http2 if tls is not None and tls.selected_alpn_protocol() == "h2" else Http1
            async with TaskGroup(self.loop, None if tls is None else tls_extension(tls)) as self._task_group:
                self._protocol_args = (
                    *(self.app, self.config, self.context, self._task_group, ConnectionState(self.state)),
                    *(tls is not None, client, server, self.protocol_send),
                )
                self.protocol = http(*self._protocol_args)
                await self.protocol.initiate()
                if self.context.is_retiring:
                    self.retire()
                self._mark_idle()
                await self._read_data()
        except OSError:
            pass  # the connection is lost
        finally:
            await self._close()

    async def _read_data(self) -> None:
        while not (self._is_unread or self.reader.at_eof()):
            try:
                data = await asyncio.wait_for(self.reader.read(MAX_RECV), self.config.read_timeout)
            except OSError:  # includes SSLError and TimeoutError
                break
            if self._is_unread:
                break
            try:
                await self.protocol.handle(RawData(data))
            except H2ProtocolAssumedError as error:
                await self._switch_to_http2(error.data)
            except H2CProtocolRequiredError as error:
                await self._switch_to_http2(error.data, error.headers, error.settings)
            if len(data) == MAX_RECV:
                await asyncio.sleep(0)  # more may have been received, which `read` returns without a turn of the loop
        await self.protocol.handle(Closed())
        self.idle_timer.close()

    async def _switch_to_http2(self, data: bytes, *upgrade_args: Any) -> None:
        """HTTP/2 without TLS: by prior knowledge, or upgraded from a request (`upgrade_args`: its fields, its
        settings)."""
        self.protocol = Http2(*self._protocol_args)
        await self.protocol.initiate(*upgrade_args)
        if data:
            await self.protocol.handle(RawData(data))

    def _on_write_error(self) -> None:
        """A write has failed after its caller has continued."""
        self._spawn(self.protocol.handle(Closed()))

    def _mark_idle(self) -> None:
        self.idle_timer.mark_idle()
        if self.context.is_ending:
            if self.context.terminated.is_set():
                self.close_if_idle()
            elif isinstance(self.protocol, Http2):
                self._spawn(self._go_away())

    async def _go_away(self) -> None:
        if self.is_idle and isinstance(self.protocol, Http2):
            await self.protocol.send_goaway()
            await self._close_unread()  # a request on its way finds GOAWAY, and not a reset

    async def _close_if_still_idle(self) -> None:
        if self.idle_timer.is_idle:
            if isinstance(self.protocol, Http2):
                await self.protocol.send_goaway()
            await self.protocol.handle(Closed())
            await self._close()

    async def _close_shielded(self) -> None:
        """Close in a task of the connection: the caller is often the application, after its last byte, and cancelling
        it must not discard bytes that the client has yet to read."""
        if (task := self._spawn(self._close())) is not None:
            await asyncio.shield(task)
        else:
            await self._close()

    async def _close_unread(self) -> None:
        """Close it without reading what the peer still sends: a TLS transport that closes decrypts all of it, for the 2
        s in which close_notify does not come, and one client of that holds all others up."""
        self._is_unread = True
        try:
            if self.writer.can_write_eof():
                self.writer.write_eof()
            self.writer.flush()
            self.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await asyncio.sleep(UNREAD_SECONDS)
        except (OSError, RuntimeError):
            pass  # the connection is lost
        self.writer.abort()

    async def _close(self) -> None:
        """As upstream, but the wait is bounded, and no exception of a connection that is ending anyway propagates."""
        try:
            self.writer.write_eof()
        except (NotImplementedError, OSError, RuntimeError):
            pass  # TLS has no half-close; or the connection is lost already
        try:
            await self.writer.close_or_abort()
        except (OSError, RuntimeError, asyncio.CancelledError):
            # Cancelled at the end of the graceful timeout: upstream ends here as well, but leaves the transport open.
            self.writer.abort()
        finally:
            self.idle_timer.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        """Start a task of this connection; None if the connection is ending, and its task group accepts no more."""
        try:
            return self._task_group._task_group.create_task(work)
        except RuntimeError:
            work.close()
            return None

    def _is_ending(self) -> bool:
        """Whether no more can come from the peer: it sent EOF, the connection broke, or the server is closing it. As
        released, a stream that ends after its connection starts the keep-alive timeout once more."""
        return self.reader.at_eof() or self.reader.exception() is not None or self.writer.is_closing()
