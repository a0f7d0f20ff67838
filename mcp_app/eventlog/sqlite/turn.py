"""One process at a time: a lock of the folder beside the file, held while a transaction is written and checkpointed.

SQLite's own lock would do for transactions, but it does not cover checkpoints: up to 3.51.2 two processes that
checkpoint and commit at the same moment can corrupt the file (https://sqlite.org/wal.html, "The WAL-Reset Bug"). The
kernel lets go of the lock when its process ends, however it ends. What is written is not known here.
"""

from __future__ import annotations

import fcntl
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

BUSY_SECONDS = 5.0
"""How long a write waits for the other processes, and for whoever else has locked the file, before it says that the log
is not available. A transaction takes milliseconds."""

POLL_SECONDS = 0.002
"""At most, between two attempts: a blocking flock could not be given up. It is drawn, so that of several processes none
is always late."""


class Locked(Exception):
    """The turn did not come in time."""


class Turn:
    """`folder` is the descriptor of the folder; it stays its owner's. `given_up` is asked while it is waited for."""

    def __init__(self, folder: int, given_up: Callable[[], bool]) -> None:
        self._folder = folder
        self._given_up = given_up

    @contextmanager
    def taken(self) -> Iterator[float]:
        """Gives the time (monotonic) at which its owner gives up, whatever it still waits for. Raises Locked."""
        until = time.monotonic() + BUSY_SECONDS
        while not self._take():
            if self.over(until):
                raise Locked("another process has been writing for too long")
            time.sleep(random.uniform(POLL_SECONDS / 4, POLL_SECONDS))  # noqa: S311 - a time, not a secret
        try:
            yield until
        finally:
            fcntl.flock(self._folder, fcntl.LOCK_UN)

    def over(self, until: float) -> bool:
        """Whether nothing is to be waited for any longer."""
        return time.monotonic() >= until or self._given_up()

    def _take(self) -> bool:
        try:
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
