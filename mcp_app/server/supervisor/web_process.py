"""One process that serves, as its supervisor sees it: started, ready, told, ended. When, is decided in `supervisor`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence

from .control import MAX_READY_BYTES, REPLACED

OF_THE_MANAGER = frozenset(
    {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}
)
"""Variables by which a service manager speaks with the process that it started, which is the supervisor."""

Command = Callable[[int], Sequence[str]]
"""The command line of a worker, by the descriptor of its control socket."""


class WebProcess:
    """A new interpreter, not a fork: it imports the tools as they are now.

    It is in a process group of its own: Ctrl-C reaches the supervisor alone, which says it once.
    """

    def __init__(self, number: int, command: Command, passed: Sequence[int], on_said: Callable[[], object]) -> None:
        """On a running loop, on which `on_said` is called whenever it has said something. `passed` are the descriptors
        of its addresses. Raises OSError if the system has no process to give."""
        self._loop = asyncio.get_running_loop()
        self.number = number
        self.started_at = self._loop.time()
        self.is_ready = False
        """Whether it has said so."""
        self.hand_over_seconds = 0.0
        """How long it takes at most to finish what it has begun."""
        self._said = b""
        self._on_said = on_said
        self._control, theirs = socket.socketpair()
        with theirs, contextlib.ExitStack() as undone:
            undone.callback(self._control.close)
            self._popen = subprocess.Popen(  # noqa: S603 - this program, with its own arguments
                command(theirs.fileno()),
                stdin=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if name not in OF_THE_MANAGER},
                pass_fds=(theirs.fileno(), *passed),
                process_group=0,
            )
            undone.pop_all()
        self._control.setblocking(False)
        self._loop.add_reader(self._control, self._hear)
        self.pid = self._popen.pid

    def __str__(self) -> str:
        return f"worker {self.number} (pid {self.pid})"

    def replace(self) -> None:
        """Have it finish what it has begun, and end: another one accepts in its place."""
        with contextlib.suppress(OSError):
            self._control.send(REPLACED)

    def stop(self) -> None:
        """Have it end its streams, and end. Idempotent. One that is not ready may not be listening yet."""
        if self._close() and not self.is_ready:
            self.signal(signal.SIGTERM)

    def signal(self, number: int) -> None:
        """Send it a signal; none if it has ended."""
        self._popen.send_signal(number)

    def poll(self) -> int | None:
        """Its exit status, once it has ended; a signal's is negative."""
        status = self._popen.poll()
        if status is not None:
            self._close()
        return status

    def _hear(self) -> None:
        try:
            said = self._control.recv(MAX_READY_BYTES)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:
            self._loop.remove_reader(self._control)  # it is ending, which SIGCHLD tells
            return
        self._said += said
        if self._said.endswith(b"\n"):
            self.is_ready, self.hand_over_seconds, self._said = True, float(self._said), b""
            self._on_said()

    def _close(self) -> bool:
        """Close the control socket. Returns whether it was open."""
        if self._control.fileno() < 0:
            return False
        self._loop.remove_reader(self._control)
        self._control.close()
        return True


def how(status: int) -> str:
    """How a process ended, for the log."""
    if status >= 0:
        return f"ended with exit status {status}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-status).name}"
    return f"was ended by signal {-status}"


def is_orderly(status: int, *, was_ready: bool) -> bool:
    """Whether it ended as one does that was told to stop: one that was still starting has handled no signal yet."""
    return status == os.EX_OK or (not was_ready and status in (-signal.SIGTERM, 128 + signal.SIGINT))
