"""A directory for what does not fit memory, which is gone when its work is, also when its process was killed.

Its owner holds a lock on it, which the kernel releases with the process; whoever makes the next one removes those that
nobody holds.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "mcp-app-scratch-"
_LOCK = "lock"

DISK_BYTES = 16 * 1024**3
"""What one call may take of the disk. Ten million rows of ten columns take 0.2 GiB."""


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """A new empty directory, removed afterwards."""
    _remove_abandoned()
    path, lock = _made()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)  # the next one removes what is left
        os.close(lock)


def _made() -> tuple[Path, int]:
    """A directory and the lock on it. Whoever found it before it was locked may have removed it: then another one."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock = os.open(path / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.stat(path / _LOCK), os.fstat(lock)):
                return path, lock
        except OSError:
            pass  # it is gone
        os.close(lock)


def size(path: Path) -> int:
    """Bytes of all files in it, also while they come and go."""
    total = 0
    for directory, _, files in os.walk(path):
        for file in files:
            try:
                total += os.stat(os.path.join(directory, file)).st_size
            except OSError:
                pass  # it is gone
    return total


def _remove_abandoned() -> None:
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            if path.is_symlink() or path.stat().st_uid != os.getuid():
                continue
            lock = os.open(path / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue  # somebody else removes it, or makes it just now
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue  # at work
        else:
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(lock)
