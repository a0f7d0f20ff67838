"""Child processes of a tool do not keep the server's sockets: what one leaves behind would keep the port, and clients
would not see the end of their connections.

A program that is executed inherits no listening socket (PEP 446; Hypercorn makes them inheritable, and not every way to
start one closes the rest). A forked child has everything, and puts /dev/null in the place of each socket: its number
stays taken, so that whoever closes it later, asyncio or uvloop, closes nothing else. It ends by the signals that order
the server to stop, as any process: the loop's handlers would pass them on to the server.
"""

from __future__ import annotations

import functools
import os
import signal
import socket
import threading
import weakref
from asyncio import StreamWriter
from collections.abc import Iterable
from typing import Any

_listening: weakref.WeakSet[socket.socket] = weakref.WeakSet()
_connections: weakref.WeakSet[StreamWriter] = weakref.WeakSet()

_SIGNALS: dict[int, Any] = {
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
    signal.SIGHUP: signal.SIG_DFL,
}
"""What a child does by those that order the server to stop. They wait while it is made: its parent may send one at
once."""
_held = threading.local()


def keep_listening(sockets: Iterable[socket.socket]) -> None:
    """Keep these listening sockets to this process."""
    _register()
    for sock in sockets:
        sock.set_inheritable(False)
        _listening.add(sock)


def keep_connection(writer: StreamWriter) -> None:
    """Keep this connection to this process, until it is closed."""
    _connections.add(writer)


@functools.cache
def _register() -> None:
    os.register_at_fork(before=_hold_signals, after_in_parent=_let_signals, after_in_child=_give_up)


def _hold_signals() -> None:
    _held.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _let_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _held.mask)


def _give_up() -> None:
    signal.set_wakeup_fd(-1)  # from 3.12 on asyncio does the same
    for number, default in _SIGNALS.items():
        if callable(signal.getsignal(number)):
            signal.signal(number, default)
    _let_signals()
    numbers = [sock.fileno() for sock in _listening]
    # One that is closing may have given its number to another file already.
    numbers += [writer.get_extra_info("socket").fileno() for writer in _connections if not writer.is_closing()]
    null = os.open(os.devnull, os.O_RDWR)
    for number in numbers:
        if number >= 0:
            os.dup2(null, number, inheritable=False)
    os.close(null)
