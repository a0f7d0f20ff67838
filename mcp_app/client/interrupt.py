"""Ctrl-C: the first requests the end of the call, the second exits immediately. How a call ends is not known here.

The handlers are set by `signal.signal`, not by the event loop: the loop's handlers run only while the loop does, and it
is blocked while a write to a full pipe blocks. A `signal` handler runs even then (by PEP 475, before the write is
retried).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# SIGTERM and SIGHUP (the terminal was closed) end a call as Ctrl-C does: the run must not continue without a reader.
# Windows has no SIGHUP.
_SIGNALS = tuple(signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__)


class Interrupt:
    """The state of the handlers. `signal_number` is that of the first signal, None before it."""

    def __init__(self, restore: bytes) -> None:
        self.signal_number: int | None = None
        self.on_first: Callable[[], None] | None = None
        """Called once, inside the signal handler: it may only schedule work."""
        self._restore = restore

    @property
    def status(self) -> int:
        """The exit status that shells report for a process ended by the signal."""
        return 128 + (self.signal_number or signal.SIGINT)

    def receive(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        if self.signal_number is not None:
            if self._restore:
                os.write(1, self._restore)
            # Not sys.exit, whose cleanup would wait for the call. The kernel closes the connection, which ends the run
            # on the server.
            os._exit(128 + number)
        self.signal_number = number
        if self.on_first is not None:
            self.on_first()


@contextmanager
def interrupt_handled(restore: bytes) -> Iterator[Interrupt]:
    """Handle the signals within the block and restore the previous handlers after it. Main thread only."""
    interrupt = Interrupt(restore)
    # A signal that is ignored stays ignored: SIGHUP under nohup, SIGINT in a shell's background job.
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, interrupt.receive)
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
