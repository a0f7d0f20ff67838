"""A peer that does not read, or does not answer a TLS close_notify, cannot pin a connection.

Upstream, `drain()` and `wait_closed()` are unbounded: a client that stopped reading keeps its task, its descriptor and
its buffers until it goes away, and one idle TLS client delays the exit of the process by 30 s. Here a write may stand
still for 30 s and a close for 2 s; then the transport is aborted, and the application sees a client that left.
"""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
from collections.abc import Awaitable, Callable

from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Closed, Event, RawData

from mcp_app.server.fixes.replacing import Fix, Replacement

SLICE_SECONDS = 2.0
"""How often a blocked write is looked at; also how long a peer may take to answer a close, or to read at shutdown."""

STALL_SECONDS = 30.0
"""A blocked write without one byte taken for this long: the peer is gone or does not want it. A phone that changes
from one network to another is back within it."""

LONGEST_SECONDS = 300.0
"""One write in all, however slowly its bytes are taken: at the 576 KiB a TLS transport holds back, 2 KiB/s."""

ProtocolSend = Callable[[TCPServer, Event], Awaitable[None]]
Step = Callable[[TCPServer], Awaitable[None]]


def bound_writes(old: ProtocolSend) -> ProtocolSend:
    """As upstream for what is neither bytes nor the end; for bytes, `drain` with its bounds.

    Bytes are written before the lock is waited for: they keep the order in which they came, and whoever wrote them
    waits all the same. While the transport has room nobody does.
    """

    async def protocol_send(self: TCPServer, event: Event) -> None:
        if isinstance(event, Closed):
            await _closed(self)
            return
        if not isinstance(event, RawData):
            await old(self, event)
            return
        try:
            self.writer.write(event.data)
            if self.writer.transport.get_write_buffer_size() == 0:
                await self.writer.drain()  # does not wait, but raises what the transport has to say
            else:
                async with self.send_lock:
                    await _drain(self)
        except (OSError, RuntimeError):
            await self.protocol.handle(Closed())

    return protocol_send


def bound_close(old: Step) -> Step:
    """As upstream, but the wait for the end is bounded, and no error of a connection that ends anyway escapes."""

    async def _close(self: TCPServer) -> None:
        try:
            self.writer.write_eof()
        except (NotImplementedError, OSError, RuntimeError):
            pass  # TLS cannot be closed by half; or the connection is lost already
        try:
            _begin_close(self)
            await _wait_closed(self)
        except (OSError, RuntimeError, asyncio.CancelledError):
            # Cancelled at the end of the graceful time: upstream ends here as well, but leaves the transport open.
            self.writer.transport.abort()
        finally:
            await self.idle_task.stop()

    return _close


def bound_idle_close(old: Step) -> Step:
    """An idle connection is closed, and aborted when the peer does not answer: nothing is left to be sent on it."""

    async def _initiate_server_close(self: TCPServer) -> None:
        await self.protocol.handle(Closed())
        _begin_close(self)
        self.loop.call_later(SLICE_SECONDS, self.writer.transport.abort)

    return _initiate_server_close


async def _closed(server: TCPServer) -> None:
    """Wait for the close, in a task of the connection's: it is often the application's that asks for it, behind its
    last byte, and an application that is cancelled then must not take away what its client has yet to read."""
    closing = server._close()
    try:
        task = server._task_group._task_group.create_task(closing)
    except RuntimeError:
        await closing  # the connection is being ended already, and takes no more tasks
    else:
        await asyncio.shield(task)


def _begin_close(server: TCPServer) -> None:
    """Once: a second close of an asyncio TLS transport makes it forget its protocol, and then nothing can abort it."""
    if not server.writer.is_closing():
        server.writer.close()


async def _drain(server: TCPServer) -> None:
    """Wait until the transport takes more. Aborts it and raises ConnectionAbortedError when its peer stands still."""
    waited = still = 0.0
    while True:
        before = _unsent(server)
        if await _in_a_slice(server.writer.drain()):
            return
        waited += SLICE_SECONDS
        still = 0.0 if _unsent(server) != before else still + SLICE_SECONDS
        patience = SLICE_SECONDS if server.context.terminated.is_set() else STALL_SECONDS
        if still >= patience or waited >= LONGEST_SECONDS:
            server.writer.transport.abort()
            raise ConnectionAbortedError("the peer does not read")


async def _wait_closed(server: TCPServer) -> None:
    """Wait for the end of a transport being closed, and abort it when the peer stands still.

    With everything sent, only an answer to close_notify can be missing, which a peer gives at once or never; bytes the
    peer still has to take get as long as any write, unless the process is asked to stop.
    """
    still = 0.0
    while True:
        before = _unsent(server)
        if await _in_a_slice(server.writer.wait_closed()):
            return
        after = _unsent(server)
        still = 0.0 if after != before else still + SLICE_SECONDS
        patience = SLICE_SECONDS if not after or server.context.terminated.is_set() else STALL_SECONDS
        if still >= patience:
            server.writer.transport.abort()
            return


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


def _unsent(server: TCPServer) -> tuple[int, int] | None:
    """What the peer has not taken: bytes in the transport, and in the kernel (unacknowledged included); None if none.

    A peer that reads makes one of them change; only the kernel's number shows it while a TLS transport waits.
    """
    sock = server.writer.get_extra_info("socket")
    if sock is None:
        return None  # the connection is lost
    try:
        kernel = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
    except (OSError, ValueError):
        kernel = 0  # closed, or a system that cannot tell: the transport's own number has to do
    buffered = server.writer.transport.get_write_buffer_size()
    return (buffered, kernel) if buffered or kernel else None


FIX = Fix(
    name="stalled_peer",
    defect="a client that does not read, or does not answer close_notify, keeps its connection and delays the exit",
    upstream=(
        "https://github.com/pgjones/hypercorn/issues/202",
        "https://github.com/pgjones/hypercorn/issues/264",
        "https://github.com/pgjones/hypercorn/issues/170",
        "https://github.com/pgjones/hypercorn/pull/342",
        "https://github.com/pgjones/hypercorn/issues/262",
    ),
    replacements=(
        Replacement(
            TCPServer, "protocol_send", "06144915fc094c1b4e1dc99197a0f0fd3725f642f613a2d96acb5a1458e80031", bound_writes
        ),
        Replacement(
            TCPServer, "_close", "ea76225e14315206ac7246ce362f218536907b9587a54a0d9391bd602880443c", bound_close
        ),
        Replacement(
            TCPServer,
            "_initiate_server_close",
            "b133876f0613af9398d8fdf976e860ac3f72c2d4775b468f5b1a5b99c48305c2",
            bound_idle_close,
        ),
    ),
)
