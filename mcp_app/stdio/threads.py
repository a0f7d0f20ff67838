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

_LOOK_SECONDS = 0.1


class InputThread:
    """Reads a descriptor to its end, one piece ahead of whoever takes the pieces. `at_end` is called by the thread: the
    loop may be held by a tool, and never hear of the end."""

    def __init__(self, descriptor: int, at_end: Callable[[], object]) -> None:
        self._descriptor = descriptor
        self._at_end = at_end
        self._loop = asyncio.get_running_loop()
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
            self._wanted.acquire()
            piece = _read(self._descriptor)
            try:
                self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)
            except RuntimeError:
                return  # the loop is closed: the process is exiting
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
                self._call(self._fail, error)
                return

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                count = os.write(self._descriptor, rest)
            except BlockingIOError:  # somebody who shares the descriptor has made it non-blocking
                select.select([], [self._descriptor], [], _LOOK_SECONDS)
                continue
            rest = rest[count:]
            self._written += count
            if self._waiting:
                self._waiting = False
                self._call(self._room.set)

    def _call(self, function: Callable[..., object], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            pass  # the loop is closed: the process is exiting

    def _fail(self, error: OSError) -> None:
        self._failed = True
        self._room.set()
        self._on_failure(error)


def _start(work: Callable[[], None], name: str) -> None:
    # A daemon: a client that neither writes nor reads must not keep the process.
    with stops_for_main_thread_only():
        threading.Thread(target=work, name=name, daemon=True).start()


def _read(descriptor: int) -> bytes:
    """The next bytes; nothing at the end, which an error is as well: a terminal that is gone has no other."""
    while True:
        try:
            return os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            select.select([descriptor], [], [], _LOOK_SECONDS)
        except OSError:
            return b""
