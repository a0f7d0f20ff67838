"""A file that is only appended to, and may be moved away meanwhile, as log rotation does. What is in it is unknown."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

CHECK_SECONDS = 1.0
"""How long lines may still go to a file that was moved away."""


class AppendedFile:
    """One line, one `write` with O_APPEND: several processes can share it. A new file has the mode 600.

    A line that could not be written as a whole, by whomever, stays a line of its own.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._now = now
        self._descriptor = -1
        self._checked = 0.0
        self._size = 0

    def open(self) -> None:
        """Raises OSError."""
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._checked = self._now()
        self._size = 0

    def append(self, line: bytes) -> None:
        """Append a line, with its end. Raises OSError."""
        if self._descriptor < 0:
            self.open()
        elif self._now() - self._checked >= CHECK_SECONDS:
            self._follow()
        found = os.fstat(self._descriptor)
        if found.st_size != self._size and stat.S_ISREG(found.st_mode) and self._is_torn(found.st_size):
            line = b"\n" + line  # what there was room for of the last one stays a line of its own
        written = os.write(self._descriptor, line)
        if written < len(line):
            self._size = -1
            raise OSError(f"only {written} of {len(line)} bytes could be written to {self._path}")
        self._size = found.st_size + written

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _is_torn(self, size: int) -> bool:
        """Whether what this or another process has written last, perhaps before a crash, ends amid a line. Of a file
        that may only be written to it is not known."""
        if size == 0:
            return False
        try:
            reading = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return os.pread(reading, 1, size - 1) not in {b"\n", b""}
        finally:
            os.close(reading)

    def _follow(self) -> None:
        """Open the file anew if it is no longer what is at its path."""
        self._checked = self._now()
        ours = os.fstat(self._descriptor)
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            there = None
        if there is None or (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
            self.close()
            self.open()
