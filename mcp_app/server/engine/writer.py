"""A connection's writer: all writes of one loop iteration are sent together, and no wait for a peer is unbounded.

**One write per iteration.** As released, each piece is written separately: a small HTTP/2 response is three TLS
records, one over HTTP/1.1 three writes. Here a writer buffers what it is given until the iteration ends, or 64 KiB have
accumulated: one system call, one TLS record. Backpressure is unchanged: the transport is still checked after each
write, so that a full one suspends the caller as before. 0.70 x the CPU of an h2 echo, 0.85 of an h1 echo; ten events
0.77 and 0.70.

**Bounded waits.** As released, `drain()` and `wait_closed()` are unbounded: a client that stops reading keeps its task,
its descriptor and its buffers until it goes away, and one idle TLS client that does not answer close_notify delays the
exit of the process by 30 s (https://github.com/pgjones/hypercorn/issues/202,
https://github.com/pgjones/hypercorn/issues/264, https://github.com/pgjones/hypercorn/issues/170,
https://github.com/pgjones/hypercorn/pull/342, https://github.com/pgjones/hypercorn/issues/262). Here a write may stall
for 30 s and a close for 2 s; then the transport is aborted.

This module does not look at the bytes.
"""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
from collections.abc import Awaitable, Callable, Iterable

Data = bytes | bytearray | memoryview

BUFFER_BYTES = 64 * 1024
"""Above this, buffered bytes are passed to the transport at once. Equals the high-water mark of a transport, above
which it suspends its writer."""

CHECK_SECONDS = 2.0
"""Interval at which a blocked write is checked; also how long a peer may take to complete a close, or to read during
shutdown."""

STALL_SECONDS = 30.0
"""A blocked write without one byte taken for this long: the peer is gone or does not read. A phone that changes
networks is back within it."""

MAX_WRITE_SECONDS = 300.0
"""Limit on one write, however slowly the peer reads: at the 576 KiB a TLS transport buffers, 2 KiB/s."""


class ConnectionWriter(asyncio.StreamWriter):
    """A StreamWriter that sends its bytes together, in order, at the end of the loop iteration or before a close.

    `on_write_error` is called when a write fails after its caller has continued; `is_shutting_down` returns whether the
    server shuts down, when peers get the shortest wait.
    """

    def __init__(
        self,
        transport: asyncio.WriteTransport,
        reader: asyncio.StreamReader,
        loop: asyncio.AbstractEventLoop,
        on_write_error: Callable[[], None],
        is_shutting_down: Callable[[], bool],
    ) -> None:
        super().__init__(transport, transport.get_protocol(), reader, loop)
        self._call_soon = loop.call_soon
        self._on_write_error = on_write_error
        self._is_shutting_down = is_shutting_down
        self._buffer: list[bytes] = []
        self._buffered_bytes = 0
        self._is_scheduled = False

    def write(self, data: Data) -> None:
        """Buffer `data`. Raises the transport's error only when more than BUFFER_BYTES are buffered."""
        if not data:
            return
        self._buffer.append(bytes(data))
        self._buffered_bytes += len(data)
        if self._buffered_bytes > BUFFER_BYTES:
            self.flush()
        elif not self._is_scheduled:
            self._is_scheduled = True
            self._call_soon(self._flush_at_turn_end)

    def writelines(self, data: Iterable[Data]) -> None:
        """Like `write`."""
        self.write(b"".join(data))

    def write_eof(self) -> None:
        """Flush, then send EOF. Raises the transport's error."""
        self.flush()
        super().write_eof()

    def close(self) -> None:
        """Flush, then close. Does nothing the second time: a second close of an asyncio TLS transport makes it drop its
        protocol, after which it cannot be aborted."""
        if self.is_closing():
            return
        try:
            self.flush()
        except (OSError, RuntimeError):
            pass  # the connection is lost
        super().close()

    def abort(self) -> None:
        """Close the connection now, discarding unsent bytes."""
        self.transport.abort()

    def has_backlog(self) -> bool:
        """Whether bytes written in earlier iterations are still unsent."""
        return self.transport.get_write_buffer_size() > 0

    async def drain_or_abort(self) -> None:
        """Wait until the transport takes more. If the peer stalls, abort it and raise ConnectionAbortedError."""
        waited = stalled = 0.0
        while True:
            before = self._unsent_bytes()
            if await _done_within_check(self.drain()):
                return
            waited += CHECK_SECONDS
            stalled = 0.0 if self._unsent_bytes() != before else stalled + CHECK_SECONDS
            stall_limit = CHECK_SECONDS if self._is_shutting_down() else STALL_SECONDS
            if stalled >= stall_limit or waited >= MAX_WRITE_SECONDS:
                self.abort()
                raise ConnectionAbortedError("the peer does not read")

    async def close_or_abort(self) -> None:
        """Close the transport, wait until it is closed, and abort it if the peer stalls.

        Once everything is sent, only the peer's close_notify can be missing, which it sends at once or never; unsent
        bytes get as long as any write, unless the server shuts down.
        """
        self.close()
        stalled = 0.0
        while True:
            before = self._unsent_bytes()
            if await _done_within_check(self.wait_closed()):
                return
            after = self._unsent_bytes()
            stalled = 0.0 if after != before else stalled + CHECK_SECONDS
            stall_limit = CHECK_SECONDS if not after or self._is_shutting_down() else STALL_SECONDS
            if stalled >= stall_limit:
                self.abort()
                return

    def flush(self) -> None:
        """Pass what is buffered to the transport. Raises its error."""
        data = self._buffer[0] if len(self._buffer) == 1 else b"".join(self._buffer)
        self._buffer.clear()
        self._buffered_bytes = 0
        if data:
            super().write(data)

    def _flush_at_turn_end(self) -> None:
        """The writes' callers have continued: a lost connection is reported to `on_write_error` instead."""
        self._is_scheduled = False
        if not self._buffer:
            return
        try:
            self.flush()
        except (OSError, RuntimeError):
            self._on_write_error()
            return
        if self.is_closing():
            self._on_write_error()

    def _unsent_bytes(self) -> tuple[int, int] | None:
        """Bytes not taken by the peer: those in the transport, and in the kernel (including unacknowledged ones); None
        if none.

        If the peer reads, one of the two changes; while a TLS transport waits, only the kernel's does.
        """
        sock = self.get_extra_info("socket")
        if sock is None:
            return None  # the connection is lost
        try:
            kernel = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
        except (OSError, ValueError):
            kernel = 0  # closed, or not supported by the system: the transport's number must do
        buffered = self.transport.get_write_buffer_size()
        return (buffered, kernel) if buffered or kernel else None


async def _done_within_check(step: Awaitable[None]) -> bool:
    """Whether `step` completed within CHECK_SECONDS. Its own exceptions propagate, a network TimeoutError among
    them."""
    timeout = asyncio.timeout(CHECK_SECONDS)
    try:
        async with timeout:
            await step
    except TimeoutError:
        if not timeout.expired():
            raise
        return False
    return True
