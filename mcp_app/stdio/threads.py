"""Two daemon threads between the event loop and the client: one reads, one writes, and the loop never waits for either.

Threads, because standard input and output may be anything: a pipe, a terminal, a file, which no selector takes. Nobody
sets a descriptor non-blocking, as whoever shares it would be so as well. What the bytes say is not known here.
"""

from __future__ import annotations

import asyncio
import os
import select
import threading
from collections.abc import Callable
from queue import SimpleQueue

from ..aio.signal_mask import stops_for_main_thread_only

READ_BYTES = 64 * 1024
"""Of one read: what a pipe holds."""

MAX_UNWRITTEN = 256 * 1024
"""Bytes that wait for a client that does not read, before whoever sends waits: four pipes full."""

_WRITE_BYTES = 16 * 1024
"""At once. A write returns when all of it is taken: by this is seen whether somebody reads."""

_LOOK_SECONDS = 0.1

_END_SECONDS = 1.0
"""Between two looks whether there is an end behind input that nobody takes."""


class InputThread:
    """Reads a descriptor to its end, one piece ahead of whoever takes the pieces. `at_end` is called by the thread: the
    loop may be held by a tool, and never hear of the end."""

    def __init__(self, descriptor: int, at_end: Callable[[], object]) -> None:
        self._descriptor = descriptor
        self._at_end = at_end
        self._loop = asyncio.get_running_loop()
        self.ended = asyncio.Event()
        """Set when nothing will be written any more, even if there is still something to read."""
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self._wanted = threading.Semaphore(1)
        _start(self._work, "stdin")

    async def read(self) -> bytes:
        """The next piece; nothing at the end."""
        piece = await self._pieces.get()
        self._wanted.release()
        return piece

    def _work(self) -> None:
        piece = b"?"
        while piece:
            while not self._wanted.acquire(timeout=_END_SECONDS):
                if _is_hung_up(self._descriptor) and not _call(self._loop, self.ended.set):
                    return
            piece = _read(self._descriptor)
            if not _call(self._loop, self._pieces.put_nowait, piece):
                return
        _call(self._loop, self.ended.set)
        self._at_end()


class OutputThread:
    """Writes messages to a descriptor in the order in which they are sent. `on_failure` is called once, on the loop,
    with the reason why nothing more can be written: the client has left, or the disk is full."""

    def __init__(self, descriptor: int, on_failure: Callable[[OSError], object]) -> None:
        self._descriptor = descriptor
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[bytes] = SimpleQueue()
        self._sent = 0
        self._written = 0  # changed by the thread alone
        self._waiting = False
        self._room = asyncio.Event()
        self._failed = False
        _start(self._work, "stdout")

    async def send(self, message: bytes) -> None:
        """Write a message and a line feed, soon. Waits while the client has too much to read. What is sent after a
        failure is dropped."""
        await self.room()
        if not self._failed:
            line = message + b"\n"
            self._sent += len(line)
            self._queue.put(line)

    async def room(self) -> None:
        """Wait until a message can be sent at once."""
        await self._wait_until_unwritten(MAX_UNWRITTEN)

    async def flush(self, seconds: float) -> bool:
        """Wait until all is written, `seconds` at most. Returns whether it is."""
        try:
            async with asyncio.timeout(seconds):
                await self._wait_until_unwritten(1)
        except TimeoutError:
            return False
        return not self._failed

    async def stalled(self, seconds: float) -> None:
        """Wait until there has been no room, and nothing written, for `seconds`."""
        before = -1
        while self._failed or self._sent - self._written < MAX_UNWRITTEN or self._written != before:
            before = self._written
            await asyncio.sleep(seconds)

    async def _wait_until_unwritten(self, fewer: int) -> None:
        """Wait until fewer bytes than that are unwritten."""
        while not self._failed and self._sent - self._written >= fewer:
            self._room.clear()
            self._waiting = True  # before the second look: the thread writes first, and then asks who waits
            if self._sent - self._written < fewer:
                return
            await self._room.wait()

    def _work(self) -> None:
        while True:
            lines = [self._queue.get()]
            while not self._queue.empty():
                lines.append(self._queue.get())
            try:
                self._write(b"".join(lines))
            except OSError as error:
                _call(self._loop, self._fail, error)
                return

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                count = os.write(self._descriptor, rest[:_WRITE_BYTES])
            except BlockingIOError:  # somebody who shares the descriptor has made it non-blocking
                select.select([], [self._descriptor], [], _LOOK_SECONDS)
                continue
            rest = rest[count:]
            self._written += count
            if self._waiting:
                self._waiting = False
                _call(self._loop, self._room.set)

    def _fail(self, error: OSError) -> None:
        self._failed = True
        self._room.set()
        self._on_failure(error)


def _start(work: Callable[[], None], name: str) -> None:
    # A daemon: a client that neither writes nor reads must not keep the process.
    with stops_for_main_thread_only():
        threading.Thread(target=work, name=name, daemon=True).start()


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *arguments: object) -> bool:
    """Call it on the loop, soon. False if that is closed: the process is exiting."""
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:
        return False
    return True


def _is_hung_up(descriptor: int) -> bool:
    """Whether all who could write to it have closed their end. Of a socket not every system tells."""
    closed = select.POLLHUP | getattr(select, "POLLRDHUP", 0)
    poll = select.poll()
    poll.register(descriptor, closed)
    return any(events & closed for _, events in poll.poll(0))


def _read(descriptor: int) -> bytes:
    """The next bytes; nothing at the end, which an error is as well: a terminal that is gone has no other."""
    while True:
        try:
            return os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            select.select([descriptor], [], [], _LOOK_SECONDS)
        except OSError:
            return b""
