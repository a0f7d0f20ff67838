"""The file of keys: read by servers, changed by `mcp-app keys` and, for the last uses, by servers.

It blocks, for a disk. What a key means is not known here: its records are those of key_records.py.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from .key_records import BadRecords, KeyRecord, read_records, write_records

MODE = 0o600
"""Of the file: its owner's alone. What it has opens nothing, but who can write it can add a key."""

MAX_BYTES = 16 * 1024 * 1024
"""Bytes of the file: fifty thousand keys. More is no file of keys."""

LOCK_SECONDS = 10.0
"""How long a change waits for others that change it: each takes milliseconds."""

Records = Mapping[str, KeyRecord]


class KeyFileError(Exception):
    """The file cannot be used as it is; the message names it, what is wrong, and what to do."""


class FileState(NamedTuple):
    """What differs when another file is at the path, or it was written to, or its rights were changed."""

    device: int
    inode: int
    size: int
    written: int
    changed: int


class KeyFile:
    """The file at a path, which may be a link."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser()

    def signature(self) -> FileState | None:
        """None where there is no file, or it cannot be looked at."""
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return FileState(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def read(self) -> dict[str, KeyRecord]:
        """Its keys, by their ids. Raises KeyFileError."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            raise KeyFileError(
                f"{self.path}: there is no such file of keys; `mcp-app keys add NAME --file {self.path}` makes one"
            ) from None
        except OSError as error:
            raise KeyFileError(f"{self.path}: the keys cannot be read: {error.strerror}") from None
        try:
            with open(descriptor, "rb") as file:
                self._check(os.fstat(file.fileno()))
                text = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise KeyFileError(f"{self.path}: the keys cannot be read: {error.strerror}") from None
        if len(text) > MAX_BYTES:
            raise KeyFileError(f"{self.path}: it has more than {MAX_BYTES} bytes: that is no file of keys")
        try:
            return read_records(text)
        except BadRecords as error:
            raise KeyFileError(f"{self.path}: this is no file of keys: {error}") from None

    def change(self, change: Callable[[dict[str, KeyRecord]], None], *, create: bool = False) -> None:
        """Read the keys, let `change` change them, and put a new file in the place of the old one: whoever reads sees
        the one or the other. Others that change it wait. With `create` a file that is not there is made.

        Raises KeyFileError, and what `change` raises: then nothing is written.
        """
        target = Path(os.path.realpath(self.path))
        try:
            with _locked(target.with_name(f".{target.name}.lock")):
                records = {} if create and not target.exists() else self.read()
                change(records)
                _replace(target, write_records(records.values()))
        except OSError as error:
            raise KeyFileError(f"{self.path}: the keys cannot be written: {error.strerror or error}") from None

    def _check(self, found: os.stat_result) -> None:
        """Raises KeyFileError unless it is its owner's alone, who is this process's user or root. Root takes any: it
        changes the files of servers that are not root."""
        if not stat.S_ISREG(found.st_mode):
            raise KeyFileError(f"{self.path}: this is no file")
        if found.st_mode & ~MODE & 0o777:
            raise KeyFileError(
                f"{self.path}: others can reach the keys (mode {stat.S_IMODE(found.st_mode):o}): chmod 600 {self.path}"
            )
        if os.geteuid() not in (0, found.st_uid) and found.st_uid != 0:
            raise KeyFileError(f"{self.path}: it belongs to the user {found.st_uid}, who could add keys: chown it")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """A file of its own is locked: the one that is to be replaced would be another one afterwards."""
    import fcntl  # Windows has none, where a server in memory imports this all the same

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, MODE)
    try:
        _give(descriptor, path.parent)
        until = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise KeyFileError(f"{path}: another process has held the lock for {LOCK_SECONDS:g} s") from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def _give(descriptor: int, like: Path) -> None:
    """What root writes stays the server's, which could not read it otherwise, and would go on with revoked keys."""
    if os.geteuid() == 0:
        owner = os.stat(like)
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _replace(target: Path, text: bytes) -> None:
    new = target.with_name(f".{target.name}.{os.getpid()}.new")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)  # what a crash has left
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, MODE)
    try:
        with open(descriptor, "wb") as file:
            _give(file.fileno(), target if target.exists() else target.parent)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise
    directory = os.open(target.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)  # the name, too, outlives a loss of power
    finally:
        os.close(directory)
