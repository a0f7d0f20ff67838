"""Wakes the other processes after a commit: a datagram to the Unix socket that each of them has in one folder.

A datagram says which ids have changed, never what they now are: one that is lost, or comes twice, does no harm, as
whoever waits also looks by itself from time to time. The sockets of processes that were killed are removed when they
are found.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from ...protocol.errors import LogRefused

PREFIX = "wake-"

ANYTHING = b"*"
"""Instead of ids: any may have changed."""

DATAGRAM_BYTES = 16 * 1024
"""Of ids in one datagram: beyond it all who wait look for themselves. Kernels take 200 KiB at least."""

MOST_AT_ONCE = 64
"""Datagrams heard in one turn of the event loop."""


_SHORT = os.path.isdir("/proc/self/fd")

logger = logging.getLogger("mcp_app.eventlog")


class Doorbell:
    """`listen` and `deafen` are called on an event loop, all else by one thread. `folder` is the descriptor of the
    folder. `unheard` are the processes whose sockets were full."""

    def __init__(self, folder: Path) -> None:
        """Raises LogRefused."""
        self._path = folder
        self._name = PREFIX + secrets.token_hex(8)
        self.unheard: set[str] = set()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.folder = -1
        try:
            self._socket.setblocking(False)
            self.folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            self._socket.bind(self._address(self._name))
        except OSError as error:
            self.close()
            raise LogRefused(
                f"MCP_APP_EVENT_LOG: no socket can be made in {folder}: {error.strerror or error}. The folder has to be"
                " writable, its path shorter than 80 characters on systems without /proc, and its file system one"
                " that has Unix sockets."
            ) from error

    def listen(self, loop: asyncio.AbstractEventLoop, heard: Callable[[Collection[str] | None], None]) -> None:
        """From now on `heard` is called, on the loop, with ids; None means that any may have changed."""
        loop.add_reader(self._socket, self._hear, self._socket, heard)

    def deafen(self, loop: asyncio.AbstractEventLoop) -> None:
        """On the loop, before `close`."""
        loop.remove_reader(self._socket)

    def ring(self, ids: Collection[str]) -> None:
        """Tell all others."""
        data = "\n".join(ids).encode()
        if len(data) > DATAGRAM_BYTES:
            data = ANYTHING
        try:
            names = os.listdir(self.folder)
        except OSError as error:
            logger.warning("%s: %s: other processes are not woken, and look by themselves", self._path, error)
            return
        for name in names:
            if name.startswith(PREFIX) and name != self._name:
                self._send(name, ANYTHING if name in self.unheard else data)

    def ring_again(self) -> None:
        """Tell those whose socket was full."""
        for name in tuple(self.unheard):
            self._send(name, ANYTHING)

    def close(self) -> None:
        """Idempotent."""
        self._socket.close()
        if self.folder >= 0:
            self._remove(self._name)
            os.close(self.folder)
            self.folder = -1

    def _send(self, name: str, data: bytes) -> None:
        self.unheard.discard(name)
        try:
            self._socket.sendto(data, self._address(name))
        except BlockingIOError:
            self.unheard.add(name)
        except (ConnectionRefusedError, FileNotFoundError):
            self._remove(name)  # its process was killed
        except OSError as error:
            logger.warning("%s: %s: this process is not woken, and looks by itself", self._path / name, error)

    def _remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.folder)

    def _address(self, name: str) -> str:
        """A path short enough for the address of a socket (108 bytes), however long that of the folder is."""
        return f"/proc/self/fd/{self.folder}/{name}" if _SHORT else str(self._path / name)

    def _hear(self, listening: socket.socket, heard: Callable[[Collection[str] | None], None]) -> None:
        ids: set[str] = set()
        for _ in range(MOST_AT_ONCE):
            try:
                data = listening.recv(2 * DATAGRAM_BYTES)
            except BlockingIOError:
                break
            if data == ANYTHING:
                heard(None)
                return
            ids.update(data.decode("utf-8", "replace").split("\n"))
        heard(ids)
