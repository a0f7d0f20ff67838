"""Which processes are alive: each node has a file in the folder of the log, which its process locks and touches.

A lease is no row of the database, so that nobody loses it because the disk is full or the file is locked, and nothing
is written while nothing happens. The kernel unlocks the file of a process that ends, however it ends: its death is
known at once. One that hangs is dead when its lease is over. The time of a lease is the machine's uptime, which no
setting of the clock moves. What a node owns is not known here.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable
from contextlib import suppress

from ...protocol.errors import Fenced
from ..shared import LEASE_SECONDS

PREFIX = "node-"
_SECOND = 1_000_000_000


class Leases:
    """`folder` is the descriptor of the folder, and stays its owner's; `uptime` is in seconds.

    `begin`, `end` and `remove_dead` are called in a transaction, when no other process is in one.
    """

    def __init__(self, folder: int, uptime: Callable[[], float]) -> None:
        self._folder = folder
        self._uptime = uptime
        self._held: dict[str, int] = {}

    def begin(self) -> str:
        """A new node. Raises OSError."""
        node = secrets.token_hex(16)
        held = os.open(PREFIX + node, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600, dir_fd=self._folder)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._touch(node)
        except BaseException:
            os.close(held)
            self._remove(node)
            raise
        self._held[node] = held
        return node

    def renew(self, node: str) -> None:
        """In any thread. Raises Fenced."""
        try:
            if self.is_living(node):
                self._touch(node)
                return
        except FileNotFoundError:  # removed at this moment
            pass
        raise Fenced(f"node {node} has lost its lease")

    def end(self, node: str) -> None:
        self._remove(node)
        held = self._held.pop(node, None)
        if held is not None:
            os.close(held)

    def living(self) -> frozenset[str]:
        return frozenset(node for node in self._nodes() if self.is_living(node))

    def is_living(self, node: str) -> bool:
        try:
            looking = os.open(PREFIX + node, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self._folder)
        except FileNotFoundError:
            return False
        try:
            over = os.fstat(looking).st_mtime_ns / _SECOND + LEASE_SECONDS <= self._uptime()
            return not over and _is_locked(looking)
        finally:
            os.close(looking)

    def remove_dead(self) -> None:
        for node in self._nodes():
            if not self.is_living(node):
                self._remove(node)

    def close(self) -> None:
        """All its nodes are dead."""
        while self._held:
            os.close(self._held.popitem()[1])

    def _nodes(self) -> list[str]:
        return [name.removeprefix(PREFIX) for name in os.listdir(self._folder) if name.startswith(PREFIX)]

    def _touch(self, node: str) -> None:
        now = int(self._uptime() * _SECOND)
        os.utime(PREFIX + node, ns=(now, now), dir_fd=self._folder)

    def _remove(self, node: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(PREFIX + node, dir_fd=self._folder)


def _is_locked(looking: int) -> bool:
    try:
        fcntl.flock(looking, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False  # closing the descriptor unlocks it
