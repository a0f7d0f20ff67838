"""Accepts the connections of one listening socket, and makes TLS with them. Who may connect is decided in `admission`.

In place of asyncio's server, which counts nothing before a handshake is complete, keeps the TLS that it was started
with, and, where no descriptor is left, fails for each connection of the backlog with a traceback, each second
(https://github.com/python/cpython/issues/151615). Nothing is read here but the handshake.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic

from ...protocol.payer import LOCAL_PEER
from .admission import Admission, ConnectionPlace, group
from .sharing import LOOK_SECONDS, LOOKS, OpenConnections

ACCEPTS_PER_TURN = 16
"""Connections accepted before others get a turn of the loop: a handshake is a millisecond."""

RETRY_SECONDS = 0.2
"""Until it is tried again where no descriptor, or no memory, is left. Clients wait in the backlog meanwhile."""

LOG_SECONDS = 10.0
"""At most one line in this time about connections that are refused or closed for others."""

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter, ConnectionPlace], Awaitable[None]]
"""Serves one connection until it ends, and says in its place whether it is idle."""

log = logging.getLogger("mcp_app.server")


class AcceptingSocket:
    """One listening socket, of which `serve` gets the connections. `tls` is asked for each: it may have changed."""

    def __init__(
        self,
        sock: socket.socket,
        serve: Serve,
        admission: Admission,
        tls: Callable[[], ssl.SSLContext] | None = None,
        handshake_seconds: float | None = None,
        shared: OpenConnections | None = None,
    ) -> None:
        """`shared`: with which other processes the socket is."""
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._serve = serve
        self._admission = admission
        self._shared = shared
        self._tls = tls
        self._handshake_seconds = handshake_seconds if tls is not None else None
        self._opening: set[asyncio.Task[None]] = set()
        self._unopened: dict[asyncio.Task[None], socket.socket] = {}
        """Of tasks that have not begun. From then on a transport closes the socket, and nobody else may: uvloop closes
        its number later, which would be another connection's by then."""
        self._retry: asyncio.TimerHandle | None = None
        self._next_line_at = 0.0
        sock.setblocking(False)
        if shared is not None:
            shared.write(len(admission))
        self._loop.add_reader(sock, self._accept)

    @property
    def is_opening(self) -> bool:
        """Whether a handshake is not over."""
        return bool(self._opening)

    def stop_accepting(self) -> None:
        """Accept no more; handshakes go on. Another process may accept at the same address. Idempotent."""
        if self._retry is not None:
            self._retry.cancel()
        if self._shared is not None:
            self._shared.leave()
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock)
            self._sock.close()

    def close(self) -> None:
        """Accept no more, and end the handshakes: their clients have asked for nothing yet."""
        self.stop_accepting()
        for task in self._opening:
            task.cancel()

    def _accept(self) -> None:
        if self._shared is not None and self._shared.is_ahead():
            self._loop.remove_reader(self._sock)
            self._retry = self._loop.call_later(LOOK_SECONDS, self._accept_after_others, LOOKS)
        else:
            self._accept_some()

    def _accept_after_others(self, looks: int) -> None:
        assert self._shared is not None  # noqa: S101 - there are others
        if looks > 0 and self._shared.is_ahead():
            self._retry = self._loop.call_later(LOOK_SECONDS, self._accept_after_others, looks - 1)
            return
        self._loop.add_reader(self._sock, self._accept)
        self._accept_some(for_others=looks == 0)

    def _accept_some(self, *, for_others: bool = False) -> None:
        for number in range(ACCEPTS_PER_TURN):
            if number and not for_others and self._shared is not None and self._shared.is_ahead():
                return
            try:
                connection, address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                self._pause(error)
                return
            connection.setblocking(False)
            self._open(connection, address[0] if isinstance(address, tuple) else LOCAL_PEER)

    def _pause(self, error: OSError) -> None:
        self._say("no connection can be accepted: %s; tried again every %g s", error.strerror, RETRY_SECONDS)
        self._loop.remove_reader(self._sock)
        self._retry = self._loop.call_later(RETRY_SECONDS, self._loop.add_reader, self._sock, self._accept)

    def _open(self, connection: socket.socket, host: str) -> None:
        place = ConnectionPlace(group(host), self._loop.time(), lambda: task.cancel())
        if not self._admission.enter(place):
            connection.close()
            self._say(
                "a connection of %s is refused: none of %d is idle; %d were refused so far, and %d idle ones closed",
                *(place.group, self._admission.rivals(place.group), self._admission.refused, self._admission.closed),
            )
            return
        if self._shared is not None:
            self._shared.write(len(self._admission))
        task = self._loop.create_task(self._serve_connection(connection, place))
        self._opening.add(task)
        self._unopened[task] = connection
        task.add_done_callback(partial(self._left, place))

    def _left(self, place: ConnectionPlace, task: asyncio.Task[None]) -> None:
        self._admission.leave(place)
        if self._shared is not None:
            self._shared.write(len(self._admission))
        self._opening.discard(task)
        if (unopened := self._unopened.pop(task, None)) is not None:
            unopened.close()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a connection could not be served", exc_info=error)

    async def _serve_connection(self, connection: socket.socket, place: ConnectionPlace) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it runs in its own task
        del self._unopened[task]
        reader = asyncio.StreamReader(loop=self._loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=self._loop)
        try:
            transport, _ = await self._loop.connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._tls() if self._tls is not None else None,
                ssl_handshake_timeout=self._handshake_seconds,
            )
        except OSError:  # ssl.SSLError and TimeoutError are such
            return
        self._opening.discard(task)
        await self._serve(reader, asyncio.StreamWriter(transport, protocol, reader, self._loop), place)

    def _say(self, message: str, *args: object) -> None:
        now = monotonic()
        if now >= self._next_line_at:
            self._next_line_at = now + LOG_SECONDS
            log.warning(message, *args)
