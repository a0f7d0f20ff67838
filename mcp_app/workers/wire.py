"""A worker's end of the wire to its server, written to by any thread and read by one; and its lifeline.

What the packets mean is not known here.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import threading
import traceback
from collections import deque
from collections.abc import Callable

from ..protocol.packets import Packet, Unpacker, packed
from ..runs.process import CUT_OFF

_READ_BYTES = 64 * 1024

_LOOK_MILLISECONDS = 1000
"""Between two looks at whether the descriptor is still the wire: a tool may have closed all that it has not opened."""


class WireToServer:
    """The wire, by its file descriptor."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        self.descriptor = descriptor
        self._inode = os.fstat(descriptor).st_ino
        self._socket = socket.socket(fileno=descriptor)
        self._pid = os.getpid()
        self._unsent: deque[bytes] = deque()
        self._writing = threading.Lock()

    def send(self, *packets: Packet) -> None:
        """In any thread, also within itself, as by what the garbage collector calls. Packets stay whole.

        Whoever finds another one sending leaves it the packet. Raises PacketError for one that is too large.
        """
        self._unsent.append(b"".join(map(packed, packets)))
        while self._unsent and self._writing.acquire(blocking=False):
            try:
                while self._unsent:
                    self._write(self._unsent.popleft())
            finally:
                self._writing.release()

    def read(self, receive: Callable[[Packet], None]) -> None:
        """In a daemon thread of its own from now on: every packet, until the server is gone. Then this process ends."""
        threading.Thread(target=self._read, args=(receive,), daemon=True, name="wire").start()

    def _write(self, data: bytes) -> None:
        if os.getpid() != self._pid:
            os._exit(1)  # a forked copy of this process, whose function returned: it has no server
        if not self.is_there():
            os._exit(CUT_OFF)
        try:
            self._socket.sendall(data)
        except OSError:
            end_now()

    def _read(self, receive: Callable[[Packet], None]) -> None:
        packets, poll = Unpacker(), select.poll()
        poll.register(self._socket, select.POLLIN)
        try:
            while True:
                readable = poll.poll(_LOOK_MILLISECONDS)
                if not self.is_there():
                    os._exit(CUT_OFF)
                if readable:
                    data = self._socket.recv(_READ_BYTES)
                    if not data:
                        end_now()
                    for packet in packets.feed(data):
                        receive(packet)
        except BaseException:
            traceback.print_exc()  # a defect of ours: the process would hear nothing any more
            os._exit(1)

    def is_there(self) -> bool:
        """Whether the descriptor is still the wire."""
        try:
            return os.fstat(self.descriptor).st_ino == self._inode
        except OSError:
            return False


def end_now() -> None:
    """End this process, and all that it has started: there is no server any more."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def end_with_server(descriptor: int) -> None:
    """Have the kernel end this process, and all that it has started, when the other end of this socket is closed: also
    while it is in C code that lets none of its threads notice. Linux only; elsewhere the thread that reads does it.

    fcntl(2), "Managing signals": F_SETSIG, F_SETOWN of a process group, and O_ASYNC.
    """
    os.set_inheritable(descriptor, False)
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(descriptor, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)


def keep_from_forks(*descriptors: int) -> None:
    """A forked copy of this process has none of them: it would keep its server waiting for the end of the wire."""

    def give_up() -> None:
        null = os.open(os.devnull, os.O_RDWR)
        for each in descriptors:
            os.dup2(null, each, inheritable=False)
        os.close(null)

    os.register_at_fork(after_in_child=give_up)
