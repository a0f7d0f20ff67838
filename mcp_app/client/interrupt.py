"""Ctrl-C: the first asks for the end of the call, the second leaves at once. What the end means is the caller's.

Handlers of the `signal` module and not of the loop: those run only when the loop does, and the loop stands still while
a write to a full pipe blocks. A handler of `signal` runs even then (PEP 475 calls it before it repeats the write).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# SIGTERM and SIGHUP (the terminal was closed) end a call as Ctrl-C does: the run must not go on without its reader.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupt:
    """What the handlers share. `signal_number` is that of the first signal, None before it."""

    def __init__(self, restore: bytes) -> None:
        self.signal_number: int | None = None
        self.on_first: Callable[[], None] | None = None
        """Called within the handler, once: it may only schedule."""
        self._restore = restore

    @property
    def status(self) -> int:
        """The exit status that shells give to a process ended by the signal."""
        return 128 + (self.signal_number or signal.SIGINT)

    def receive(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        if self.signal_number is not None:
            if self._restore:
                os.write(1, self._restore)
            # Not sys.exit: that would wait for the very things the user does not want to wait for. The kernel closes
            # the connection, which ends the run on the server.
            os._exit(128 + number)
        self.signal_number = number
        if self.on_first is not None:
            self.on_first()


@contextmanager
def interrupt_handled(restore: bytes) -> Iterator[Interrupt]:
    """Handles the signals within the block, and gives them back after it. Main thread only."""
    interrupt = Interrupt(restore)
    # A signal that is ignored (nohup ignores SIGHUP, a shell's background job SIGINT) stays ignored.
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, interrupt.receive)
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
