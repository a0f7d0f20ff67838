"""Lines on their way to a file descriptor: a bounded queue, and one thread that writes. Nobody else waits for it.

Whoever reads the log may stop reading (a parent with a pipe), leave (EPIPE), or have no room (ENOSPC). That costs
lines, which are counted, and never a request. What a line says is not known here.
"""

from __future__ import annotations

import atexit
import errno
import logging
import os
import queue
import select
import stat
import sys
import threading
import time
import weakref
from collections.abc import Iterable, Iterator

from mcp_app.aio.signal_mask import stops_for_main_thread_only

from .lines import LogFormat

MAX_LINES = 2048
"""Lines that wait to be written: a second of requests and more. At 100 to 200 bytes each they are some 300 KiB; with a
traceback in each, 64 MiB."""

GATHER_SECONDS = 0.1
"""The thread wakes up this long after a line, and writes all that have come by then: 10 writes a second at most, in
place of one and two switches of threads for each request. A person sees no delay."""

FLUSH_SECONDS = 1.0
"""How long a process that ends waits for its last lines. One whose log is not read would wait for ever."""

_outputs: weakref.WeakSet[Output] = weakref.WeakSet()


class Output:
    """A file descriptor to which lines are written in their order, or are dropped: `write` never waits, nor raises."""

    def __init__(self, descriptor: int | None) -> None:
        """None is no descriptor: every line is dropped."""
        self._descriptor = descriptor
        self.lost = 0
        """Lines that were dropped, or could not be written, and are not yet reported by a line."""
        self._restart()
        _outputs.add(self)

    def write(self, line: str) -> None:
        """Write `line` and a line feed, soon. Can be called by any thread, and by a signal handler."""
        if self._descriptor is None:
            return
        if self._queue.qsize() >= MAX_LINES:
            self.lost += 1
            return
        self._queue.put(line)
        if self._thread is None:
            self._start()

    def flush(self, seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until what was written before is with the descriptor, `seconds` at most; whether it is."""
        if self._thread is None or not self._thread.is_alive():
            return True
        done = threading.Event()
        self._queue.put(done)
        return done.wait(seconds)

    def move_to(self, descriptor: int) -> None:
        """Write to another file from now on, under the number of the one before. `descriptor` is closed."""
        if self._descriptor is not None:
            os.dup2(descriptor, self._descriptor, inheritable=False)
        os.close(descriptor)

    def _restart(self) -> None:
        self._queue: queue.SimpleQueue[str | threading.Event] = queue.SimpleQueue()  # its put is reentrant
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def _start(self) -> None:
        # A daemon: a blocked write must not keep the process. It writes by the descriptor, as the lock of a buffered
        # file that a daemon thread holds at the interpreter's end is a fatal error.
        if not self._starting.acquire(blocking=False):
            return  # another thread starts it: this line is in the queue
        try:
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="log", daemon=True)
                with stops_for_main_thread_only():
                    thread.start()
                self._thread = thread
        except RuntimeError:
            pass  # no thread can be started now: the next line tries again
        finally:
            self._starting.release()

    def _work(self) -> None:
        while True:
            items = [self._queue.get()]
            if not isinstance(items[0], threading.Event):
                time.sleep(GATHER_SECONDS)
            while not self._queue.empty():
                items.append(self._queue.get())
            self._write([each for each in items if isinstance(each, str)])
            for each in items:
                if isinstance(each, threading.Event):
                    each.set()

    def _write(self, lines: list[str]) -> None:
        if not lines:
            return
        lost = self.lost
        if lost:
            lines.append(f"mcp-app: {lost} lines of the log before this one are lost: they could not be written")
        written = 0
        try:
            for piece, count in _pieces([f"{line}\n".encode("utf-8", "backslashreplace") for line in lines]):
                self._write_bytes(piece)
                written += count
            self.lost -= lost
        except OSError:
            self.lost += len(lines) - (lost > 0) - written

    def _write_bytes(self, data: bytes) -> None:
        assert self._descriptor is not None  # noqa: S101 - nothing is queued without one
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # somebody who shares the descriptor has made it non-blocking
                select.select([], [self._descriptor], [])


def _pieces(lines: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Whole lines together, up to PIPE_BUF, and how many: so much a pipe takes in one piece (POSIX, write()), whoever
    else writes to it, as other workers of the same server do. A longer line is a piece of its own."""
    piece, count = b"", 0
    for line in lines:
        if piece and len(piece) + len(line) > select.PIPE_BUF:
            yield piece, count
            piece, count = b"", 0
        piece, count = piece + line, count + 1
    yield piece, count


class ToOutput(logging.Handler):
    """Writes log records to an Output. It prints nothing else: logging's own way with an error prints the arguments of
    the record, whatever is in them."""

    def __init__(self, output: Output, lines: LogFormat) -> None:
        super().__init__()
        self.output = output
        self.lines = lines
        self.setFormatter(lines)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record. Never raises."""
        try:
            self.output.write(self.format(record))
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Name the place whose line could not be formatted."""
        self.output.write(f"mcp-app: a line of the log could not be formatted: {record.filename}:{record.lineno}")


def standard_output() -> Output:
    """Descriptor 1; nothing, if the process has been started without one: a socket may have its number."""
    return _standard(1, sys.__stdout__ is None)


def standard_error() -> Output:
    """Descriptor 2, likewise."""
    return _standard(2, sys.__stderr__ is None)


_shared: dict[int | str, Output] = {}


def _standard(number: int, is_closed: bool) -> Output:
    if number not in _shared:
        _shared[number] = Output(None if is_closed else number)
    return _shared[number]


def file(path: str) -> Output:
    """A file to append to, made if it is missing. Raises OSError."""
    real = os.path.realpath(path)
    if real not in _shared:
        _shared[real] = Output(_opened(real))
    return _shared[real]


def _opened(path: str) -> int:
    """A named pipe that nobody reads is an error: to open it otherwise is to wait for its reader."""
    try:
        opened = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
    except OSError as error:
        if error.errno == errno.ENXIO and stat.S_ISFIFO(os.stat(path).st_mode):
            error.strerror = "nobody reads this named pipe"
        raise
    os.set_blocking(opened, True)
    return opened


def reopen_files() -> None:
    """Open each file of the log again by its path: logrotate has moved the one that is open. Raises OSError for the
    first that cannot be opened; it and those behind it are written to as before."""
    for path, output in _shared.items():
        if isinstance(path, str):
            output.move_to(_opened(path))


def flush_all(seconds: float = FLUSH_SECONDS) -> None:
    """Before the process ends: wait for the last lines, `seconds` at most for each output."""
    for output in list(_outputs):
        output.flush(seconds)


def _restart_all() -> None:
    """In a forked process: the thread has stayed behind, and the queue's lines are the parent's."""
    for output in list(_outputs):
        output._restart()


atexit.register(flush_all)
os.register_at_fork(after_in_child=_restart_all)
