"""One TCP connection, in the place of Hypercorn's TCPServer: what is read, written and closed, and when it is idle.

What the bytes mean is HTTP's: `http1` and `http2`.
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

from .context import Context
from .http1 import Http1
from .http2 import Http2
from .idle import IdleClock
from .waiting import TaskGroup
from .writer import Writer

log = logging.getLogger("mcp_app.server")


class Connection(TCPServer):
    """A connection that fails, or is ended in the middle of its work, ends alone and quietly.

    Released, an error in one connection, if it ends after the process was asked to stop, becomes the error of the whole
    server: the exit status is 1 (https://github.com/pgjones/hypercorn/issues/265). Here it is logged and stays the
    connection's own.
    """

    context: Context
    writer: Writer
    protocol: Http1 | Http2  # type: ignore[assignment]

    def __init__(
        self,
        app: AppWrapper,
        loop: asyncio.AbstractEventLoop,
        config: Config,
        context: Context,
        state: LifespanState,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        super().__init__(app, loop, config, context, state, reader, writer)
        self.writer = Writer(writer.transport, reader, loop, self._lost, context.terminated.is_set)
        self.idle = IdleClock(loop, config.keep_alive_timeout, self.close_if_idle)

    async def run(self) -> None:
        """Serve it until its end. Raises nothing of this connection's."""
        self.context.connections.add(self)
        try:
            await self._serve()
        except asyncio.CancelledError:
            # The graceful time is over, and this is the end of the task: asyncio 3.11 reports a connection that ends as
            # cancelled with a traceback.
            self.writer.abort()
        except Exception:
            log.exception("a connection was ended by an error in the server")
            self.writer.abort()
        finally:
            self.context.connections.discard(self)

    async def protocol_send(self, event: Event) -> None:
        """What HTTP asks for: bytes to be sent, the end, or that the connection is idle or works.

        Bytes are written before the lock is waited for: they keep the order in which they came, and whoever wrote them
        waits all the same. While the transport has room nobody does.
        """
        if isinstance(event, RawData):
            try:
                self.writer.write(event.data)
                if self.writer.is_behind():
                    async with self.send_lock:
                        await self.writer.drain_or_abort()
                else:
                    await self.writer.drain()  # does not wait, but raises what the transport has to say
            except (OSError, RuntimeError):
                await self.protocol.handle(Closed())
        elif isinstance(event, Closed):
            await self._close_shielded()
        elif isinstance(event, Updated) and not self._is_over():
            if event.idle:
                self._start_idling()
            else:
                self.idle.stop()

    def close_if_idle(self) -> None:
        """Close it now, in a task of its own, unless it works by then."""
        if self.idle.is_idle:
            self._spawn(self._close_idle())

    async def _serve(self) -> None:
        """As upstream, with our classes; after the last byte nothing is waited for."""
        socket = self.writer.get_extra_info("socket")
        try:
            client = parse_socket_addr(socket.family, socket.getpeername())
            server = parse_socket_addr(socket.family, socket.getsockname())
            tls = self.writer.get_extra_info("ssl_object")
            http = Http2 if tls is not None and tls.selected_alpn_protocol() == "h2" else Http1
            async with TaskGroup(self.loop) as self._task_group:
                self._of_protocol = (
                    *(self.app, self.config, self.context, self._task_group, ConnectionState(self.state)),
                    *(tls is not None, client, server, self.protocol_send),
                )
                self.protocol = http(*self._of_protocol)
                await self.protocol.initiate()
                self._start_idling()
                await self._read_data()
        except OSError:
            pass  # lost
        finally:
            await self._close()

    async def _read_data(self) -> None:
        while not self.reader.at_eof():
            try:
                data = await asyncio.wait_for(self.reader.read(MAX_RECV), self.config.read_timeout)
            except OSError:  # of TLS and of time, too
                break
            try:
                await self.protocol.handle(RawData(data))
            except H2ProtocolAssumedError as error:
                await self._become_http2(error.data)
            except H2CProtocolRequiredError as error:
                await self._become_http2(error.data, error.headers, error.settings)
        await self.protocol.handle(Closed())
        self.idle.end()

    async def _become_http2(self, data: bytes, *upgraded: Any) -> None:
        """HTTP/2 without TLS: known to the client before, or `upgraded` from a request (its fields, its settings)."""
        self.protocol = Http2(*self._of_protocol)
        await self.protocol.initiate(*upgraded)
        if data:
            await self.protocol.handle(RawData(data))

    def _lost(self) -> None:
        """A write has failed, and whoever wrote it does not wait any more."""
        self._spawn(self.protocol.handle(Closed()))

    def _start_idling(self) -> None:
        self.idle.start()
        if self.context.terminated.is_set():
            self.close_if_idle()

    async def _close_idle(self) -> None:
        if self.idle.is_idle:
            await self.protocol.handle(Closed())
            await self._close()

    async def _close_shielded(self) -> None:
        """In a task of the connection's: it is often the application's that asks for it, behind its last byte, and an
        application that is cancelled then must not take away what its client has yet to read."""
        if (task := self._spawn(self._close())) is not None:
            await asyncio.shield(task)
        else:
            await self._close()

    async def _close(self) -> None:
        """As upstream, but the wait for the end is bounded, and no error of a connection that ends anyway escapes."""
        try:
            self.writer.write_eof()
        except (NotImplementedError, OSError, RuntimeError):
            pass  # TLS cannot be closed by half; or the connection is lost already
        try:
            await self.writer.close_or_abort()
        except (OSError, RuntimeError, asyncio.CancelledError):
            # Cancelled at the end of the graceful time: upstream ends here as well, but leaves the transport open.
            self.writer.abort()
        finally:
            self.idle.end()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        """A task of this connection's; None when it is being ended already, and takes no more of them."""
        try:
            return self._task_group._task_group.create_task(work)
        except RuntimeError:
            work.close()
            return None

    def _is_over(self) -> bool:
        """Whether there is nothing more to come from the peer: it has said so, the connection broke, or we close it.
        Released, a stream that ends after its connection starts the time of an idle one once more."""
        return self.reader.at_eof() or self.reader.exception() is not None or self.writer.is_closing()
