"""The control socket, by which a worker says that it is ready, and its supervisor that it is replaced, or has to stop.

To close it is the order to stop: so is the supervisor's death. A service manager that signals every process (systemd's
KillMode=control-group) gives a worker SIGTERM beside it, which two signals would make an order to end at once.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable

from mcp_app.aio.signal_mask import stops_for_main_thread_only

REPLACED = b"x"
"""To the worker: another one accepts in its place."""

MAX_READY_BYTES = 64
"""Of the one line that a worker sends: how many seconds it takes at most to finish what it has begun."""


class ControlSocket:
    """The worker's end."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        self._socket = socket.socket(fileno=descriptor)

    def listen(self, on_replaced: Callable[[], object], on_stop: Callable[[], object]) -> None:
        """Call these, in a thread, when the supervisor says so; `on_stop` also when it is gone."""
        with stops_for_main_thread_only():
            threading.Thread(target=self._listen, args=(on_replaced, on_stop), daemon=True, name="supervisor").start()

    def ready(self, seconds: float) -> None:
        """This worker accepts connections; `seconds` is what it takes at most to finish them when it is replaced."""
        try:
            self._socket.sendall(f"{seconds:.1f}\n".encode())
        except OSError:
            pass  # the supervisor is gone, which the thread hears

    def _listen(self, on_replaced: Callable[[], object], on_stop: Callable[[], object]) -> None:
        while self._received():
            on_replaced()
        on_stop()

    def _received(self) -> bytes:
        try:
            return self._socket.recv(1)
        except OSError:
            return b""
