"""A connection's writer: what one turn of the loop writes goes out at once, and no peer is waited for without bound.

**One write a turn.** Released, every piece is written alone: a small HTTP/2 answer is three records, one over HTTP/1.1
three writes. Here a writer collects what it is given until the turn is over, or 64 KiB are there: one system call, one
TLS record. What waits for a slow peer still looks at the transport after each write, so that a full one makes its
writer wait as before. 0.70 x the CPU of an h2 echo, 0.85 of an h1 echo; ten events 0.77 and 0.70.

**A bound on waiting.** Released, `drain()` and `wait_closed()` are unbounded: a client that stopped reading keeps its
task, its descriptor and its buffers until it goes away, and one idle TLS client that does not answer close_notify
delays the exit of the process by 30 s (https://github.com/pgjones/hypercorn/issues/202,
https://github.com/pgjones/hypercorn/issues/264, https://github.com/pgjones/hypercorn/issues/170,
https://github.com/pgjones/hypercorn/pull/342, https://github.com/pgjones/hypercorn/issues/262). Here a write may stand
still for 30 s and a close for 2 s; then the transport is aborted.

Bytes are not looked at here.
"""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
from collections.abc import Awaitable, Callable, Iterable

Data = bytes | bytearray | memoryview

COLLECTED_BYTES = 64 * 1024
"""More is given to the transport at once. As much as a transport by itself holds back before its writer must wait."""

SLICE_SECONDS = 2.0
"""How often a blocked write is looked at; also how long a peer may take to answer a close, or to read at shutdown."""

STALL_SECONDS = 30.0
"""A blocked write without one byte taken for this long: the peer is gone or does not want it. A phone that changes
from one network to another is back within it."""

LONGEST_SECONDS = 300.0
"""One write in all, however slowly its bytes are taken: at the 576 KiB a TLS transport holds back, 2 KiB/s."""


class Writer(asyncio.StreamWriter):
    """A stream's writer whose bytes go out together, in their order, at the end of the turn or before a close.

    `on_lost` is called when a write fails whose writer does not wait any more; `is_stopping` says whether the server
    stops, which is when peers are waited for least.
    """

    def __init__(
        self,
        transport: asyncio.WriteTransport,
        reader: asyncio.StreamReader,
        loop: asyncio.AbstractEventLoop,
        on_lost: Callable[[], None],
        is_stopping: Callable[[], bool],
    ) -> None:
        super().__init__(transport, transport.get_protocol(), reader, loop)
        self._call_soon = loop.call_soon
        self._on_lost = on_lost
        self._is_stopping = is_stopping
        self._collected: list[bytes] = []
        self._size = 0
        self._is_scheduled = False

    def write(self, data: Data) -> None:
        """Take `data`. What the transport raises, it raises here only when more than COLLECTED_BYTES are there."""
        if not data:
            return
        self._collected.append(bytes(data))
        self._size += len(data)
        if self._size > COLLECTED_BYTES:
            self._flush()
        elif not self._is_scheduled:
            self._is_scheduled = True
            self._call_soon(self._end_turn)

    def writelines(self, data: Iterable[Data]) -> None:
        """As `write`."""
        self.write(b"".join(data))

    def write_eof(self) -> None:
        """As ever, behind what was written. Raises what the transport raises."""
        self._flush()
        super().write_eof()

    def close(self) -> None:
        """As ever, behind what was written; and once: a second close of an asyncio TLS transport makes it forget its
        protocol, and then nothing can abort it."""
        if self.is_closing():
            return
        try:
            self._flush()
        except (OSError, RuntimeError):
            pass  # the connection is lost: nobody is left to be written to
        super().close()

    def abort(self) -> None:
        """End the connection now, with what was not sent."""
        self.transport.abort()

    def is_behind(self) -> bool:
        """Whether the peer has yet to take some of what was written before this turn."""
        return self.transport.get_write_buffer_size() > 0

    async def drain_or_abort(self) -> None:
        """Wait until the transport takes more. Aborts it and raises ConnectionAbortedError when its peer stands
        still."""
        waited = still = 0.0
        while True:
            before = self._unsent()
            if await _in_a_slice(self.drain()):
                return
            waited += SLICE_SECONDS
            still = 0.0 if self._unsent() != before else still + SLICE_SECONDS
            patience = SLICE_SECONDS if self._is_stopping() else STALL_SECONDS
            if still >= patience or waited >= LONGEST_SECONDS:
                self.abort()
                raise ConnectionAbortedError("the peer does not read")

    async def close_or_abort(self) -> None:
        """Close the transport, wait for its end, and abort it when its peer stands still.

        With everything sent, only an answer to close_notify can be missing, which a peer gives at once or never; bytes
        the peer still has to take get as long as any write, unless the process is asked to stop.
        """
        self.close()
        still = 0.0
        while True:
            before = self._unsent()
            if await _in_a_slice(self.wait_closed()):
                return
            after = self._unsent()
            still = 0.0 if after != before else still + SLICE_SECONDS
            patience = SLICE_SECONDS if not after or self._is_stopping() else STALL_SECONDS
            if still >= patience:
                self.abort()
                return

    def _flush(self) -> None:
        data = self._collected[0] if len(self._collected) == 1 else b"".join(self._collected)
        self._collected.clear()
        self._size = 0
        if data:
            super().write(data)

    def _end_turn(self) -> None:
        """Whoever wrote does not wait any more: that the connection is lost is told to `on_lost` instead."""
        self._is_scheduled = False
        if not self._collected:
            return
        try:
            self._flush()
        except (OSError, RuntimeError):
            self._on_lost()
            return
        if self.is_closing():
            self._on_lost()

    def _unsent(self) -> tuple[int, int] | None:
        """What the peer has not taken: bytes in the transport, and in the kernel (unacknowledged included); None if
        none.

        A peer that reads makes one of them change; only the kernel's number shows it while a TLS transport waits.
        """
        sock = self.get_extra_info("socket")
        if sock is None:
            return None  # the connection is lost
        try:
            kernel = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
        except (OSError, ValueError):
            kernel = 0  # closed, or a system that cannot tell: the transport's own number has to do
        buffered = self.transport.get_write_buffer_size()
        return (buffered, kernel) if buffered or kernel else None


async def _in_a_slice(step: Awaitable[None]) -> bool:
    """Whether `step` was done within a slice. Its own errors are passed on, a timeout of the network among them."""
    slice_ = asyncio.timeout(SLICE_SECONDS)
    try:
        async with slice_:
            await step
    except TimeoutError:
        if not slice_.expired():
            raise
        return False
    return True
